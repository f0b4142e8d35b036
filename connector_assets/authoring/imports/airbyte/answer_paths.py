"""Jinja expressions over an answer → JMESPath, in which a spec's paginations find their place.

`response.get('paging', {}).get('next')` is `paging.next`; a condition that stops a list becomes the
other half of an `&&`, so that a cursor is found only where the list goes on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import nodes

from connector_assets.authoring.imports.airbyte.code import Const
from connector_assets.authoring.imports.airbyte.expressions import Expressions, Reading
from connector_assets.authoring.imports.airbyte.given_values import GivenValues
from connector_assets.authoring.imports.airbyte.jinja_trees import (
    Chain,
    Refused,
    chain_of,
)

_SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}


@dataclass(frozen=True)
class AnswerPath:
    """A JMESPath expression; `chain` is what it reads where it is a plain path."""

    text: str
    chain: Chain | None = None
    compound: bool = False
    constant: Any = None
    is_constant: bool = False

    @property
    def inner(self) -> str:
        """As a part of another expression."""
        return f"({self.text})" if self.compound else self.text


class AnswerPaths:
    """Converts expressions over `response` and `last_record`; `rows` is where its rows are."""

    def __init__(self, parameters: Mapping[str, Any], rows: str = "") -> None:
        self.rows = rows
        self.constants = Expressions(Reading(GivenValues(), parameters))

    def path(self, node: nodes.Node) -> AnswerPath:
        """What a node reads of an answer; Refused where JMESPath cannot say it."""
        chain = chain_of(node)
        if chain is not None and chain.root in ("response", "last_record"):
            return AnswerPath(self._place(chain), chain)
        known = self._constant(node)
        if known is not None:
            return AnswerPath(json_literal(known.value), constant=known.value, is_constant=True)
        for kind, rule in _RULES.items():
            if isinstance(node, kind):
                found: AnswerPath = rule(self, node)
                return found
        raise Refused(_refusal(node))

    def _constant(self, node: nodes.Node) -> Const | None:
        try:
            found = self.constants.value(node)
        except Refused:
            return None
        return found if isinstance(found, Const) else None

    def _place(self, chain: Chain) -> str:
        if chain.root == "last_record":
            if not self.rows:
                raise Refused("last_record in a condition, where the rows are not in one place")
            rows = "" if self.rows == "@" else self.rows
            return keyed(f"{rows}[-1]", chain.keys)
        return keyed("", chain.keys) or "@"

    def sum(self, node: nodes.Add) -> AnswerPath:
        left, right = self.path(node.left), self.path(node.right)
        if any(isinstance(one.constant, str) for one in (left, right)):
            raise Refused("texts that are joined where a list goes on")
        return AnswerPath(f"sum([{left.text}, {right.text}])")

    def either(self, node: nodes.Or) -> AnswerPath:
        left, right = self.path(node.left), self.path(node.right)
        if _is_nothing(right):
            return left
        return AnswerPath(f"{left.inner} || {right.inner}", compound=True)

    def both(self, node: nodes.And) -> AnswerPath:
        left, right = self.path(node.left), self.path(node.right)
        return AnswerPath(f"{left.inner} && {right.inner}", compound=True)

    def negation(self, node: nodes.Not) -> AnswerPath:
        return negated(self.path(node.node))

    def choice(self, node: nodes.CondExpr) -> AnswerPath:
        test, then = self.path(node.test), self.path(node.expr1)
        other = self.path(node.expr2) if node.expr2 else AnswerPath("`null`", is_constant=True)
        if test.is_constant:
            return then if test.constant else other
        both = f"{test.inner} && {then.inner}"
        if _is_nothing(other):
            return AnswerPath(both, compound=True)
        if _is_nothing(then):
            return AnswerPath(f"{negated(test).inner} && {other.inner}", compound=True)
        return AnswerPath(f"{both} || {other.inner}", compound=True)

    def comparison(self, node: nodes.Compare) -> AnswerPath:
        if len(node.ops) != 1:
            raise Refused("a chain of comparisons in a condition of a list")
        operator, left, right = node.ops[0].op, self.path(node.expr), self.path(node.ops[0].expr)
        if operator in ("in", "notin"):
            return self._within(left, right, negated=operator == "notin")
        return AnswerPath(f"{left.inner} {_SIGNS[operator]} {right.inner}", compound=True)

    def _within(self, left: AnswerPath, right: AnswerPath, *, negated: bool) -> AnswerPath:
        """Whether an object has a key, or a constant list or text holds a value."""
        if right.is_constant:
            held = AnswerPath(f"contains({right.text}, {left.text})")
        elif left.is_constant and isinstance(left.constant, str):
            if not re.fullmatch(r"[\w@.$ -]+", left.constant):
                held = AnswerPath(f"contains({right.inner} || '', {left.text})")
            elif right.text == "@":
                held = AnswerPath(f"contains(keys(@), {left.text})")
            else:
                held = AnswerPath(f"contains(keys({right.inner} || `{{}}`), {left.text})")
        else:
            raise Refused("a computed key that is looked for in an answer")
        return AnswerPath(f"!{held.text}") if negated else held

    def test(self, node: nodes.Test) -> AnswerPath:
        value = self.path(node.node)
        name = node.name
        if name in ("none", "undefined"):
            return AnswerPath(f"{value.inner} == `null`", compound=True)
        if name == "defined":
            return AnswerPath(f"{value.inner} != `null`", compound=True)
        if name in ("true", "false"):
            return AnswerPath(f"{value.inner} == `{name}`", compound=True)
        raise Refused(f'the test "is {name}" in a condition of a list')

    def filtered(self, node: nodes.Filter) -> AnswerPath:
        if node.node is None:
            raise Refused("a filter block in a condition of a list")
        value = self.path(node.node)
        if node.name in ("tojson", "list"):
            return value
        if node.name in ("length", "count"):
            return AnswerPath(f"length({value.inner} || `[]`)")
        if node.name in ("default", "d"):
            other = self.path(node.args[0]) if node.args else AnswerPath("``", is_constant=True)
            return (
                value
                if _is_nothing(other)
                else AnswerPath(f"{value.inner} || {other.inner}", compound=True)
            )
        if node.name in ("string", "int"):
            function = "to_string" if node.name == "string" else "to_number"
            return AnswerPath(f"{function}({value.text})")
        if node.name in ("last", "first"):
            return AnswerPath(f"{value.inner}[{-1 if node.name == 'last' else 0}]")
        raise Refused(f'the filter "{node.name}" where a list goes on')

    def item(self, node: nodes.Getitem | nodes.Getattr) -> AnswerPath:
        key = node.attr if isinstance(node, nodes.Getattr) else _key(node.arg)
        return AnswerPath(keyed(self.path(node.node).inner, (key,)))

    def called(self, node: nodes.Call) -> AnswerPath:
        if isinstance(node.node, nodes.Getattr) and node.node.attr == "get" and node.args:
            return AnswerPath(keyed(self.path(node.node.node).inner, (_key(node.args[0]),)))
        raise Refused(_refusal(node))


_RULES: dict[Any, Any] = {
    nodes.Add: AnswerPaths.sum,
    nodes.Or: AnswerPaths.either,
    nodes.And: AnswerPaths.both,
    nodes.Not: AnswerPaths.negation,
    nodes.CondExpr: AnswerPaths.choice,
    nodes.Compare: AnswerPaths.comparison,
    nodes.Test: AnswerPaths.test,
    nodes.Filter: AnswerPaths.filtered,
    nodes.Getitem: AnswerPaths.item,
    nodes.Getattr: AnswerPaths.item,
    nodes.Call: AnswerPaths.called,
}


def negated(found: AnswerPath) -> AnswerPath:
    """The opposite, without two signs that cancel each other."""
    text = found.text
    if found.is_constant:
        return AnswerPath(
            json_literal(not found.constant), constant=not found.constant, is_constant=True
        )
    if text.startswith("!") and not found.compound:
        inner = text[1:]
        return AnswerPath(inner.removeprefix("(").removesuffix(")") if inner[0] == "(" else inner)
    return AnswerPath(f"!{found.inner}")


def keyed(root: str, keys: tuple[str | int, ...]) -> str:
    """A path below another."""
    for key in keys:
        if isinstance(key, int):
            root += f"[{key}]"
            continue
        plain = key.isidentifier() and key.isascii()
        shown = key if plain else json.dumps(key, ensure_ascii=False).replace("`", "\\`")
        root = f"{root}.{shown}" if root else shown
    return root


def json_literal(value: Any) -> str:
    """A constant in JMESPath."""
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return "`" + json.dumps(value).replace("`", "\\`") + "`"


def _key(node: nodes.Node) -> str | int:
    value = getattr(node, "value", None)
    if isinstance(node, nodes.Neg):
        value = -getattr(node.node, "value", 0)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Refused("a computed key in an answer")
    return value


def _is_nothing(found: AnswerPath) -> bool:
    return found.is_constant and found.constant in (None, "", False, {}, [], 0)


def _refusal(node: nodes.Node) -> str:
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
        return f'the method "{node.node.attr}" where a list goes on'
    if isinstance(node, nodes.Name):
        return f'the name "{node.name}" where a list goes on'
    chain = chain_of(node)
    if chain is not None:
        return f'the name "{chain.root}" where a list goes on'
    return f"Jinja's {type(node).__name__.lower()} where a list goes on"
