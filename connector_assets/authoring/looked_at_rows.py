"""What the rows of an answer say of a draft: whether its key is one, and what might be a cursor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jmespath
import msgspec

from connector_assets.authoring.imports.commented import Noted, bare
from connector_assets.authoring.imports.draft import Draft, DraftRemark
from connector_assets.authoring.imports.lists.operation import plain

_CHANGES = ("updatedat", "modifiedat", "lastmodified", "lastupdated", "updated", "modified")
_CREATED = ("createdat", "created", "createdtime")


def with_looked_at_rows(draft: Draft, answers: Sequence[Any]) -> Draft:
    """The draft with keys that stand twice taken out, and a remark on fields that tell what is new.

    `answers` are the data of its endpoints, in turn.
    """
    endpoints = [_value(one) for one in draft.data["endpoints"]]
    by_id = {
        str(bare(one["id"])): rows_at(answer, bare(one.get("responseRowsPath")))
        for one, answer in zip(endpoints, answers, strict=True)
    }
    streams, remarks = [], list(draft.remarks)
    for stream in map(_value, draft.data["read"]["streams"]):
        name = str(bare(stream["name"]))
        rows = by_id.get(str(bare(stream.get("endpoint", name))), [])
        made, says = _looked_at(stream, rows)
        streams.append(made)
        remarks += [DraftRemark(name, field, "question", text) for field, text in says]
    read = {**draft.data["read"], "streams": streams}
    return replace(draft, data={**draft.data, "read": read}, remarks=remarks)


def rows_at(answer: Any, path: Any) -> list[Mapping[str, Any]]:
    """The rows of an answer that are objects."""
    found = jmespath.search(path, answer) if isinstance(path, str) and path != "@" else answer
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _looked_at(
    stream: dict[str, Any], rows: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    says: list[tuple[str, str]] = []
    key = bare(stream.get("primaryKey")) or []
    values = [msgspec.json.encode([row.get(one) for one in key]) for row in rows]
    if key and not stream.get("forEach") and len(set(values)) < len(values):
        told = f"{', '.join(key)} stands twice in {len(rows)} rows: which fields are the key?"
        stream = {name: value for name, value in stream.items() if name != "primaryKey"}
        says.append(("primaryKey", told))
    elif isinstance(stream.get("primaryKey"), Noted) and len(rows) > 1:
        noted = stream["primaryKey"]
        why = f"{noted.why}; another in each of {len(rows)} rows"
        stream = {**stream, "primaryKey": replace(noted, why=why)}
    if "incremental" not in stream and (found := _cursor(rows)):
        field, what = found
        told = f"{field} tells {what}: which parameter asks for rows from it on? say incremental"
        says.append(("incremental", told))
    return stream, says


def _cursor(rows: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """A field that might be a cursor, with what it tells."""
    names = dict.fromkeys(str(name) for row in rows[:100] for name in row)
    for words, what in ((_CHANGES, "when a row changed"), (_CREATED, "when a row was made")):
        found = [name for name in names if plain(name) in words]
        if found:
            return found[0], what
    return None


def _value(one: Any) -> dict[str, Any]:
    return dict(one.value if isinstance(one, Noted) else one)
