"""Which fields and parameters are times, and how they are written."""

from __future__ import annotations

import re

from connector_assets.authoring.imports.lists.operation import Param, plain
from connector_assets.authoring.imports.lists.schema import View

_NAMED = re.compile(
    r"(?:^|_|[a-z](?=[A-Z]))(?:at|on|date|time|timestamp|datetime|ts|utc)$|^(?:date|time)_|^(?:created|updated"
    r"|modified|changed|timestamp|last_?modified|last_?updated|date[A-Z_]\w*|updatedDateUTC)$",
    re.IGNORECASE,
)
_TIME_TEXT = re.compile(
    r"\b(?:iso[ -]?8601|rfc ?3339|timestamps?|date-?times?|dates?|epoch|unix|time zone|utc|yyyy)\b",
    re.IGNORECASE,
)
_UNIX = re.compile(r"\bunix\b|\bepoch\b|seconds since", re.IGNORECASE)
_MILLIS = re.compile(r"millisecond|\bms\b", re.IGNORECASE)


def is_time_field(name: str, view: View) -> bool:
    """Whether a field of a row is a time one can compare."""
    if view.format in ("date-time", "date", "datetime", "unix-time", "unixtime", "timestamp"):
        return True
    if view.format.startswith(("date-time", "unix")):
        return True
    number_or_text = view.types & {"string", "integer", "number"} or view.is_open or view.is_vague
    return bool(number_or_text) and bool(_NAMED.search(name)) and "boolean" not in view.types


def is_time_param(param: Param) -> bool:
    """Whether a parameter takes a time: by its format, or by what its text says."""
    if param.view.format.startswith(("date", "unix", "timestamp")):
        return True
    return bool(_TIME_TEXT.search(f"{param.text} {param.view.text}")) and not re.search(
        r"\bcursor\b|\bpagina|\bID of\b|\bobject ID\b",
        f"{param.text} {param.view.text}",
        re.IGNORECASE,
    )


def sent_format(param: Param) -> str:
    """How a parameter wants its time, in the terms of `incremental.format`."""
    text = f"{param.text} {param.view.text}"
    if param.view.is_number or _UNIX.search(text) or param.view.format.startswith("unix"):
        return "epoch_ms" if _MILLIS.search(text) else "epoch"
    if param.view.format == "date" or re.search(r"YYYY-MM-DD(?!T|\s*HH)", text):
        return "date"
    return "iso"


def row_format(view: View) -> str | None:
    """What has to be said of how rows write a time; None where it is found out by itself."""
    if "2822" in view.format or "2822" in view.text:
        return "%a, %d %b %Y %H:%M:%S %z"
    return None


def is_readable(view: View) -> bool:
    """Whether a cursor can be compared: `/Date(…)/` cannot."""
    return not view.said.get("x-is-msdate-time") and not view.said.get("x-is-msdate")


def stem(name: str) -> str:
    """What a parameter of time is about: `updated` of `updated_at_begin_time`, `updated[gte]`.

    >>> [stem(one) for one in ("updated_since", "created[gte]", "modifiedAfter", "DateSent>")]
    ['updated', 'created', 'modified', 'datesent']
    """
    word = plain(_FILTER.sub("", _COMPARISON.sub("", name)))
    for _ in range(3):
        if not word.startswith("date"):
            word = _FIRST.sub("", _LAST.sub("", word))
    return word


_COMPARISON = re.compile(r"[\[(.]+(?:gte?|after|from|start|min|since)[\])]*$|>=?$", re.IGNORECASE)
_FILTER = re.compile(r"^filter[\[._]", re.IGNORECASE)
_LAST = re.compile(
    r"(?:since|after|from|begin|start|gte?|min(?:imum)?|datetime|timestamp|time|date|at|on)$"
)
_FIRST = re.compile(r"^(?:min|from|start|begin|after|since|last|if)")
