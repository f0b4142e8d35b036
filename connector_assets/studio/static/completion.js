// What may be written at a place of a YAML document, told from the JSON Schema of connectors.
//
// The text need not be valid yet. Its block structure is told by indentation, and what stands in
// brackets on the line of the cursor by the brackets; that is how these documents are written.

const KEY = /^(\s*)((?:- +)*)(?:"([^"]*)"|'([^']*)'|([\w.$@/-]+)):(?:\s+(.*))?$/;
const DASH = /^(\s*)((?:- +)+|-$)/;

/** What fits at the cursor (counted from 0): {from, options, isEager}, or null where nothing is known. */
export function completions(schema, lines, row, column) {
  const before = lines[row].slice(0, column);
  if (/^\s*#/.test(before)) return null;
  const place = placeOf(lines, row, before);
  if (!place) return null;
  const word = /["']?[\w.$-]*$/.exec(before)[0];
  const from = column - word.length;
  const at = schemasAt(schema, place.path, place.said);
  const found = place.isValue ? valuesOf(schema, at) : keysOf(schema, at, place.siblings);
  // A list of all keys on every new line would be in the way: it comes when it is asked for.
  return { from, options: found, isEager: place.isValue || word !== "" };
}

/** The way to the cursor: keys and numbers, the mappings passed, and whether a value comes. */
function placeOf(lines, row, before) {
  const open = opened(before);
  const block = blockAt(lines, row, before, open);
  if (!open) return block;
  const { path, said } = block;
  const frames = open.frames;
  frames.forEach((frame, depth) => {
    if (frame.kind === "[") path.push(0);
    const last = depth === frames.length - 1;
    said.push({ depth: path.length, pairs: frame.pairs });
    if (frame.kind === "{" && frame.key !== null && (!last || frame.inValue)) path.push(frame.key);
  });
  const end = frames.at(-1);
  const isValue = end.kind === "{" ? end.inValue : true;
  return { path, said, isValue, siblings: end.kind === "{" ? Object.keys(end.pairs) : [] };
}

/** The brackets that are open before the cursor, with the pairs in each; null where none is. */
function opened(before) {
  const frames = [];
  let first = -1;
  let quote = "";
  let word = "";
  const ends = (frame) => {
    if (!frame) return;
    if (frame.inValue && frame.key !== null) frame.pairs[frame.key] = word.trim();
    frame.inValue = false;
  };
  for (let at = 0; at < before.length; at++) {
    const char = before[at];
    const frame = frames.at(-1);
    if (quote) {
      if (char === quote) quote = "";
      else word += char;
    } else if ((char === '"' || char === "'") && !word.trim()) quote = char;
    else if (char === "#" && /\s/.test(before[at - 1] ?? " ")) return null;
    else if ((char === "{" || char === "[") && (frame || /[:\-]\s+$|^\s*$/.test(before.slice(0, at)))) {
      if (!frames.length) first = at;
      frames.push({ kind: char, key: null, inValue: false, pairs: {} });
      word = "";
    } else if (frame && (char === "}" || char === "]")) {
      ends(frame);
      frames.pop();
      word = "";
    } else if (frame && char === ",") {
      ends(frame);
      if (frame.kind === "{") frame.key = null;
      word = "";
    } else if (frame?.kind === "{" && char === ":" && !frame.inValue) {
      frame.key = word.trim();
      frame.inValue = true;
      word = "";
    } else word += char;
  }
  return frames.length ? { frames, first } : null;
}

/** The place of a line in the block structure. */
function blockAt(lines, row, before, open) {
  const head = open ? before.slice(0, open.first) : before;
  const found = KEY.exec(head.replace(/\s*$/, (blank) => (blank ? " " : ""))) ?? KEY.exec(`${head.trimEnd()}`);
  const isValue = Boolean(found) && /:\s/.test(head) && !open;
  const dash = DASH.exec(head);
  const indent = dash ? dash[0].length : head.length - head.trimStart().length;
  const dashes = dash ? (dash[2].match(/-/g) ?? []).length : 0;
  const outer = dash ? dash[1].length : indent;

  const path = [];
  const mappings = [];
  const key = found ? found[3] ?? found[4] ?? found[5] : null;
  let level = dashes ? outer : indent;
  let own = pairsAround(lines, row, indent, dashes > 0);
  mappings.push({ steps: 0, pairs: own });
  if (dashes) path.unshift(...Array(dashes).fill(0));
  for (let at = row - 1; at >= 0; at--) {
    const line = lines[at];
    if (!line.trim() || /^\s*#/.test(line)) continue;
    const dashed = DASH.exec(line);
    const start = dashed ? dashed[1].length : line.length - line.trimStart().length;
    const inner = dashed ? dashed[0].length : start;
    const named = KEY.exec(line);
    const name = named ? named[3] ?? named[4] ?? named[5] : null;
    // A list may stand at the level of its key.
    const isParent = inner < level || (path[0] === 0 && inner === level && !dashed);
    if (dashed && start < level && inner === level) {
      path.unshift(0);
      level = start;
      continue;
    }
    if (!isParent || name === null) continue;
    if (named[6]?.replace(/#.*/, "").trim()) continue;
    path.unshift(name);
    mappings.push({ steps: path.length, pairs: pairsAround(lines, at, inner, Boolean(dashed)) });
    level = inner;
    if (dashed) {
      path.unshift(0);
      level = start;
    }
    if (level === 0 && !dashed) break;
  }
  const said = mappings.map((one) => ({ depth: path.length - one.steps, pairs: one.pairs }));
  said.sort((one, other) => one.depth - other.depth);
  const whole = [...path];
  if (key !== null && (isValue || open)) whole.push(key);
  return { path: whole, said, isValue, siblings: Object.keys(own) };
}

/** The keys and plain values of the mapping that a line belongs to. */
function pairsAround(lines, row, indent, isFirst) {
  const pairs = {};
  const take = (line) => {
    const found = KEY.exec(line);
    if (found) pairs[found[3] ?? found[4] ?? found[5]] = (found[6] ?? "").replace(/\s+#.*/, "").replace(/^["']|["']$/g, "").trim();
  };
  const width = (line) => (DASH.exec(line)?.[0].length ?? line.length - line.trimStart().length);
  for (let at = row - 1; !isFirst && at >= 0; at--) {
    if (!lines[at].trim() || /^\s*#/.test(lines[at])) continue;
    const wide = width(lines[at]);
    if (wide < indent) break;
    if (wide > indent) continue;
    take(lines[at]);
    if (DASH.test(lines[at])) break;
  }
  for (let at = row + 1; at < lines.length; at++) {
    if (!lines[at].trim() || /^\s*#/.test(lines[at])) continue;
    const wide = lines[at].length - lines[at].trimStart().length;
    if (wide < indent || (wide <= indent && DASH.test(lines[at]))) break;
    if (wide === indent) take(lines[at]);
  }
  return pairs;
}

/** The schemas that hold at a path; `said` tells which kind of a thing was chosen on the way. */
function schemasAt(schema, path, said) {
  let found = spread(schema, schema, pairsAt(said, 0));
  path.forEach((step, index) => {
    const next = [];
    for (const one of found) {
      if (typeof step === "number") {
        if (one.items) next.push(one.items);
      } else if (one.properties?.[step]) next.push(one.properties[step]);
      else if (one.additionalProperties instanceof Object) next.push(one.additionalProperties);
      else if (one.items instanceof Object) {
        // One may stand for a list of one.
        for (const item of spread(schema, one.items, {})) if (item.properties?.[step]) next.push(item.properties[step]);
      }
    }
    const pairs = pairsAt(said, index + 1);
    found = next.flatMap((one) => spread(schema, one, pairs));
  });
  return found;
}

const pairsAt = (said, depth) => Object.assign({}, ...said.filter((one) => one.depth === depth).map((one) => one.pairs));

/** A schema with its references followed and its alternatives side by side. */
function spread(root, schema, pairs, depth = 0) {
  if (depth > 12) return [];
  if (schema.$ref) {
    const target = root.$defs?.[schema.$ref.split("/").at(-1)];
    return target ? spread(root, target, pairs, depth + 1) : [];
  }
  const several = schema.oneOf ?? schema.anyOf;
  if (!several) return [schema];
  const all = several.flatMap((one) => spread(root, one, pairs, depth + 1));
  const fitting = all.filter((one) => {
    const told = one.properties?.type?.const;
    return told === undefined || !pairs.type || pairs.type === told;
  });
  return fitting.length ? fitting : all;
}

function keysOf(root, schemas, siblings) {
  const options = new Map();
  for (const schema of schemas) {
    const properties = schema.properties ?? spread(root, schema.items ?? {}, {}).map((one) => one.properties ?? {}).reduce((all, one) => ({ ...all, ...one }), {});
    for (const [name, one] of Object.entries(properties)) {
      if (siblings.includes(name) || options.has(name)) continue;
      options.set(name, {
        label: name,
        apply: `${name}: `,
        type: "property",
        detail: (schema.required ?? []).includes(name) ? "required" : "",
        info: one.description ?? "",
        boost: (schema.required ?? []).includes(name) ? 2 : 0,
      });
    }
  }
  return [...options.values()];
}

function valuesOf(root, schemas) {
  const options = new Map();
  const add = (value, info) => {
    const text = typeof value === "string" && /^[\d.]+$|^(true|false|null)$/.test(value) ? `"${value}"` : String(value);
    if (!options.has(text)) options.set(text, { label: text, type: "enum", info: info ?? "" });
  };
  for (const one of schemas) {
    if (one.const !== undefined) add(one.const, one.description);
    for (const value of one.enum ?? []) if (value !== null) add(value, one.description);
    if (one.type === "boolean") [true, false].forEach((value) => add(value, one.description));
    for (const part of one.items ? spread(root, one.items, {}) : []) {
      for (const value of part.enum ?? []) add(value, part.description);
    }
  }
  return [...options.values()];
}
