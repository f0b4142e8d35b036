"""Where a list with cursors ends: a manifest's `stop_condition`, as a path or a page size."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from jinja2 import nodes

from connector_assets.authoring.imports.airbyte.answer_paths import AnswerPath, AnswerPaths, negated
from connector_assets.authoring.imports.airbyte.code import POSTFIX, Const, Value
from connector_assets.authoring.imports.airbyte.expressions import Expressions, Reading
from connector_assets.authoring.imports.airbyte.jinja_trees import (
    Refused,
    chain_of,
    is_plain,
    only_expression,
)

_NO = ("", "False", "false", "0", "{}", "[]", "()", "0.0")


@dataclass(frozen=True)
class Stop:
    """Where a list ends: the condition, and its opposite; `flag` where that is a plain path.

    `short` is the size of a full page, where one with fewer rows is the last.
    """

    condition: AnswerPath | None = None
    goes_on: AnswerPath | None = None
    flag: bool = False
    short: Any = None
    never_goes_on: bool = False


def stop_of(source: Any, reading: Reading, paths: AnswerPaths, rows: str) -> Stop:
    """The end that a condition tells; Refused where a spec has no equal."""
    if source is None or source == "":
        return Stop()
    if isinstance(source, bool):
        return Stop(never_goes_on=source)
    node = only_expression(source) if not is_plain(source) else None
    if node is None or isinstance(node, nodes.Const):
        value = source if node is None else str(getattr(node, "value", ""))
        return Stop(never_goes_on=value.strip() not in _NO)
    if _is_of_link(node):
        return Stop()
    return _short(node, reading, rows) or _by_path(paths.path(node))


def _by_path(condition: AnswerPath) -> Stop:
    if condition.is_constant:
        return Stop(never_goes_on=bool(condition.constant))
    goes_on = negated(condition)
    flag = bool(re.fullmatch(r'[\w.]+|"[^"]+"', goes_on.text))
    return Stop(condition, goes_on, flag=flag)


def _short(node: nodes.Node, reading: Reading, rows: str) -> Stop | None:
    """`last_page_size < n`, and the ends that are told by it."""
    if not isinstance(node, nodes.Compare) or len(node.ops) != 1:
        return None
    chain = chain_of(node.expr)
    if chain is None or chain.root != "last_page_size":
        return None
    size, operator = Expressions(reading).value(node.ops[0].expr), node.ops[0].op
    is_empty = (operator, size) in (("eq", Const(0)), ("lteq", Const(0)), ("lt", Const(1)))
    if is_empty and rows:
        first = AnswerPath(f"({rows})[0]", compound=True)
        return Stop(negated(first), replace(first, compound=False))
    if operator == "lt" and not is_empty:
        return Stop(short=as_number(size))
    raise Refused("a condition on the size of a page")


def _is_of_link(node: nodes.Node) -> bool:
    """Whether a condition looks at the Link header alone, whose end is told by its lack."""
    names = {one.name for one in node.find_all(nodes.Name)}
    names |= {node.name} if isinstance(node, nodes.Name) else set()
    if names != {"headers"}:
        return False
    keys = [chain.keys for one in [node, *node.find_all(nodes.Node)] if (chain := chain_of(one))]
    return any(str(key[0]).lower() == "link" for key in keys if key)


def as_number(value: Value) -> Any:
    """A page size as a pagination takes it: a number, or a template of one."""
    if isinstance(value, Const):
        return int(value.value) if str(value.value).isdigit() else None
    if value.kind == "number" or value.text.endswith("| int"):
        return f"{{{{ {value.text} }}}}"
    shown = value.text.removesuffix(" | default(none)")
    return f"{{{{ {shown if value.level == POSTFIX else f'({shown})'} | int }}}}"
