"""What a page shows in code and tables: JSON samples, HTTP messages, parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connector_assets.authoring.imports.lists.operation import Param
from connector_assets.authoring.imports.lists.schema import View

_STATUS = re.compile(r"HTTP/[\d.]+ (\d{3})")
_REQUEST = re.compile(r"(GET|POST) (\S+) HTTP/[\d.]+\s*$")
_COMMENT = re.compile(r"^\s*(?://|#).*$|(?<=[,\[{\]}\"\d])\s+//.*$", re.MULTILINE)
_LEFT_OUT = re.compile(r",?\s*(?:\.\.\.|…)\s*(?=[\]},\n]|$)")
_ITEM = re.compile(
    r"[-*] `?([A-Za-z$][\w\[\].$-]*)`?\s*(?:\(([^)]*)\))?\s*(?::|-|\u2013|\u2014)\s*(.+)"
)
_DEFAULT = re.compile(r"\bdefaults?(?: is| to| value)?:?\s+`?(\w+)`?", re.IGNORECASE)
_NAMES = frozenset(("parameter", "parameters", "name", "argument", "query parameter", "param"))
_ANSWERED = frozenset(("field", "attribute", "property", "column"))


@dataclass(frozen=True)
class Message:
    """An HTTP answer as a page shows it: its status, headers in lower case, and JSON body."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = ...


def sample(code: str) -> Message | None:
    """The answer that a piece of code shows; None where it shows none."""
    status, headers, body = 200, {}, code
    found = _STATUS.match(code)
    if found:
        head, _, body = code.partition("\n\n")
        status, headers = int(found[1]), dict(_headers(head))
    elif code[:1] not in ("{", "["):
        only = dict(_headers(code))
        return Message(headers=only) if "link" in only else None
    data = _json(body)
    return Message(status, headers, data) if found or data is not ... else None


def request(code: str) -> tuple[str, str, dict[str, str]] | None:
    """The method, target and headers of an HTTP request in code."""
    first, _, rest = code.partition("\n")
    found = _REQUEST.match(first)
    return (found[1], found[2], dict(_headers(rest, lower=False))) if found else None


def params_of(table: str) -> list[Param]:
    """The parameters that a table describes; none where it describes something else."""
    rows = [_cells(line) for line in table.splitlines()]
    if len(rows) < 2 or not rows[0]:  # noqa: PLR2004 - a head and a row
        return []
    head = [one.lower().strip("` ") for one in rows[0]]
    if head[0] in _ANSWERED or head[0] not in _NAMES:
        return []
    kept = [row for row in rows[1:] if row and not _is_rule(row)]
    return [_param(dict(zip(head, row, strict=False))) for row in kept]


def param_of(text: str) -> Param | None:
    """The parameter that a line of a list describes, as "`limit` (integer): at most 100"."""
    found = _ITEM.match(text)
    if found is None or " " in found[1]:
        return None
    kind = found[2] or ""
    return _made(found[1], kind, found[3], required="required" in kind.lower())


def _param(row: Mapping[str, str]) -> Param:
    name = next(iter(row.values()))
    word = re.match(r"`?([^`\s(]+)`?", name)
    text = row.get("description") or row.get("meaning") or list(row.values())[-1]
    needed = row.get("required", "").strip().lower() in ("yes", "true", "required")
    return _made(word[1] if word else name, row.get("type", ""), text, required=needed)


def _made(name: str, kind: str, text: str, *, required: bool) -> Param:
    number = bool(re.search(r"int|number", kind, re.IGNORECASE))
    said: dict[str, Any] = {"description": text}
    if found := _DEFAULT.search(text):
        said["default"] = int(found[1]) if found[1].isdigit() else found[1]
    if re.search(r"date|time", kind, re.IGNORECASE):
        said["format"] = "date" if kind.strip().lower() == "date" else "date-time"
    view = View(types=frozenset({"integer" if number else "string"}), said=said)
    return Param(name, "query", view, text=text, required=required)


def _cells(line: str) -> list[str]:
    return [one.strip() for one in line.strip().strip("|").split("|")]


def _is_rule(row: list[str]) -> bool:
    return all(re.fullmatch(r":?-+:?", one) for one in row)


def _headers(text: str, *, lower: bool = True) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and re.fullmatch(r"[A-Za-z][\w-]{0,60}", name):
            yield (name.lower() if lower else name), value.strip()


def _json(text: str) -> Any:
    """The data of a sample, of which parts may be left out by dots or explained; `...` for none."""
    for form in (text, _LEFT_OUT.sub("", _COMMENT.sub("", text))):
        try:
            return json.loads(form)
        except (ValueError, RecursionError):
            continue
    return ...
