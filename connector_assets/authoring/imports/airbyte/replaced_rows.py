"""Rows that an object within them takes the place of: `DpathFlattenFields` with `replace_record`.

What is added to that object before it takes the row's place is made by the path of the rows, as
it reads what is beside the object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2 import nodes

from connector_assets.authoring.imports.airbyte.answer_paths import (
    AnswerPath,
    AnswerPaths,
    keyed,
)
from connector_assets.authoring.imports.airbyte.jinja_trees import (
    Chain,
    Refused,
    chain_of,
    only_expression,
)

_ENDS = {"endswith": "ends_with", "startswith": "starts_with"}
_REPLACES = "DpathFlattenFields that replaces the row"


@dataclass
class ReplacedRows:
    """The path of rows, the transformations after it, and what differs."""

    rows: str
    steps: list[Any]
    near: list[str] = field(default_factory=list)


def replaced_rows(rows: str, steps: Any, parameters: Mapping[str, Any]) -> ReplacedRows:
    """The path of the objects that take the place of rows; Refused where it cannot say it."""
    listed = steps if isinstance(steps, list) else []
    at = next((at for at, one in enumerate(listed) if _replaces(one)), None)
    if at is None:
        return ReplacedRows(rows, listed)
    keys = tuple(str(one) for one in listed[at].get("field_path") or ())
    if not keys or any(one == "*" or "{{" in one for one in keys):
        raise Refused(_REPLACES)
    made = ReplacedRows(rows, listed[at + 1 :])
    paths = _RowPaths(parameters, made.near)
    inner = keyed("", keys)
    parts = [f"{inner} || @"]
    for step in listed[:at]:
        parts += _added(step, keys, paths)
    merged = f"merge({', '.join(parts)})" if len(parts) > 1 else f"[{inner} || @][]"
    made.rows = f"({rows})[*].{merged}" + ("[]" if len(parts) == 1 else "")
    return made


def _replaces(step: Any) -> bool:
    return (
        isinstance(step, Mapping)
        and step.get("type") == "DpathFlattenFields"
        and step.get("replace_record") in (True, "true", "True")
        and not step.get("key_transformation")
    )


def _added(step: Any, keys: tuple[str, ...], paths: _RowPaths) -> list[str]:
    """Fields that are added to the object, each where its condition holds."""
    if not isinstance(step, Mapping) or step.get("type") != "AddFields":
        raise Refused(f"{_REPLACES} after fields are removed or moved")
    condition = paths.of(step["condition"]) if step.get("condition") else None
    made = []
    for one in step.get("fields") or ():
        path = tuple(map(str, one.get("path") or ()))
        if path[:-1] != keys or "{{" in path[-1]:
            raise Refused(f"{_REPLACES}, with a field beside the object")
        shown = f"{{{keyed('', path[-1:])}: {paths.of(one.get('value')).text}}}"
        inner = f"({keyed('', keys)})"
        test = f"{inner} && {condition.inner}" if condition else inner
        made.append(f"{test} && {shown} || `{{}}`")
    return made


class _RowPaths(AnswerPaths):
    """Expressions over a row, as paths within it."""

    def __init__(self, parameters: Mapping[str, Any], near: list[str]) -> None:
        super().__init__(parameters)
        self.near = near

    def of(self, text: Any) -> AnswerPath:
        node = only_expression(text) if isinstance(text, str) else None
        if node is None:
            raise Refused(f"{_REPLACES}, with a text as a field")
        return self.path(node)

    def path(self, node: nodes.Node) -> AnswerPath:
        chain = chain_of(node)
        if chain is None or chain.root != "record":
            return self._end_of_text(node) or super().path(node)
        found = AnswerPath(keyed("", chain.keys) or "@", chain)
        default = chain.default
        if default is None or isinstance(default, nodes.Dict):
            return found
        return self._or(found, default, chain)

    def _or(self, found: AnswerPath, default: nodes.Expr, chain: Chain) -> AnswerPath:
        try:
            other = self.path(default)
        except Refused:
            self.near.append(f"{chain.keys[-1]} has no value of the clock where the row has none")
            return found
        if other.is_constant and other.constant in (None, False):
            return found
        return AnswerPath(f"not_null({found.text}, {other.text})")

    def _end_of_text(self, node: nodes.Node) -> AnswerPath | None:
        if not isinstance(node, nodes.Call) or not isinstance(node.node, nodes.Getattr):
            return None
        function = _ENDS.get(node.node.attr)
        if function is None or len(node.args) != 1:
            return None
        text, end = self.path(node.node.node), self.path(node.args[0])
        return AnswerPath(f"{function}({text.inner} || '', {end.text})")
