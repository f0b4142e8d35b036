"""What tools answer, as JSON: typed, bounded in bytes, and faults in the words of the project.

A model reads every byte of an answer and pays for it. So lists and texts come in pieces: what is
left is counted, and the next piece can be asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeVar, cast

from pydantic import ValidationError
from typing_extensions import TypedDict

from connector_assets.errors import ConnectorError, SpecError
from connector_assets.legible import message

MAX_BYTES = 8_000
"""What an answer may have where nobody asks for more."""
LARGEST = 60_000
MAX_FAULTS = 100
MAX_CELL = 500
"""Characters of one text in a row that is shown."""


class ToolAnswer(TypedDict, total=False):
    """`ok` says whether it was done, and `errors` why not, each as `where: what; what to do`."""

    ok: bool
    errors: list[str]


class Checked(ToolAnswer, total=False):
    id: str
    displayName: str


class Linted(ToolAnswer, total=False):
    findings: list[dict[str, Any]]


class ListAnswer(TypedDict, total=False):
    ok: bool
    errors: list[str]
    connectors: list[dict[str, Any]]
    broken: list[dict[str, Any]]
    left: int


class PieceAnswer(ToolAnswer, total=False):
    """A piece of a text, from character `offset`; `next` is where the rest begins, if any."""

    text: str
    offset: int
    next: int
    total: int


class ConnectorAnswer(PieceAnswer, total=False):
    id: str
    streams: list[str]
    sendsTo: list[str]
    reads: list[str]
    missing: list[str]


class PageAnswer(PieceAnswer, total=False):
    url: str
    title: str
    note: str


class DraftAnswer(ToolAnswer, total=False):
    id: str
    summary: str
    yaml: str
    streams: list[dict[str, Any]]
    remarks: list[dict[str, Any]]
    secrets: list[dict[str, str]]
    left: int
    saved: bool
    note: str


class Preview(ToolAnswer, total=False):
    stream: str
    rows: list[dict[str, Any]]
    requests: list[str]
    notes: list[str]
    more: bool


class CheckAnswer(ToolAnswer, total=False):
    message: str
    failed: str
    reads: list[str]
    sendsTo: list[str]


class Trial(ToolAnswer, total=False):
    points: list[dict[str, Any]]
    left: int


class PlanAnswer(ToolAnswer, total=False):
    streams: list[dict[str, Any]]
    requests: int
    certainty: str
    seconds: float


_Told = TypeVar("_Told")


def made(kind: type[_Told], **told: Any) -> _Told:
    """An answer of this kind, from its keys."""
    del kind
    return cast(_Told, told)


def refused(error: ConnectorError) -> dict[str, Any]:
    """Each fault as its path and message; an error that is no fault of a document as one."""
    faults = error.faults if isinstance(error, SpecError) else [error]
    errors = [message(str(fault)) for fault in faults[:MAX_FAULTS]]
    if len(faults) > MAX_FAULTS:
        errors.append(f"and {len(faults) - MAX_FAULTS:,} more faults")
    return {"ok": False, "errors": errors}


def unfit(error: ValidationError) -> list[str]:
    """What is wrong with the arguments of a call; no value is quoted."""
    return [_unfit(one) for one in error.errors(include_url=False, include_input=False)]


def _unfit(fault: Any) -> str:
    where = ".".join(map(str, fault["loc"])) or "arguments"
    said = _WORDS.get(fault["type"])
    return f"{where}: {said.format(**fault.get('ctx', {})) if said else fault['msg'].lower()}"


_WORDS = {
    "missing": "is required",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "list_type": "must be a list",
}


def fitting(items: Iterable[Any], room: int) -> tuple[list[Any], int]:
    """The first items that fit `room` bytes as JSON, and how many are left."""
    kept: list[Any] = []
    left = 0
    for item in items:
        room -= (
            len(json.dumps(item, ensure_ascii=False, default=str).encode("utf-8", "replace")) + 2
        )
        if left or room < 0:
            left += 1
        else:
            kept.append(item)
    return kept, left


def piece(text: str, offset: int, room: int) -> dict[str, Any]:
    """The part of `text` from `offset` on that fits `room` bytes, cut at a line where one ends."""
    offset = min(offset, len(text))
    part = text[offset : offset + room].encode()[:room].decode(errors="ignore")
    end = offset + len(part)
    if end < len(text) and (line := part.rfind("\n") + 1) > len(part) // 2:
        end = offset + line
    told = {"text": text[offset:end], "offset": offset, "total": len(text)}
    return told | ({"next": end} if end < len(text) else {})


def cut(value: Any) -> Any:
    """Plain data whose long texts are cut: a row to look at."""
    if isinstance(value, dict):
        return {key: cut(one) for key, one in value.items()}
    if isinstance(value, list):
        return [cut(one) for one in value]
    long = isinstance(value, str) and len(value) > MAX_CELL
    return f"{value[:MAX_CELL]}…" if long else value
