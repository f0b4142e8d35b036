"""What staged rows hold: every key, and the kinds of value under it, from all rows, not a sample.

The typical page holds nothing new. So rows are decoded into a msgspec Struct that accepts just what
has been seen so far (1.4 million rows a second, no objects kept); only where that fails is a chunk
decoded into dicts and learned from (0.2 million).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from connector_assets import limits
from connector_assets.errors import LoadError, RowsError
from connector_assets.load.columns.digits import as_double, has_long, may_be_tiny
from connector_assets.load.columns.profile_parquet import meant_types, parquet_kinds, parquet_types
from connector_assets.load.columns.times import shape_of
from connector_assets.load.kinds import (
    EXACT_IN_DOUBLE,
    NOTHING,
    WHOLE,
    Kind,
    Profile,
    is_settled,
    kind_of,
    settles_floats,
)
from connector_assets.load.table import Segment

# A chunk is learned from as a whole; objects of a larger one take new memory from the system.
_CHUNK, _READ = 1 << 16, 1 << 20
# A Struct looks its fields up one by one: with more, dicts are faster.
_MOST_FIELDS = 300
# Of more columns it takes longer to look for 0 than to look at their text.
_FEW_FLOATS = 8
# Keys that msgspec does not take as a field's name.
_UNNAMEABLE = re.compile(r"[\\\x00-\x1f\"]")
_DIGITS = 60
_RAW_ROWS = msgspec.json.Decoder(dict[str, msgspec.Raw])
# Surely of 128 bits; what has a digit more is looked at in full.
_HUGE = re.compile(rb"-?[0-9]{1,38}|null")


def profile(segments: Sequence[Segment], *, where: str) -> Profile:
    """What all rows hold: as staging knows it, else each is read once.

    Raises LoadError naming the row that is not a JSON object.
    """
    found = Profile()
    _learn_parquet(found, [segment for segment in segments if segment.format == "parquet"])
    for segment in segments:
        if segment.format == "ndjson":
            found.add(segment.profile or _read(segment, found.rows, where))
    return found


def _read(segment: Segment, before: int, where: str) -> Profile:
    profiler = Profiler(where=where, before=before)
    for chunk in chunks(segment):
        profiler.add(chunk)
    return profiler.found


class Profiler:
    """Learns rows as they come: `found` is what they hold. `before` rows came earlier.

    Raises LoadError naming the row that is not a JSON object; what is `found` is then worth
    nothing.
    """

    def __init__(self, *, where: str, before: int = 0) -> None:
        self.found = Profile()
        self._where, self._before = where, before
        self._known: _Known | None = None

    def add(self, lines: bytes) -> None:
        """Learn whole lines, a chunk at a time."""
        start = 0
        while start < len(lines):
            end = lines.find(b"\n", start + _CHUNK - 1) + 1 or len(lines)
            self._take(lines[start:end])
            start = end

    def _take(self, chunk: bytes) -> None:
        found = self.found
        found.longest = max(found.longest, len(chunk))
        if self._known is not None and (rows := self._known.count(chunk)) is not None:
            found.rows += rows
            found.has_long = found.has_long or self._known.has_long
            return
        before = dict(found.kinds)
        _learn(found, chunk, self._before, self._where)
        settles = any(settles_floats(kinds, found.kinds[key]) for key, kinds in before.items())
        found.has_long = found.has_long or settles or _has_long(found, chunk)
        self._known = _Known.of(found)


def _learn_parquet(found: Profile, segments: Sequence[Segment]) -> None:
    if not segments:
        return
    meant = meant_types(segments)
    for key, type_ in {**parquet_types(segments), **meant}.items():
        kinds = parquet_kinds(type_)
        found.kinds[key] = found.kinds.get(key, NOTHING) | (kinds or NOTHING)
        found.shapes[key] = None
        if kinds is None:
            found.types[key] = type_
    found.rows += sum(segment.rows for segment in segments)


def chunks(segment: Segment) -> Iterator[bytes]:
    """Whole lines, about a megabyte at a time."""
    with segment.path.open("rb") as file:
        left = segment.bytes
        while left:
            chunk = file.read(min(_READ, left))
            if not chunk:
                raise LoadError("staging: rows are missing", where=str(segment.path))
            chunk += file.readline() if not chunk.endswith(b"\n") else b""
            left -= len(chunk)
            yield chunk


def _learn(found: Profile, chunk: bytes, before: int, where: str) -> None:
    kinds, shapes, most = found.kinds, found.shapes, limits.most_columns()
    for line in chunk.removesuffix(b"\n").split(b"\n"):
        row = decode_row(line, before + found.rows + 1, where=where)
        for key, value in row.items():
            kinds[key] = kinds.get(key, NOTHING) | kind_of(value)
            if type(value) is str and shapes.get(key, "") is not None:
                shape = shape_of(value)
                shapes[key] = shape if shapes.get(key, shape) == shape else None
        if len(kinds) > most:
            raise RowsError(
                f"the rows have more than {most:,} keys, and each would be a column",
                where=where,
                fix=f"keep such an object in one field, or {limits.raise_columns()}",
            )
        found.rows += 1


def _has_long(found: Profile, chunk: bytes) -> bool:
    """Whether a column that may hold anything has a long number in these lines.

    In other columns it is a number like any other, though most often it is there that one is.
    """
    keys = [key for key, kinds in found.kinds.items() if is_settled(kinds)]
    if not keys or not has_long(chunk):
        return False
    try:
        rows = _RAW_ROWS.decode_lines(chunk)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return True  # what only Python's parser takes is not looked at again
    return any(has_long(b":" + row[key]) for row in rows for key in keys if key in row)


def decode_row(line: bytes, number: int, *, where: str) -> dict[str, Any]:
    """A row as a dict; LoadError names its number where it is not one."""
    row = _decode(line, number, where)
    if type(row) is not dict:
        raise LoadError(f"row {number} is not an object", where=where)
    return row


def _decode(line: bytes, number: int, where: str) -> Any:
    if not may_be_tiny(line):
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return msgspec.json.decode(line)
    # What msgspec refuses, but JSON allows: numbers of any size. What is tiny it takes for 0.
    try:
        row = json.loads(
            line.decode(), parse_int=_integer, parse_float=as_double, parse_constant=_not_json
        )
        str(row).encode()  # fails on half a character, as "\\ud800" alone
    except (ValueError, RecursionError) as error:
        raise LoadError(f"row {number} is not JSON: {error}", where=where) from error
    return row


def _integer(text: str) -> int:
    # Python refuses integers of more than 4300 digits; that it is beyond 128 bits is all we need.
    return int(text) if len(text) < _DIGITS else 10**_DIGITS


def _not_json(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


@dataclass(frozen=True, slots=True)
class _Known:
    """What rows hold that hold nothing new; `huge` reads the columns to be looked at besides.

    `floats` reads those of floats. `any_json` reads those that may hold anything; `long` gets an
    item once one has a long number.
    """

    decoder: msgspec.json.Decoder[Any]
    huge: Sequence[Callable[[Any], Any]]
    floats: Sequence[Callable[[Any], Any]]
    any_json: Sequence[Callable[[Any], Any]]
    long: list[bool]

    @property
    def has_long(self) -> bool:
        return bool(self.long)

    @classmethod
    def of(cls, found: Profile) -> _Known | None:
        """All that was found so far, None where a Struct cannot say it."""
        if len(found.kinds) > _MOST_FIELDS or any(_UNNAMEABLE.search(key) for key in found.kinds):
            return None
        fields = [
            (
                f"f{number}",
                _accepted(kinds, found.shapes.get(key)),
                msgspec.field(default=None, name=key),
            )
            for number, (key, kinds) in enumerate(found.kinds.items())
        ]
        huge = [
            attrgetter(f"f{number}")
            for number, kinds in enumerate(found.kinds.values())
            if _is_huge(kinds)
        ]
        floats = [
            attrgetter(f"f{number}")
            for number, kinds in enumerate(found.kinds.values())
            if kinds & Kind.FLOAT and not is_settled(kinds)
        ]
        any_json = [
            attrgetter(f"f{number}")
            for number, kinds in enumerate(found.kinds.values())
            if is_settled(kinds) and not found.has_long
        ]
        row = msgspec.defstruct("Row", fields, forbid_unknown_fields=True, gc=False)
        return cls(msgspec.json.Decoder(row), huge, floats, any_json, [])

    def count(self, chunk: bytes) -> int | None:
        """The rows of `chunk`, None if there is something new in one."""
        try:
            rows = self.decoder.decode_lines(chunk)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        # What no double but 0 is near to is read as 0.
        may_be = len(self.floats) > _FEW_FLOATS or any(0 in map(one, rows) for one in self.floats)
        if may_be and may_be_tiny(chunk):
            return None
        for column in self.huge:
            if not all(_HUGE.fullmatch(raw) for raw in map(column, rows) if raw is not None):
                return None
        for column in self.any_json if not self.long else ():
            if has_long(b",".join(chain((b"",), filter(None, map(column, rows))))):
                self.long.append(True)
                break
        return len(rows)


def _accepted(kinds: Kind, shape: str | None) -> Any:
    if is_settled(kinds) or _is_huge(kinds):
        return msgspec.Raw
    if shape and kinds == Kind.TEXT:
        # The length is free to test here; the rest of the shape the destination tests.
        return Annotated[str, Meta(min_length=len(shape), max_length=len(shape))] | None
    if kinds & WHOLE:
        type_: Any = _EXACT if kinds & WHOLE == Kind.INTEGER else _INTEGER_64
        return type_ | float | None if kinds & Kind.FLOAT else type_ | None
    return _ACCEPTED[kinds]


def _is_huge(kinds: Kind) -> bool:
    """Whether a column has integers that msgspec cannot test: it knows bounds of 64 bits only."""
    return bool(kinds & Kind.INTEGER_128) and not is_settled(kinds)


_EXACT = Annotated[int, Meta(ge=-EXACT_IN_DOUBLE, le=EXACT_IN_DOUBLE)]
_INTEGER_64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_ACCEPTED: dict[Kind, Any] = {
    NOTHING: None,
    Kind.BOOLEAN: bool | None,
    # With float alone, msgspec would turn any integer into one.
    Kind.FLOAT: _EXACT | float | None,
    Kind.TEXT: str | None,
}
