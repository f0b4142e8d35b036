"""Where a body has its rows, and what it is without them.

    {"data": [{"id": 1}, {"id": 2}], "next": "c2"}
    {"data": [], "next": "c2"}                      the envelope

One pass finds the rows, in a type that has only the keys that lead to them. To tell what stands
beside them would take another over all of it, so their place is looked for as a text: their key,
and a list written as they are. Such a text is a list, if perhaps another one with the same rows.
It is theirs if their path leads to an empty list in the envelope, where it led to rows before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from connector_assets.errors import ResponseError
from connector_assets.runtime.body.json_document import JsonDocument
from connector_assets.spec.names.paths import dotted

_EMPTY = b"[]"
# How often the key of the rows may stand before a list that is not theirs.
_TRIES = 4
_COMMA = re.compile(rb"[ \t\r\n]*+,[ \t\r\n]*+")
_END = re.compile(rb"[ \t\r\n]*+\]")
# Keys that msgspec does not take as a field's name.
_UNNAMEABLE = re.compile(r"[\\\x00-\x1f\"]")
# What an expression needs to reach a value whose key it does not name.
_REACHES_ALL = frozenset("@*(`\\")


class Span(NamedTuple):
    """The text of a list, its elements, and the document without them."""

    text: bytes
    rows: Sequence[msgspec.Raw]
    envelope: JsonDocument


def find_rows(text: bytes, keys: tuple[str, ...]) -> Span | None:
    """The list at `keys` if it has elements; None where it takes a closer look to tell."""
    rows = _elements(text, keys)
    first = bytes(rows[0]) if rows else b""
    for begins in islice(_begins(keys[-1]).finditer(text), _TRIES if rows else 0):
        start, at = begins.start(1), begins.end()
        if not text.startswith(first, at):
            continue
        comma = _COMMA.match(text, at + len(first))
        joined = (comma[0] if comma else b",").join(rows)
        end = _END.match(text, at + len(joined))
        if end and text.startswith(joined, at):
            envelope = b"%b%b%b" % (text[:start], _EMPTY, text[end.end() :])
            if _is_empty_at(keys, rest := JsonDocument(envelope)):
                return Span(joined, rows, rest)
    return None


def _elements(text: bytes, keys: tuple[str, ...]) -> list[msgspec.Raw]:
    """The elements of the list at `keys`, nothing where there is none."""
    decoder = _decoder(keys)
    if decoder is None:
        return []
    try:
        found = decoder.decode(text)
        for _ in keys:
            found = found.at
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
    rows: list[msgspec.Raw] = found
    return rows


@lru_cache(maxsize=256)
def _decoder(keys: tuple[str, ...]) -> msgspec.json.Decoder[Any] | None:
    if any(map(_UNNAMEABLE.search, keys)):
        return None
    type_: Any = list[msgspec.Raw]
    for key in reversed(keys):
        type_ = msgspec.defstruct("Level", [("at", type_, msgspec.field(name=key))])
    return msgspec.json.Decoder(type_)


@lru_cache(maxsize=256)
def _begins(key: str) -> re.Pattern[bytes]:
    space, name = rb"[ \t\r\n]*+", re.escape(msgspec.json.encode(key))
    return re.compile(rb"%b%b:%b(\[)%b" % (name, space, space, space))


def _is_empty_at(keys: tuple[str, ...], envelope: JsonDocument) -> bool:
    try:
        return envelope.walk(keys) == _EMPTY
    except ResponseError:  # a key comes twice
        return False


@lru_cache(maxsize=4096)
def in_last_row(path: str, keys: tuple[str, ...]) -> str | None:
    """What `path` asks of the last of the rows at `keys`, where it is plainly that.

    >>> in_last_row("data[-1].owner.id", ("data",))
    'owner.id'
    """
    shown = ".".join(keys)
    within = path.removeprefix(f"{shown}[-1].")
    is_plain = within != path and (dotted(shown) or ()) == keys
    return within if is_plain and dotted(within) else None


@lru_cache(maxsize=4096)
def may_see_rows(path: str, keys: tuple[str, ...]) -> bool:
    """Whether `path` may lead to the rows at `keys`, or through them."""
    plain = dotted(path)
    if plain:
        return keys[: len(plain)] == plain
    return not keys or keys[0] in path or bool(_REACHES_ALL.intersection(path))
