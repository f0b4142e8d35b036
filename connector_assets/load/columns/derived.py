"""Rows with what only the table's declaration asks for: nested values at the top, digits as served.

Such tables pay about two microseconds a row for it; others are read as they were staged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import msgspec

from connector_assets.errors import LoadError, RowsError
from connector_assets.json_keys import KEY_TWICE_FIX, key_twice
from connector_assets.load.columns.digits import Change
from connector_assets.load.table import Segment, Table
from connector_assets.private import private_file

Row = dict[str, msgspec.Raw]
_ROW = msgspec.json.Decoder(Row)


@contextmanager
def derived(table: Table, segments: Sequence[Segment]) -> Iterator[Sequence[Segment]]:
    """Segments whose rows have declared paths (`address.zip`) as keys.

    A path that is a key of the row itself means that key.
    """
    names = [*table.primary_key, *table.columns]
    paths = {name: parts for name in names if len(parts := path_parts(name)) > 1}
    if not paths:
        yield segments
        return
    with rewritten(segments, _Derive(paths), suffix=".derived") as copies:
        yield copies


@contextmanager
def readable(
    segments: Sequence[Segment], names: Mapping[str, str], changes: Mapping[str, Change]
) -> Iterator[Sequence[Segment]]:
    """Segments whose rows have the columns' names as keys; mostly they have, and are not copied.

    `changes` are what is done to the values of some keys.
    """
    if not changes and all(key == name for key, name in names.items()):
        yield segments
        return
    with rewritten(segments, _Readable(names, changes), suffix=".readable") as copies:
        yield copies


def path_parts(path: str) -> list[str]:
    """The keys of a dotted path; a key with odd characters stands in double quotes.

    >>> path_parts('owner."@id".x')
    ['owner', '@id', 'x']
    """
    parts = re.findall(r'"(?:[^"\\]|\\.)*"|[^."]+', path)
    return [msgspec.json.decode(part) if part.startswith('"') else part for part in parts]


def twice_as_it_came(line: bytes, key: str, number: int) -> bytes:  # noqa: ARG001 # as `Rewrite`
    """A row with a key twice as it came: whoever reads it next will say so."""
    return line.rstrip(b"\n")


class Rewrite(Protocol):
    """What makes one row of another."""

    def __call__(self, row: Row) -> Row: ...

    def twice(self, line: bytes, key: str, number: int) -> bytes:
        """The text of the row of this number that has `key` twice."""
        ...


@dataclass(frozen=True, slots=True)
class _Derive:
    paths: Mapping[str, Sequence[str]]

    def __call__(self, row: Row) -> Row:
        for name, parts in self.paths.items():
            if name not in row and (value := _at(row, parts)) is not None:
                row[name] = value
        return row

    twice = staticmethod(twice_as_it_came)


@dataclass(frozen=True, slots=True)
class _Readable:
    names: Mapping[str, str]
    changes: Mapping[str, Change]

    def __call__(self, row: Row) -> Row:
        return {
            self.names[key]: self.changes[key](value) if key in self.changes else value
            for key, value in row.items()
        }

    def twice(self, line: bytes, key: str, number: int) -> bytes:  # noqa: ARG002 # as `_Derive`
        """Raise RowsError: as a dict the row would lose one of the values in silence."""
        raise RowsError(f'row {number} has the key "{key[:60]}" twice', fix=KEY_TWICE_FIX)


@contextmanager
def rewritten(
    segments: Sequence[Segment], change: Rewrite, *, suffix: str
) -> Iterator[list[Segment]]:
    """Copies with each row changed, beside the segments; they are gone at the end."""
    copies: list[Segment] = []
    try:
        for segment in segments:
            if segment.format != "ndjson":
                copies.append(segment)
                continue
            path = segment.path.with_name(segment.path.name + suffix)
            copies.append(replace(segment, path=path))
            copies[-1] = _rewrite(segment, path, change, sum(one.rows for one in copies[:-1]))
        yield copies
    finally:
        for copy in copies:
            if copy.path.suffix == suffix:
                copy.path.unlink(missing_ok=True)


def _rewrite(segment: Segment, path: Path, change: Rewrite, before: int) -> Segment:
    """The file that `path` becomes; `before` rows came before those of the segment."""
    encode, decode = msgspec.json.Encoder().encode, _ROW.decode
    with segment.path.open("rb") as rows, private_file(path, "wb") as out:
        for number, line in enumerate(rows, before + 1):
            try:
                key = key_twice(line)
                out.write(change.twice(line, key, number) if key else encode(change(decode(line))))
                out.write(b"\n")
            except (msgspec.MsgspecError, UnicodeDecodeError, OSError) as error:
                kind = LoadError if isinstance(error, OSError) else RowsError
                raise kind(f"row {number} cannot be read: {error}", where=str(path)) from error
        size = out.tell()
    return replace(segment, path=path, bytes=size, profile=None)


def _at(row: Row, parts: Sequence[str]) -> msgspec.Raw | None:
    value = row.get(parts[0])
    for part in parts[1:]:
        if value is None or bytes(value)[:1] != b"{":
            return None
        value = _ROW.decode(value).get(part)
    return value
