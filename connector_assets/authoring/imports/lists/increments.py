"""Which parameter narrows a list to what changed, and which field of a row it goes by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector_assets.authoring.imports.lists.operation import Operation, Param, plain
from connector_assets.authoring.imports.lists.rows import dotted
from connector_assets.authoring.imports.lists.schema import Schemas, View
from connector_assets.authoring.imports.lists.times import (
    is_readable,
    is_time_field,
    is_time_param,
    row_format,
    sent_format,
    stem,
)

_BEGIN = re.compile(
    r"since|after$|after[\])]|gte?[\])]*$|>=?$|^(?:min|start|from|begin|oldest)|_(?:min|start|from|begin|after|gt|gte)$"
    r"|begin_?time$|start_?(?:date|time)$|modified-since$|^from_?date$|from$",
    re.IGNORECASE,
)
_CHANGED = (
    "updated",
    "modified",
    "changed",
    "lastmodified",
    "lastupdated",
    "edited",
    "updat",
    "modif",
)
_MADE = ("created", "creat", "added", "occurred", "posted")


_ENDS = (
    ("after", "before"),
    ("since", "until"),
    ("start", "end"),
    ("Start", "End"),
    ("from", "to"),
    ("From", "To"),
    ("min", "max"),
    ("begin", "end"),
    ("gte", "lt"),
    ("gte", "lte"),
    ("gt", "lt"),
    (">", "<"),
)
"""Words for a begin, and those for its end."""


@dataclass(frozen=True)
class Increment:
    """A drafted `incremental`; `active` where it also finds rows that changed."""

    spec: Mapping[str, Any]
    why: str
    active: bool
    question: str = ""


def increment_of(operation: Operation, row: View, schemas: Schemas) -> Increment | None:
    """The best pair of a parameter and a field; None where there is none."""
    times = {n: schemas.of(row, n) for n in row.properties if is_time_field(n, schemas.of(row, n))}
    usable = {name: view for name, view in times.items() if is_readable(view)}
    if not usable:
        return None
    found = [one for one in map(_begin_of, operation.of("query", "header", "body")) if one]
    made = [one for one in (_paired(p, usable, operation) for p in found) if one]
    return min(made, key=_rank, default=None)


def _rank(one: Increment) -> tuple[bool, bool]:
    return not one.active, bool(one.question)


def _begin_of(param: Param) -> Param | None:
    """The parameter as a begin of time; of an object such as `created[gte]` the part that is it."""
    inner = param.view.properties
    for part in ("gte", "gt", "after", "from", "since", "start"):
        if part in inner and param.place == "query":
            number = "integer" in str(inner[part])
            view = View(types=frozenset({"integer" if number else "string"}), said=param.view.said)
            return Param(f"{param.name}[{part}]", param.place, view, param.text or "a time")
    if not _BEGIN.search(param.name) or param.view.is_array or "boolean" in param.view.types:
        return None
    if param.word == "ifmodifiedsince":
        return param
    named = re.search(
        r"date|time|_at|since|updated|modified|created|changed", param.name, re.IGNORECASE
    )
    if is_time_param(param) or (named and not re.search(r"\bid\b", param.text, re.IGNORECASE)):
        return param
    return None


def _paired(param: Param, times: Mapping[str, View], operation: Operation) -> Increment | None:
    name, asked = _field_for(param, times)
    if name is None:
        return None
    view = times[name]
    spec: dict[str, Any] = {"cursorField": dotted((name,))}
    if written := row_format(view):
        spec["cursorFormat"] = written
    spec["startParam"] = param.name
    if end := _end_of(param, operation):
        spec["endParam"] = end
    if param.place != "query":
        spec["in"] = param.place
    http_date = param.word == "ifmodifiedsince"
    spec["format"] = "%a, %d %b %Y %H:%M:%S GMT" if http_date else sent_format(param)
    changed = any(plain(name).startswith(one) or one in plain(name) for one in _CHANGED)
    why = f"{param.name} takes a time, and rows have {name}"
    question = f"{param.name} may go by another field than {name}" if asked else ""
    return Increment(spec, why, changed, question)


def _field_for(param: Param, times: Mapping[str, View]) -> tuple[str | None, bool]:
    """The field that a parameter goes by, and whether that is to be asked."""
    about = stem(param.name)
    words = {name: plain(name) for name in times}
    found = _called_alike(about, words) or _told(param, about, words)
    if found:
        return found, False
    if any(one in about for one in ("updat", "modif", "creat")):
        return None, False
    for kind in (*_CHANGED, *_MADE):
        for name, word in words.items():
            if kind in word:
                return name, True
    return (next(iter(words)), True) if len(words) == 1 else (None, False)


def _called_alike(about: str, words: Mapping[str, str]) -> str | None:
    """A field that is called like the parameter; a stem of three letters is in anything."""
    if len(about) < 4:  # noqa: PLR2004 - as said
        return None
    alike = [name for name, word in words.items() if word.startswith(about) or stem(name) == about]
    within = [name for name, word in words.items() if about in word]
    return next(iter([*alike, *within]), None)


def _told(param: Param, about: str, words: Mapping[str, str]) -> str | None:
    """A field of the kind that the parameter's text or name speaks of: a change, or a creation."""
    text = f"{param.text} {param.view.text}".lower()
    for kinds, said in ((_CHANGED, ("updat", "modif", "chang", "edit")), (_MADE, ("creat", "add"))):
        if any(one in text or one in about for one in said):
            found = [n for n, word in words.items() if any(kind in word for kind in kinds)]
            if found:
                return found[0]
    return None


def _end_of(param: Param, operation: Operation) -> str | None:
    """The parameter that is called like the begin, with the word for an end in its place."""
    names = {one.name for one in operation.of(param.place)}
    if bracket := re.match(r"(.+)\[(gte?|after|from)\]$", param.name):
        opposite = {"gte": "lt", "gt": "lt", "after": "before", "from": "to"}[bracket[2]]
        whole = f"{bracket[1]}[{opposite}]"
        return whole if whole in names or bracket[1] in names else None
    for begin, end in _ENDS:
        other = param.name.replace(begin, end)
        if other != param.name and other in names:
            return other
    return None
