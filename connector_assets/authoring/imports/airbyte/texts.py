"""Whole texts of a manifest → texts of a spec, by the place they stand in.

The CDK reads what a template gives as a Python literal where the place allows it: `"100"` in a JSON
body is the number, `"['a', 'b']"` in a parameter is a list. What is constant is read so here.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from jinja2 import nodes

from connector_assets.authoring.imports.airbyte.code import (
    Code,
    Const,
    Value,
    as_text,
    joined,
    written,
)
from connector_assets.authoring.imports.airbyte.expressions import Expressions, Reading
from connector_assets.authoring.imports.airbyte.jinja_trees import Refused, is_plain, parsed

_HOLE = re.compile("\x00(\\d+)\x00")


class Texts:
    """Converts the texts of one component."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def parts(self, source: str, expressions: Expressions | None = None) -> list[Value]:
        """The constants and expressions of a text, one after the other."""
        if is_plain(source):
            return [Const(source)]
        return _merged(self._of(parsed(source), expressions or Expressions(self.reading)))

    def text(self, source: Any) -> str:
        """A text in which values are written, as a URL or a header."""
        return self._shown(self.parts(_str(source)))

    def param(self, source: Any) -> Any:
        """The value of a parameter or a header; None is not sent."""
        if isinstance(source, list):
            return [self.param(one) for one in source]
        if not isinstance(source, str):
            return None if source is None else str(source)
        parts = self.parts(source)
        if all(isinstance(one, Const) for one in parts):
            text = "".join(_str(one.value) for one in parts if isinstance(one, Const))
            found = literal_of(text)
            return [str(one) for one in found] if isinstance(found, list) else braced(text)
        return self._shown(parts)

    def json(self, source: Any) -> Any:
        """A value of a JSON body, of its own type."""
        if isinstance(source, Mapping):
            made = {self.text(key): self.json(value) for key, value in source.items()}
            return {key: value for key, value in made.items() if value is not None}
        if isinstance(source, list):
            return [self.json(one) for one in source]
        if not isinstance(source, str):
            return source
        parts = self.parts(source)
        if all(isinstance(one, Const) for one in parts):
            return _braced_within(literal_of("".join(_str(one.value) for one in parts)))  # type: ignore[union-attr]
        if len(parts) > 1 or not isinstance(parts[0], Code):
            structure = self._structure(parts)
            return self._shown(parts) if structure is None else structure
        return f"{{{{ {parts[0].text} }}}}"

    def condition(self, source: Any) -> Value:
        """What a condition is: one expression, or a constant."""
        if isinstance(source, bool):
            return Const(source)
        parts = [one for one in self.parts(_str(source).strip()) if one != Const("")]
        if len(parts) != 1:
            raise Refused("a condition with text around it")
        return parts[0]

    def one(self, source: Any, expressions: Expressions | None = None) -> Value:
        """A text as one value, which keeps its type where it is one expression."""
        parts = self.parts(_str(source), expressions)
        return parts[0] if len(parts) == 1 else joined(parts)

    def _of(self, body: Iterable[nodes.Node], expressions: Expressions) -> list[Value]:
        found: list[Value] = []
        for node in body:
            if isinstance(node, nodes.Output):
                found += [_data_or(one, expressions) for one in node.nodes]
            elif isinstance(node, nodes.If):
                found += self._branch(node, expressions)
            elif isinstance(node, nodes.Assign) and isinstance(node.target, nodes.Name):
                expressions.local[node.target.name] = expressions.value(node.node)
            else:
                raise Refused(f"Jinja's {type(node).__name__.lower()} in a template")
        return found

    def _branch(self, node: nodes.If, expressions: Expressions) -> list[Value]:
        test = expressions.value(node.test)
        after = [*node.elif_[1:]] if node.elif_ else []
        rest: list[nodes.Node] = (
            [nodes.If(node.elif_[0].test, node.elif_[0].body, after, node.else_)]
            if node.elif_
            else node.else_
        )
        if isinstance(test, Const):
            return self._of(node.body if test.value else rest, expressions)
        then = joined(self._of(node.body, expressions))
        other = joined(self._of(rest, expressions))
        return [Code(f"{written(then, 1)} if {test.at(1)} else {written(other, 1)}", 0)]

    def _shown(self, parts: list[Value]) -> str:
        braces = [
            one for one in parts[:-1] if isinstance(one, Const) and str(one.value)[-1:] == "{"
        ]
        if braces:
            # A brace before a template would be taken for a part of it.
            parts = [joined(parts)]
        if len(parts) == 1 and isinstance(parts[0], Code):
            whole = parts[0]
            return f"{{{{ {as_text(whole).text if whole.kind == 'boolean' else whole.text} }}}}"
        return "".join(
            f"{{{{ {as_text(one).text} }}}}" if isinstance(one, Code) else braced(_str(one.value))
            for one in parts
        )

    def _structure(self, parts: list[Value]) -> Any:
        """The object or list that a text writes with values in it; None where it is a text."""
        holes: list[Code] = []
        shown, quote = "", ""
        for one in parts:
            if isinstance(one, Const):
                text = _str(one.value)
                quote = _quote_after(text, quote)
                shown += text
            else:
                holes.append(one)
                mark = f"\x00{len(holes) - 1}\x00"
                shown += mark if quote else f'"\x01{mark}"'
        found = literal_of(shown.replace("\x00", "\uf8f0").replace("\x01", "\uf8f1"))
        return _filled(found, holes) if isinstance(found, dict | list) else None


def braced(text: str) -> str:
    """A text so that its own braces are no template of a spec."""
    return text.replace("{{", "{{ '{{' }}")


def template_of(value: Value) -> Any:
    """One value as a spec writes it: an expression in braces, or the constant."""
    return f"{{{{ {value.text} }}}}" if isinstance(value, Code) else value.value


def _filled(tree: Any, holes: list[Code]) -> Any:
    if isinstance(tree, dict):
        return {_filled(key, holes): _filled(one, holes) for key, one in tree.items()}
    if isinstance(tree, list | tuple):
        return [_filled(one, holes) for one in tree]
    if not isinstance(tree, str):
        return tree
    text = tree.replace("\uf8f0", "\x00").replace("\uf8f1", "")
    whole = _HOLE.fullmatch(text)
    if whole:
        return f"{{{{ {holes[int(whole[1])].text} }}}}"
    return _HOLE.sub(lambda hole: f"{{{{ {as_text(holes[int(hole[1])]).text} }}}}", text)


def _quote_after(text: str, quote: str) -> str:
    """The quote that is open after `text`, empty if none is."""
    for at, char in enumerate(text):
        if char in "'\"" and (at == 0 or text[at - 1] != "\\"):
            quote = "" if quote == char else quote or char
    return quote


def _data_or(node: nodes.Node, expressions: Expressions) -> Value:
    return Const(node.data) if isinstance(node, nodes.TemplateData) else expressions.value(node)


def _merged(values: list[Value]) -> list[Value]:
    """Constants that stand side by side as one; what is nothing is left out beside others."""
    made: list[Value] = []
    for one in values:
        if isinstance(one, Const) and one.value is None and len(values) > 1:
            one = Const("")  # noqa: PLW2901 - what lacks is no text
        if isinstance(one, Const) and made and isinstance(made[-1], Const):
            made[-1] = Const(_str(made[-1].value) + _str(one.value))
        else:
            made.append(one)
    kept = [one for one in made if one != Const("")]
    return kept or [Const("")]


def literal_of(text: str) -> Any:
    """What a text stands for where it is a literal of Python or a JSON document, else itself."""
    for read in (ast.literal_eval, json.loads):
        try:
            found = read(text.strip() if read is json.loads else text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
        if read is json.loads and not isinstance(found, dict | list):
            continue
        return list(found) if isinstance(found, tuple | set) else found
    return text


def _braced_within(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {key: _braced_within(one) for key, one in tree.items()}
    if isinstance(tree, list):
        return [_braced_within(one) for one in tree]
    return braced(tree) if isinstance(tree, str) else tree


def _str(value: Any) -> str:
    return "" if value is None else str(value)
