"""Templates as patterns: what is known is filled in, and what is not is read off a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector_assets.authoring.simulator.wire import CannotSimulate
from connector_assets.spec.templates.template import Template

_EXPRESSION = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")

Known = Mapping[str, str]


def filled(source: str, known: Known) -> str:
    """`source` with its expressions replaced by what is known; CannotSimulate for any other."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in known:
            raise CannotSimulate(f'"{found[0]}" is more than a name whose value is known')
        return known[found[1]]

    return _EXPRESSION.sub(value, source)


@dataclass(frozen=True)
class Pattern:
    """A template's text as a regular expression; `names` are those of its groups in turn."""

    regex: re.Pattern[str]
    names: tuple[str, ...]
    weight: int

    @classmethod
    def of(cls, source: str, known: Known) -> Pattern:
        """The pattern of `source`; names in `known` stand for their values."""
        parts: list[str] = []
        names: list[str] = []
        end = weight = 0
        for found in _EXPRESSION.finditer(source):
            text, expression = source[end : found.start()], found[1]
            end = found.end()
            text += known.get(expression, "")
            parts.append(re.escape(text))
            weight += len(text)
            if expression not in known:
                parts.append("(.*)" if found[0] == source else "(.*?)")
                names.append(expression)
        parts.append(re.escape(source[end:]))
        weight += len(source[end:])
        return cls(re.compile("".join(parts), re.DOTALL), tuple(names), weight)

    @property
    def is_literal(self) -> bool:
        return not self.names

    def read(self, text: str) -> dict[str, str] | None:
        """What the expressions had for values in `text`; None where it does not fit."""
        found = self.regex.fullmatch(text)
        return None if found is None else dict(zip(self.names, found.groups(), strict=True))


def read_tree(wanted: Any, got: Any, known: Known) -> dict[str, str] | None:
    """What the templates in a JSON document had for values; more keys than wanted may be there."""
    if isinstance(wanted, Template | str):
        source = wanted if isinstance(wanted, str) else wanted.source
        return Pattern.of(source, known).read(as_text(got))
    if isinstance(wanted, Mapping):
        fields = got if isinstance(got, Mapping) else {}
        return _all(read_tree(one, fields.get(key), known) for key, one in wanted.items())
    if isinstance(wanted, list | tuple):
        items = got if isinstance(got, list) else []
        items = [*items, *[None] * (len(wanted) - len(items))]
        return _all(read_tree(one, items[n], known) for n, one in enumerate(wanted))
    return {} if as_text(got) == as_text(wanted) else None


def _all(found: Any) -> dict[str, str] | None:
    values: dict[str, str] = {}
    for one in found:
        if one is None:
            return None
        values |= one
    return values


def as_text(value: Any) -> str:
    """A value as a query would write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def leading_name(expression: str) -> str:
    """The name that an expression begins with: `window.start | date('%Y')` is of the window."""
    found = _NAME.match(expression)
    return found[0] if found else ""
