// The editor of the builder: CodeMirror with YAML. What it is told (faults, completions) comes from outside.
import { autocompletion, closeBrackets, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import {
  bracketMatching,
  foldGutter,
  foldKeymap,
  HighlightStyle,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";

// Colours are variables of the page's own style sheet, so that light and dark are said in one place.
const colours = HighlightStyle.define([
  { tag: tags.comment, color: "var(--code-comment)" },
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--code-key)" },
  { tag: [tags.string, tags.content, tags.special(tags.string)], color: "var(--code-text)" },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword], color: "var(--code-number)" },
  { tag: [tags.punctuation, tags.separator, tags.bracket], color: "var(--code-mark)" },
]);

const looks = EditorView.theme({
  "&": { height: "100%", fontSize: "0.875rem", backgroundColor: "var(--field)", color: "var(--ink)" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
  ".cm-gutters": { backgroundColor: "var(--field)", color: "var(--faint)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--row)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "var(--selected)",
  },
  ".cm-tooltip": { backgroundColor: "var(--card)", color: "var(--ink)", border: "1px solid var(--line)" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-completionInfo": { maxWidth: "24rem", whiteSpace: "normal" },
  ".cm-panels": { backgroundColor: "var(--card)", color: "var(--ink)" },
  ".cm-textfield, .cm-button": { backgroundImage: "none", backgroundColor: "var(--field)", color: "var(--ink)" },
});

/**
 * An editor in `parent`. `complete(lines, line, column)` gives {from, options, isEager}; `changed(text)` is told every change.
 */
export function editor({ parent, text, label, nonce, complete, changed }) {
  const source = (context) => {
    const line = context.state.doc.lineAt(context.pos);
    const lines = context.state.doc.toJSON();
    const found = complete(lines, line.number - 1, context.pos - line.from);
    if (!found || !(context.explicit || (found.isEager && found.options.length))) return null;
    return { from: line.from + found.from, options: found.options, validFor: /^[\w"-]*$/ };
  };
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        EditorView.cspNonce.of(nonce),
        EditorView.contentAttributes.of({ "aria-label": label }),
        lineNumbers(),
        lintGutter(),
        foldGutter(),
        history(),
        drawSelection(),
        highlightSpecialChars(),
        indentUnit.of("  "),
        indentOnInput(),
        bracketMatching(),
        closeBrackets(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        highlightSelectionMatches(),
        autocompletion({ override: [source], activateOnTypingDelay: 50 }),
        yaml(),
        syntaxHighlighting(colours),
        looks,
        keymap.of([
          ...defaultKeymap,
          ...searchKeymap,
          ...historyKeymap,
          ...foldKeymap,
          ...completionKeymap,
          ...lintKeymap,
          indentWithTab,
        ]),
        EditorView.updateListener.of((update) => update.docChanged && changed(update.state.doc.toString())),
      ],
    }),
  });
  return {
    focus: () => view.focus(),
    text: () => view.state.doc.toString(),
    /** Another text, as one step that can be undone. */
    replace(next) {
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } });
    },
    /** Marks findings: {line, column, level, message}, counted from 1. */
    mark(findings) {
      const doc = view.state.doc;
      const marks = findings.map((one) => {
        const line = doc.line(Math.min(Math.max(one.line, 1), doc.lines));
        const from = Math.min(line.from + Math.max(one.column, 1) - 1, line.to);
        const word = /^["']?[\w.$-]+["']?/.exec(line.text.slice(from - line.from));
        const to = Math.min(from + (word ? word[0].length : 1), doc.length);
        return { from: Math.min(from, to), to, severity: one.level, message: one.message };
      });
      marks.sort((one, other) => one.from - other.from);
      view.dispatch(setDiagnostics(view.state, marks));
    },
    /** Puts the cursor at a line and column, counted from 1, and shows it. */
    go(line, column) {
      const at = view.state.doc.line(Math.min(Math.max(line, 1), view.state.doc.lines));
      const pos = Math.min(at.from + Math.max(column, 1) - 1, at.to);
      view.dispatch({ selection: { anchor: pos }, effects: EditorView.scrollIntoView(pos, { y: "center" }) });
      view.focus();
    },
  };
}
