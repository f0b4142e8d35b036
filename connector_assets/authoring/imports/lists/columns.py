"""Columns of a table, by what the schema says of a row: a type only where that is sure."""

from __future__ import annotations

import re
from typing import Any

from connector_assets.authoring.imports.lists.schema import Schemas, View

LONGEST_TEXT = 100
_MARKS = re.compile(
    r"<[^>]{0,200}>|[`*_#]{1,3}(?=\S)|(?<=\S)[`*]{1,3}|\[([^\]]{0,200})\]\([^)]{0,500}\)"
)
_SAFE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,100}")


def columns_of(row: View, schemas: Schemas, *, texts: bool = True) -> dict[str, Any]:
    """The columns by name, as `{id: bigint, created: {type: timestamp, description: …}}`."""
    columns: dict[str, Any] = {}
    lower: set[str] = set()
    for name in row.properties:
        if not _SAFE.fullmatch(name) or name.lower() in lower:
            continue
        lower.add(name.lower())
        view = schemas.of(row, name)
        kind, text = type_of(view), phrase(view.said.get("description")) if texts else ""
        if text:
            columns[name] = {"type": kind, "description": text} if kind else {"description": text}
        elif kind:
            columns[name] = kind
    return columns


def type_of(view: View) -> str | None:
    """The type of a column; None where what comes decides."""
    if view.choice or len(view.types) > 1:
        return None
    if view.is_object or view.is_array:
        return "json" if view.types and not view.is_vague else None
    if "string" in view.types:
        return _TEXTS.get(view.format, "text" if not view.format or view.format in _PLAIN else None)
    if "integer" in view.types:
        # A time in unix seconds is declared as integer and date-time at once.
        return "bigint" if not view.format or view.format in ("int32", "int64") else None
    if "boolean" in view.types:
        return "boolean"
    return "double" if "number" in view.types else None


_TEXTS = {"date-time": "timestamp", "date": "date"}
_PLAIN = frozenset(
    ("uuid", "uri", "url", "email", "string", "uri-reference", "hostname", "password")
)


def phrase(text: Any) -> str:
    """The first sentence of a vendor's text, without its marks, if it is short enough."""
    if not isinstance(text, str):
        return ""
    flat = " ".join(_MARKS.sub(lambda found: found[1] or "", text[:1_000]).split())
    first = re.split(r"(?<=[^.A-Z])\.(?:\s|$)|\n", flat, maxsplit=1)[0].strip(" .")
    if len(first) <= LONGEST_TEXT:
        return first
    return first[: LONGEST_TEXT - 1].rsplit(" ", 1)[0] + "…"
