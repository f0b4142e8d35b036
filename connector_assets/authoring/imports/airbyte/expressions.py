"""A manifest's Jinja expressions → expressions of a spec, read as syntax trees and folded.

What is known now is computed now: `parameters` are constants, so that a condition on one leaves one
branch. What a spec's language has no equal of is Refused, by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2 import nodes

from connector_assets.authoring.imports.airbyte.code import (
    ABSENT,
    AND,
    CHOICE,
    COMPARE,
    CONCAT,
    NOT,
    OR,
    POSTFIX,
    PRODUCT,
    SUM,
    UNARY,
    Code,
    Const,
    Value,
    compared,
    computed,
    joined,
    literal,
    operand,
    path,
    written,
)
from connector_assets.authoring.imports.airbyte.given_values import GivenValue, GivenValues
from connector_assets.authoring.imports.airbyte.jinja_trees import Chain, Refused, chain_of

_SLICES = ("stream_slice", "stream_partition", "stream_interval")
_OPERATORS = {
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "lteq": "<=",
    "gt": ">",
    "gteq": ">=",
    "in": "in",
    "notin": "not in",
}


@dataclass
class Reading:
    """What the names of a template mean where it stands.

    `item` and `window` are the keys of a slice by what they are here, `token` is how the place in
    a list is read, `data` are the names that a spec has too, such as record and response.
    """

    given: GivenValues
    parameters: Mapping[str, Any] = field(default_factory=dict)
    item: Mapping[str, str] = field(default_factory=dict)
    window: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    certain: bool = False
    """Whether what may lack is needed here, so that its lack is an error."""


class Expressions:
    """Converts the expressions of one place."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.local: dict[str, Value] = {}

    def value(self, node: nodes.Node) -> Value:
        """What a node stands for; Refused where a spec cannot say it."""
        chain = chain_of(node)
        if chain is not None:
            return self.chain(chain)
        rule = _RULES.get(type(node))
        if rule is None:
            raise Refused(f"Jinja's {type(node).__name__.lower()} in a template")
        return rule(self, node)

    def chain(self, chain: Chain) -> Value:
        """The value at a path."""
        if chain.root in self.local:
            return self._local(chain)
        if chain.root == "parameters":
            return self._parameter(chain)
        if chain.root == "config":
            return self._config(chain)
        if chain.root in _SLICES:
            return self._slice(chain)
        if chain.root == "next_page_token":
            return self._token(chain)
        if chain.root in self.reading.data:
            return self._data(chain)
        raise Refused(f'the name "{chain.root}" in a template of this place')

    def _local(self, chain: Chain) -> Value:
        found = self.local[chain.root]
        if isinstance(found, Code):
            return Code(path(operand(found), chain.keys)) if chain.keys else found
        return _at(found.value, chain, self)

    def _parameter(self, chain: Chain) -> Value:
        return _at(self.reading.parameters, chain, self)

    def _config(self, chain: Chain) -> Value:
        steps = tuple(str(key) for key in chain.keys)
        if not steps:
            raise Refused("the whole config in a template")
        above = self.reading.given.above(steps)
        if above is not None and not above.secret:
            rest = chain.keys[len(above.path) :]
            return self._maybe(path(above.read, rest), chain, optional=True)
        known = self.reading.given.at(steps)
        if known is None:
            raise Refused(f"the config object {'.'.join(steps)} as a whole")
        return self._given(known, chain)

    def _given(self, known: GivenValue, chain: Chain) -> Value:
        has_default = known.schema.get("default", known.schema.get("const")) not in (None, "")
        optional = known.optional and not (has_default and not known.secret)
        return self._maybe(known.read, chain, optional=optional, kind=known.type)

    def _maybe(self, text: str, chain: Chain, *, optional: bool, kind: str = "") -> Value:
        """A value with the default that the manifest gives it, or null where it may lack."""
        if chain.default is not None:
            otherwise = self.value(chain.default)
            if otherwise not in (Const({}), Const(None)):
                return Code(f"{text} | default({written(otherwise)})", POSTFIX, kind)
        if (optional or chain.optional) and not self.reading.certain:
            return Code(f"{text} | default(none)", POSTFIX, kind)
        return Code(text, POSTFIX, kind)

    def _slice(self, chain: Chain) -> Value:
        reading, keys = self.reading, chain.keys
        if not keys:
            raise Refused("a whole slice in a template")
        if keys[0] in ("cursor_slice", "partition") and len(keys) > 1:
            keys = keys[1:]
        if keys[0] == "extra_fields" and len(keys) > 1:
            text = reading.extra.get(".".join(map(str, keys[1:])))
            if text is None:
                raise Refused(f"the extra field {'.'.join(map(str, keys[1:]))} of a slice")
            return self._maybe(text, chain, optional=True)
        whole = ".".join(map(str, keys))
        for known in (reading.item, reading.window, reading.extra):
            if whole in known:
                return self._maybe(known[whole], chain, optional=chain.optional)
            if keys[0] in known:
                text = path(known[str(keys[0])], keys[1:])
                return self._maybe(text, chain, optional=chain.optional or len(keys) > 1)
        if len(keys) == 1 or chain.optional:
            # A slice has no such key, so that it is nothing there, too.
            return self.value(chain.default) if chain.default is not None else ABSENT
        raise Refused(f'"{whole}" of a slice, which its stream does not set')

    def _token(self, chain: Chain) -> Value:
        if self.reading.token is None:
            return ABSENT
        rest = chain.keys[1:] if chain.keys[:1] == ("next_page_token",) else chain.keys
        return Code(f"{path(self.reading.token, rest)} | default(none)")

    def _data(self, chain: Chain) -> Value:
        root = self.reading.data[chain.root]
        keys = chain.keys
        if chain.root == "headers":
            keys = tuple(str(key).lower() for key in keys)
        return self._maybe(path(root, keys), chain, optional=bool(keys))

    # What computes.

    def const(self, node: nodes.Const) -> Value:
        return Const(node.value)

    def items(self, node: nodes.List | nodes.Tuple) -> Value:
        found = [self.value(one) for one in node.items]
        if all(isinstance(one, Const) for one in found):
            return Const([one.value for one in found if isinstance(one, Const)])
        return Code(f"[{', '.join(map(written, found))}]")

    def pairs(self, node: nodes.Dict) -> Value:
        found = [(self.value(one.key), self.value(one.value)) for one in node.items]
        if all(isinstance(k, Const) and isinstance(v, Const) for k, v in found):
            return Const({k.value: v.value for k, v in found})  # type: ignore[union-attr]
        return Code(f"{{{', '.join(f'{written(k)}: {written(v)}' for k, v in found)}}}")

    def either(self, node: nodes.Or) -> Value:
        left = self.value(node.left)
        if isinstance(left, Const):
            return left if left.value else self.value(node.right)
        right = self.value(node.right)
        return Code(f"{left.at(OR)} or {written(right, AND)}", OR)

    def both(self, node: nodes.And) -> Value:
        left = self.value(node.left)
        if isinstance(left, Const):
            return self.value(node.right) if left.value else left
        right = self.value(node.right)
        return Code(f"{left.at(AND)} and {written(right, NOT)}", AND)

    def negation(self, node: nodes.Not) -> Value:
        inner = self.value(node.node)
        if isinstance(inner, Const):
            return Const(not inner.value)
        return Code(f"not {inner.at(NOT)}", NOT, "boolean")

    def minus(self, node: nodes.Neg) -> Value:
        inner = self.value(node.node)
        if isinstance(inner, Const):
            return Const(-inner.value)
        return Code(f"-{inner.at(UNARY)}", UNARY)

    def choice(self, node: nodes.CondExpr) -> Value:
        test = self.value(node.test)
        otherwise = node.expr2
        if isinstance(test, Const):
            chosen = node.expr1 if test.value else otherwise
            return self.value(chosen) if chosen is not None else ABSENT
        then, other = self.value(node.expr1), self.value(otherwise) if otherwise else ABSENT
        text = f"{written(then, OR)} if {test.at(OR)} else {written(other, OR)}"
        kinds = {_kind(then), _kind(other)}
        return Code(text, CHOICE, kinds.pop() if len(kinds) == 1 else "")

    def comparison(self, node: nodes.Compare) -> Value:
        if len(node.ops) == 1 and node.ops[0].op in ("in", "notin"):
            given = self._is_given(node.expr, node.ops[0])
            if given is not None:
                return given
        values = [self.value(node.expr), *(self.value(one.expr) for one in node.ops)]
        operators = [one.op for one in node.ops]
        if all(isinstance(one, Const) for one in values):
            return Const(compared(values, operators))
        text = written(values[0], SUM)
        for operator, value in zip(operators, values[1:], strict=True):
            text += f" {_OPERATORS[operator]} {self._container(value, operator)}"
        return Code(text, COMPARE, "boolean")

    def _is_given(self, left: nodes.Node, operation: nodes.Operand) -> Value | None:
        """`'x' in config`, which asks whether the user gave a value."""
        chain, name = chain_of(operation.expr), getattr(left, "value", None)
        if chain is None or chain.root != "config" or not isinstance(name, str):
            return None
        found = self.chain(Chain("config", (*chain.keys, name), optional=True))
        return _is(found, None, negated=operation.op == "in")

    def _container(self, value: Value, operator: str) -> str:
        """What is looked into is nothing rather than null."""
        text = written(value, SUM)
        if operator in ("in", "notin") and text.endswith("| default(none)"):
            return text.removesuffix("default(none)") + "default([])"
        return text

    def test(self, node: nodes.Test) -> Value:
        value = self.value(node.node)
        name = node.name
        if name in ("defined", "undefined"):
            return _is(value, None, negated=name == "defined")
        if name in ("none", "true", "false"):
            return _is(value, {"none": None, "true": True, "false": False}[name])
        if name in ("equalto", "eq", "sameas") and len(node.args) == 1:
            other = self.value(node.args[0])
            return Code(f"{written(value, SUM)} == {written(other, SUM)}", COMPARE, "boolean")
        raise Refused(f'the test "is {name}" in a template')

    def sum(self, node: nodes.BinExpr) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(left, Const) and isinstance(right, Const):
            return computed(node.operator, left.value, right.value)
        sides = f"{written(left, SUM)} {node.operator} {written(right, CONCAT)}"
        return Code(sides, SUM, _kind(left) if _kind(left) == _kind(right) else "")

    def product(self, node: nodes.BinExpr) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(left, Const) and isinstance(right, Const):
            return computed(node.operator, left.value, right.value)
        return Code(
            f"{written(left, PRODUCT)} {node.operator} {written(right, UNARY)}",
            PRODUCT,
            "number",
        )

    def concatenation(self, node: nodes.Concat) -> Value:
        return joined([self.value(one) for one in node.nodes])

    def item(self, node: nodes.Getitem) -> Value:
        inner = chain_of(node.node)
        key = ABSENT if isinstance(node.arg, nodes.Slice) else self.value(node.arg)
        if inner is not None and isinstance(key, Const) and isinstance(key.value, str | int):
            return self.chain(inner.step(key.value))
        value = self.value(node.node)
        if isinstance(node.arg, nodes.Slice):
            if node.arg.step is not None:
                raise Refused("a slice with a step in a template")
            ends = [self.value(one) if one else None for one in (node.arg.start, node.arg.stop)]
            if isinstance(value, Const) and all(
                one is None or isinstance(one, Const) for one in ends
            ):
                start, stop = (one.value if isinstance(one, Const) else None for one in ends)
                return Const(value.value[start:stop])
            shown = ":".join(written(one) if one else "" for one in ends)
            return Code(f"{operand(value)}[{shown}]")
        if isinstance(value, Const) and isinstance(key, Const):
            return _at(value.value, Chain("", (key.value,)), self)
        return Code(f"{operand(value)}[{written(key)}]")

    def attribute(self, node: nodes.Getattr) -> Value:
        value = self.value(node.node)
        if isinstance(value, Const):
            return _at(value.value, Chain("", (node.attr,)), self)
        return Code(f"{path(operand(value), (node.attr,))} | default(none)")

    def filtered(self, node: nodes.Filter) -> Value:
        from connector_assets.authoring.imports.airbyte.jinja_functions import FILTERS

        if node.node is None:
            raise Refused("a filter block in a template")
        make = FILTERS.get(node.name)
        if make is None:
            raise Refused(f'the filter "{node.name}" in a template')
        return make(self.value(node.node), *self._arguments(node, node.name))

    def call(self, node: nodes.Call) -> Value:
        from connector_assets.authoring.imports.airbyte.jinja_functions import FUNCTIONS, METHODS

        if isinstance(node.node, nodes.Name):
            name = node.node.name
            if name not in FUNCTIONS:
                raise Refused(f'the function "{name}" in a template')
            return FUNCTIONS[name](*self._arguments(node, name))
        if isinstance(node.node, nodes.Getattr):
            name = node.node.attr
            if name not in METHODS:
                raise Refused(f'the method "{name}" in a template')
            return METHODS[name](self.value(node.node.node), *self._arguments(node, name))
        raise Refused("a call of a computed function in a template")

    def _arguments(self, node: nodes.Call | nodes.Filter, name: str) -> list[Value]:
        if node.dyn_args or node.dyn_kwargs:
            raise Refused(f'"{name}" with unpacked arguments in a template')
        return [*map(self.value, node.args), *(self.value(one.value) for one in node.kwargs)]


_RULES: dict[type[nodes.Node], Callable[[Expressions, Any], Value]] = {
    nodes.Const: Expressions.const,
    nodes.List: Expressions.items,
    nodes.Tuple: Expressions.items,
    nodes.Dict: Expressions.pairs,
    nodes.Or: Expressions.either,
    nodes.And: Expressions.both,
    nodes.Not: Expressions.negation,
    nodes.Neg: Expressions.minus,
    nodes.CondExpr: Expressions.choice,
    nodes.Compare: Expressions.comparison,
    nodes.Test: Expressions.test,
    nodes.Add: Expressions.sum,
    nodes.Sub: Expressions.sum,
    nodes.Mul: Expressions.product,
    nodes.Div: Expressions.product,
    nodes.FloorDiv: Expressions.product,
    nodes.Mod: Expressions.product,
    nodes.Concat: Expressions.concatenation,
    nodes.Getitem: Expressions.item,
    nodes.Getattr: Expressions.attribute,
    nodes.Filter: Expressions.filtered,
    nodes.Call: Expressions.call,
}


def _at(value: Any, chain: Chain, expressions: Expressions) -> Value:
    """The value at a path of known data; what is absent is null, or the default it has."""
    for key in chain.keys:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return expressions.value(chain.default) if chain.default is not None else ABSENT
    return Const(value)


def _is(value: Value, what: Any, *, negated: bool = False) -> Value:
    if isinstance(value, Const):
        return Const((value.value is what) is not negated)
    sign = "!=" if negated else "=="
    return Code(f"{written(value, SUM)} {sign} {literal(what)}", COMPARE, "boolean")


def _kind(value: Value) -> str:
    if isinstance(value, Code):
        return value.kind
    return {str: "string", bool: "boolean", int: "number", float: "number"}.get(
        type(value.value), ""
    )
