"""One `{{ … }}`: Jinja2's parser reads it, a whitelist of node types decides what it may say.

Jinja2 only parses. Nothing of its renderer runs: each allowed node becomes a small function of the
scope, and every other node is an error when the document is read. Values are plain data; a field is
a key of a mapping, never a Python attribute.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connector_assets.errors import ConfigError
from connector_assets.spec.templates.functions import CHECKS, FILTERS, FUNCTIONS
from connector_assets.spec.templates.operators import ARITHMETIC, COMPARISONS, subtract
from connector_assets.spec.templates.plain_data import (
    MAX_DIGITS,
    as_text,
    bounded,
    kind,
    plain,
    weighed,
)
from connector_assets.spec.templates.scope import (
    Evaluate,
    Key,
    NoValue,
    Scope,
    clock,
    reading,
    step,
)
from connector_assets.spec.templates.syntax import TemplateError, syntax_tree

if TYPE_CHECKING:
    from jinja2 import nodes

MAX_LENGTH = 4_096
"""The longest expression, in characters."""

MAX_DEPTH = 32
"""How deep an expression may nest."""

MAX_NODES = 500
"""How many names, literals, operators and calls a template may hold."""

_PLAIN = re.compile(r"\s*([a-zA-Z_]\w*(?:\.[a-zA-Z_]\w*)*)\s*", re.ASCII)
_WORDS = frozenset(
    ("and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None")
)
_ALLOWED = "use names, fields, literals, comparisons, and/or/not, if/else, + - * / // % ~, filters"
_REFUSED = {
    "Test": '"is"',
    "Tuple": "a list without brackets",
    "Slice": "a slice by itself",
    "Pow": '"**"',
    "Pos": "a plus sign before a value",
}


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A parsed expression and the names it reads.

    `required` leaves out the names that stand only under a `default`. `label` names it in errors.
    """

    names: frozenset[str]
    required: frozenset[str]
    label: str
    size: int
    _run: Evaluate

    def value(self, scope: Scope, make: Callable[[Any], Any] = plain) -> Any:
        """Its value, through `make`; a ConfigError names the variable, never what it holds."""
        try:
            return make(self._run(scope))
        except NoValue:
            raise
        except ConfigError as error:
            raise ConfigError(error.what, where=self.label, fix=error.fix) from None
        except (ArithmeticError, RecursionError, TypeError, ValueError):
            # Python's own words quote the value, which may be a secret.
            raise ConfigError("cannot be computed from such a value", where=self.label) from None


def parse(source: str) -> Expression:
    """The expression in `source`, which is what stands between the braces."""
    if not source.strip():
        raise TemplateError("the expression is empty; write a name in it")
    if len(source) > MAX_LENGTH:
        raise TemplateError(f"an expression may have {MAX_LENGTH:,} characters; make it shorter")
    reader = _Reader()
    found = _PLAIN.fullmatch(source)
    # A plain name is what most templates are: it needs no parser, so no import of one (50 ms).
    if found and not _WORDS.intersection(keys := found[1].split(".")):
        run = reader.lookup([*keys])
    else:
        run = reader.read(syntax_tree(source))
    label = ", ".join(f'"{name}"' for name in sorted(reader.names))
    return Expression(frozenset(reader.names), frozenset(reader.required), label, reader.size, run)


class _Reader:
    """Turns a syntax tree into nested functions, and notes the names on the way."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.required: set[str] = set()
        self.size = 0
        self._depth = self._defaults = 0

    def read(self, node: nodes.Node) -> Evaluate:
        kind_of_node = type(node).__name__
        rule = _RULES.get(kind_of_node)
        if rule is None:
            what = _REFUSED.get(kind_of_node, f"a {kind_of_node.lower()}")
            raise TemplateError(f"{what} is not part of a template; {_ALLOWED}")
        self.size += 1
        self._depth += 1
        if self.size > MAX_NODES or self._depth > MAX_DEPTH:
            raise TemplateError("the expression is too large; compute less in it")
        run = rule(self, node)
        self._depth -= 1
        return run

    def lookup(self, keys: list[Key]) -> Evaluate:
        """The value at a path that starts at a name of the scope."""
        for key in keys:
            _refuse_dunder(key)
        named = keys[: next((at for at, key in enumerate(keys) if isinstance(key, int)), None)]
        name = ".".join(map(str, named))
        if keys[0] == "secrets" and (len(keys) != 2 or keys != named):  # noqa: PLR2004
            raise TemplateError("a secret is written secrets.name; nothing else of it can be read")
        self.names.add(name)
        if not self._defaults:
            self.required.add(name)
        return reading(keys, name)

    def name(self, node: nodes.Name) -> Evaluate:
        return self.lookup([node.name])

    def field(self, node: nodes.Getattr) -> Evaluate:
        keys = _keys(node)
        if keys:
            return self.lookup(keys)
        inner, key = self.read(node.node), node.attr
        _refuse_dunder(key)
        return lambda scope: step(inner(scope), key, key)

    def item(self, node: nodes.Getitem) -> Evaluate:
        keys = _keys(node)
        if keys:
            return self.lookup(keys)
        if type(node.arg).__name__ == "Slice":
            return self._slice(node.node, node.arg)  # type: ignore[arg-type] # as its name says
        inner, index = self.read(node.node), self.read(node.arg)
        return lambda scope: step(inner(scope), index(scope), "the item in [ ]")

    def _slice(self, of: nodes.Expr, part: nodes.Slice) -> Evaluate:
        if part.step is not None:
            raise TemplateError("a slice has no step; write [start:stop]")
        value = self.read(of)
        ends = [self.read(end) if end else _null for end in (part.start, part.stop)]
        return lambda scope: _sliced(value(scope), *(end(scope) for end in ends))

    def literal(self, node: nodes.Const) -> Evaluate:
        value = node.value
        if isinstance(value, int | float) and not abs(value) < 10**MAX_DIGITS:
            raise TemplateError("a number is too long")
        return lambda _: value

    def items(self, node: nodes.List) -> Evaluate:
        items = [self.read(item) for item in node.items]
        return lambda scope: plain(weighed([item(scope) for item in items]))

    def pairs(self, node: nodes.Dict) -> Evaluate:
        pairs = [(self.read(pair.key), self.read(pair.value)) for pair in node.items]
        return lambda scope: plain(weighed({as_text(k(scope)): v(scope) for k, v in pairs}))

    def both(self, node: nodes.And) -> Evaluate:
        left, right = self.read(node.left), self.read(node.right)
        return lambda scope: left(scope) and right(scope)

    def either(self, node: nodes.Or) -> Evaluate:
        left, right = self.read(node.left), self.read(node.right)
        return lambda scope: left(scope) or right(scope)

    def negation(self, node: nodes.Not) -> Evaluate:
        inner = self.read(node.node)
        return lambda scope: not inner(scope)

    def minus(self, node: nodes.Neg) -> Evaluate:
        inner = self.read(node.node)
        return lambda scope: subtract(0, inner(scope))

    def condition(self, node: nodes.CondExpr) -> Evaluate:
        test, then = self.read(node.test), self.read(node.expr1)
        otherwise = self.read(node.expr2) if node.expr2 else _null
        return lambda scope: then(scope) if test(scope) else otherwise(scope)

    def comparison(self, node: nodes.Compare) -> Evaluate:
        first = self.read(node.expr)
        rest = [(COMPARISONS[op.op], self.read(op.expr)) for op in node.ops]

        def run(scope: Scope) -> bool:
            left = first(scope)
            for holds, operand in rest:
                right = operand(scope)
                if not holds(left, right):
                    return False
                left = right
            return True

        return run

    def arithmetic(self, node: nodes.BinExpr) -> Evaluate:
        if node.operator not in "+-" and any(map(_is_text, (node.left, node.right))):
            raise TemplateError(f'"{node.operator}" is for numbers, not for text')
        left, right = self.read(node.left), self.read(node.right)
        work = ARITHMETIC[node.operator]
        return lambda scope: work(left(scope), right(scope))

    def concatenation(self, node: nodes.Concat) -> Evaluate:
        parts = [self.read(part) for part in node.nodes]
        return lambda scope: bounded("".join([as_text(part(scope)) for part in parts]))

    def filtered(self, node: nodes.Filter) -> Evaluate:
        name = node.name
        work, args = self._called("filter", FILTERS, name, node)
        if name == "default":
            return self._defaulted(node, args)
        value = self.read(_operand(node))
        return lambda scope: _apply(name, work, value(scope), args, scope)

    def call(self, node: nodes.Call) -> Evaluate:
        if type(node.node).__name__ != "Name":
            raise TemplateError(f"values have no methods; call only {', '.join(FUNCTIONS)}")
        name = node.node.name  # type: ignore[attr-defined]  # a Name, as the line above saw
        if name in FILTERS:
            raise TemplateError(f'"{name}" is a filter; write value | {name}')
        work, args = self._called("function", FUNCTIONS, name, node)
        return lambda scope: _apply(name, work, clock(scope), args, scope)

    def _defaulted(self, node: nodes.Filter, args: list[Evaluate]) -> Evaluate:
        self._defaults += 1
        value = self.read(_operand(node))
        self._defaults -= 1
        otherwise = args[0]

        def run(scope: Scope) -> Any:
            try:
                found = value(scope)
            except NoValue:
                found = None
            return otherwise(scope) if found is None else found

        return run

    def _called(
        self,
        what: str,
        table: Mapping[str, Callable[..., Any]],
        name: str,
        node: nodes.Filter | nodes.Call,
    ) -> tuple[Callable[..., Any], list[Evaluate]]:
        """A function and its arguments, their number checked when the document is read."""
        if name not in table:
            raise TemplateError(f'{what} "{name}" is not known; use one of {", ".join(table)}')
        if node.kwargs or node.dyn_args or node.dyn_kwargs:
            raise TemplateError(f"{name} takes its arguments by position only")
        work = table[name]
        most = work.__code__.co_argcount - 1  # the first is the value, or the clock
        least = most - len(work.__defaults__ or ())
        if not least <= len(node.args) <= most:
            count = str(most) if least == most else f"{least} to {most}"
            raise TemplateError(f"{name} takes {count} argument(s) here, not {len(node.args)}")
        _check_literal(name, node.args)
        return work, [self.read(arg) for arg in node.args]


_RULES: dict[str, Callable[[_Reader, Any], Evaluate]] = {
    "Name": _Reader.name,
    "Getattr": _Reader.field,
    "Getitem": _Reader.item,
    "Const": _Reader.literal,
    "List": _Reader.items,
    "Dict": _Reader.pairs,
    "And": _Reader.both,
    "Or": _Reader.either,
    "Not": _Reader.negation,
    "Neg": _Reader.minus,
    "CondExpr": _Reader.condition,
    "Compare": _Reader.comparison,
    "Add": _Reader.arithmetic,
    "Sub": _Reader.arithmetic,
    "Mul": _Reader.arithmetic,
    "Div": _Reader.arithmetic,
    "FloorDiv": _Reader.arithmetic,
    "Mod": _Reader.arithmetic,
    "Concat": _Reader.concatenation,
    "Filter": _Reader.filtered,
    "Call": _Reader.call,
}


def _refuse_dunder(key: Key) -> None:
    if isinstance(key, str) and len(key) > 4 and key[:2] == key[-2:] == "__":  # noqa: PLR2004
        raise TemplateError(f'"{key}" is not data; a template reads names and fields only')


def _check_literal(name: str, args: list[nodes.Expr]) -> None:
    """A pattern, format or duration that is written out is judged when the document is read."""
    value = getattr(args[0], "value", None) if name in CHECKS and args else None
    if isinstance(value, str):
        try:
            CHECKS[name](value)
        except ConfigError as error:
            raise TemplateError(f"{name}: {error}") from None


def _operand(node: nodes.Filter) -> nodes.Expr:
    if node.node is None:
        raise TemplateError("a filter needs a value before it")
    return node.node


def _keys(node: Any) -> list[Key] | None:
    """The path of a chain such as `a.b['c'][0]`; None if it is not one that can be read ahead."""
    keys: list[Key] = []
    while (named := type(node).__name__) in ("Getattr", "Getitem"):
        key = node.attr if named == "Getattr" else getattr(node.arg, "value", None)
        if isinstance(key, bool) or not isinstance(key, str | int):
            return None
        keys.append(key)
        node = node.node
    return [node.name, *reversed(keys)] if named == "Name" else None


def _apply(
    name: str, work: Callable[..., Any], first: Any, args: list[Evaluate], scope: Scope
) -> Any:
    rest = [arg(scope) for arg in args]
    try:
        result = work(first, *rest)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error.what}", fix=error.fix) from None
    return bounded(result) if isinstance(result, str) else result


def _is_text(node: nodes.Expr) -> bool:
    return isinstance(getattr(node, "value", None), str) or type(node).__name__ == "Concat"


def _sliced(value: Any, start: Any, stop: Any) -> Any:
    """A part of a text or list; an end beyond it is its end."""
    if not isinstance(value, str | list | tuple):
        raise ConfigError(f"{kind(value)} has no parts")
    if any(type(end) not in (int, type(None)) for end in (start, stop)):
        raise ConfigError("the ends of a slice are whole numbers")
    return value[start:stop]


def _null(_: Scope) -> None:
    return None
