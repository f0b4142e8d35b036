"""What `schemaPolicy` freeze and quarantine forbid: rows that would change the table's columns.

A destination raises `Misfit` with a judge of rows. Under freeze the first row judged unfit is the
error; under quarantine unfit rows are set aside, with the reason, and the others are loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import Any

import msgspec

from connector_assets.errors import SchemaError
from connector_assets.json_keys import key_twice, key_twice_within
from connector_assets.load.columns.plan import KeyColumn, PlannedColumn
from connector_assets.load.columns.profile import decode_row
from connector_assets.load.columns.times import shape_of
from connector_assets.load.kinds import NOTHING, Kind, column_type, kind_of
from connector_assets.load.table import Segment, Table
from connector_assets.private import private_file

Judge = Callable[[int, bytes], str | None]
"""Given a row's number, from 1, and its text: why it does not fit, or None."""


class Misfit(Exception):
    """Some rows do not fit the columns; `judge` says which and why."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        super().__init__("rows do not fit the table's columns")


def allowed(table: Table, planned: Sequence[PlannedColumn]) -> Sequence[PlannedColumn]:
    """The plan; raises Misfit if it adds or widens a column of a table that has some.

    Where that is forbidden, a key that is null in all rows adds no column: it would be open to
    values of any type later.
    """
    if table.reject and any(item.column.key == table.reject for item in planned):
        raise Misfit(Marked(table.reject))
    if table.schema_policy == "evolve" or all(item.before is None for item in planned):
        return planned
    changed = {
        item.column.key: item.before
        for item in planned
        if item.column.kinds != NOTHING
        and not item.column.fixed
        and item.column.type != (item.before.type if item.before else None)
        and (item.before is None or item.before.kinds != NOTHING)
    }
    if changed and table.on_misfit == "drop":
        planned = [_held(item) if item.column.key in changed else item for item in planned]
    elif changed:
        raise Misfit(_Changes(changed, table))
    return [item for item in planned if item.before or _is_asked_for(item.column, table)]


def left_out(
    planned: Sequence[PlannedColumn], kinds: Mapping[str, Kind], segments: Sequence[Segment]
) -> dict[str, int]:
    """How many values rows have under keys that no column is planned for."""
    there = {item.column.key for item in planned}
    counts = {key: 0 for key, found in kinds.items() if key not in there and found != NOTHING}
    lines = [one for one in segments if counts and one.format == "ndjson"]
    for number, line in enumerate(_lines(lines), 1):
        row = decode_row(line, number, where="")
        for key in counts:
            counts[key] += row.get(key) is not None
    return counts


def _held(item: PlannedColumn) -> PlannedColumn:
    """A column as it is now; one that is new has no value that is kept."""
    return replace(item, column=item.before, held=True) if item.before else item


def _is_asked_for(column: KeyColumn, table: Table) -> bool:
    return column.fixed or column.key in table.primary_key


@dataclass(frozen=True, slots=True)
class Numbered:
    """Judges rows that the destination found by number, each with its reason."""

    reasons: Mapping[int, str]

    def __call__(self, number: int, line: bytes) -> str | None:  # noqa: ARG002 # a Judge
        return self.reasons.get(number)


@dataclass(frozen=True, slots=True)
class HasNul:
    """Judges rows with U+0000 in a text or a key, for stores that cannot hold it; says where."""

    def __call__(self, number: int, line: bytes) -> str | None:  # a Judge
        if b"\\u0000" not in line:
            return None
        for key, value in decode_row(line, number, where="").items():
            if _has_nul(key) or _has_nul(value):
                name = key.replace("\0", "\\u0000")[:60]
                return f'column "{name}" has a NUL character (U+0000), which this store cannot hold'
        return None


@dataclass(frozen=True, slots=True)
class KeyTwice:
    """Judges rows that have one key twice: which value counts, nobody can say.

    With `within` so are those with such an object in them, which stores of texts keep as it is.
    """

    within: bool = False

    def __call__(self, number: int, line: bytes) -> str | None:  # noqa: ARG002 # a Judge
        twice = key_twice_within(line) if self.within else key_twice(line)
        return None if twice is None else f'it has the key "{twice[:60]}" twice'


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(one) for pair in value.items() for one in pair)
    return isinstance(value, list) and any(map(_has_nul, value))


@dataclass(frozen=True, slots=True)
class Marked:
    """Judges rows that the reader marked, with the reason."""

    key: str

    def __call__(self, number: int, line: bytes) -> str | None:
        if self.key.encode() not in line:
            return None
        reason = decode_row(line, number, where="").get(self.key)
        return None if reason is None else str(reason)


@dataclass(frozen=True, slots=True)
class MissingKey:
    """Judges rows whose primary key is null or missing."""

    table: Table

    def __call__(self, number: int, line: bytes) -> str | None:
        row = decode_row(line, number, where=f"{self.table.schema}.{self.table.name}")
        for key in self.table.primary_key:
            if row.get(key) is None:
                return f'no key: "{key}" is null or missing'
        return None


@dataclass(frozen=True, slots=True)
class _Changes:
    columns: Mapping[str, KeyColumn | None]
    table: Table

    def __call__(self, number: int, line: bytes) -> str | None:
        row = decode_row(line, number, where=f"{self.table.schema}.{self.table.name}")
        for key, before in self.columns.items():
            value = row.get(key)
            if value is not None and not _fits(value, before):
                return _reason(key, value, before)
        return None


def _fits(value: Any, column: KeyColumn | None) -> bool:
    if column is None:
        return False
    if column.shape:
        return isinstance(value, str) and _is_time(value, column.shape)
    return column_type(column.kinds | kind_of(value)) == column_type(column.kinds)


def _is_time(text: str, shape: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return shape_of(text) == shape and text[11:13] != "24"


def _reason(key: str, value: Any, column: KeyColumn | None) -> str:
    if column is None:
        return f'new column "{key[:60]}"'
    return f'column "{key[:60]}" is {column.type.lower()}, the value is {_word(kind_of(value))}'


def _word(kind: Kind) -> str:
    if kind & (Kind.INTEGER | Kind.INTEGER_64 | Kind.INTEGER_128 | Kind.INTEGER_ANY):
        return "an integer"
    return _WORDS.get(kind, "a number")


_WORDS = {
    Kind.BOOLEAN: "a boolean",
    Kind.FLOAT_ANY: "a number beyond a double",
    Kind.TEXT: "a text",
    Kind.NESTED: "an object or a list",
}


def first_misfit(table: Table, segments: Sequence[Segment], judge: Judge) -> SchemaError:
    """The error that names the first row judged unfit."""
    where = f"{table.schema}.{table.name}"
    if any(segment.format != "ndjson" for segment in segments):
        return SchemaError("its columns changed", where=where, fix="set schemaPolicy to evolve")
    for number, line in enumerate(_lines(segments), 1):
        if reason := judge(number, line):
            return SchemaError(
                f"row {number}: {reason}",
                where=where,
                fix="set schemaPolicy to evolve or quarantine, or declare the column",
            )
    raise AssertionError("a plan changed columns that no row changes")


@dataclass(frozen=True, slots=True)
class Split:
    """The rows that fit, and the others as rows of the table of rejects."""

    accepted: Sequence[Segment]
    rejected: Segment


@contextmanager
def split(
    segments: Sequence[Segment], judges: Sequence[Judge], staged: Sequence[Segment]
) -> Iterator[Split]:
    """Set aside rows that a judge finds unfit, as they were `staged`, line by line."""
    first = segments[0]
    if any(segment.format != "ndjson" for segment in segments):
        raise SchemaError("quarantine is for JSON rows only", fix="set schemaPolicy to evolve")
    accepted = first.path.with_name(first.path.name + ".accepted")
    rejected = first.path.with_name(first.path.name + ".rejected")
    seen = [count(1) for _ in judges]
    rows = [0, 0]
    try:
        with private_file(accepted, "wb") as good, private_file(rejected, "wb") as bad:
            rows_in = zip(_paged(segments), _lines(staged), strict=True)
            for number, ((page, line), row) in enumerate(rows_in, 1):
                reason = _first_reason(judges, seen, line)
                rows[reason is not None] += 1
                if reason is None:
                    good.write(line)
                else:
                    bad.write(_rejected(_unmarked(row, judges), reason, number, page))
            sizes = good.tell(), bad.tell()
        yield Split(
            [Segment(accepted, rows[0], sizes[0], load_id=first.load_id)],
            Segment(rejected, rows[1], sizes[1], load_id=first.load_id),
        )
    finally:
        accepted.unlink(missing_ok=True)
        rejected.unlink(missing_ok=True)


def _first_reason(
    judges: Sequence[Judge], seen: Sequence[Iterator[int]], line: bytes
) -> str | None:
    """Each judge sees, and counts, what those before it accepted."""
    reasons = (judge(next(number), line) for judge, number in zip(judges, seen, strict=True))
    return next(filter(None, reasons), None)


def _rejected(line: bytes, reason: str, number: int, page: int) -> bytes:
    head = msgspec.json.encode({"reason": reason, "row_number": number, "page": page})
    return b'%s,"row":%s}\n' % (head[:-1], line.rstrip(b"\n"))


def _unmarked(row: bytes, judges: Sequence[Judge]) -> bytes:
    """`row` as it came, without a mark, which stands at its end."""
    for judge in judges:
        if isinstance(judge, Marked):
            head, mark, _ = row.rpartition(b'"%b":' % judge.key.encode())
            row = head.rstrip(b",") + b"}" if mark else row
    return row


def _lines(segments: Sequence[Segment]) -> Iterator[bytes]:
    for segment in segments:
        with segment.path.open("rb") as lines:
            yield from lines


def _paged(segments: Sequence[Segment]) -> Iterator[tuple[int, bytes]]:
    """Each row with the number of its batch, from 1."""
    pages = (rows for segment in segments for rows in segment.batches or (segment.rows,))
    page, left = 0, 0
    for line in _lines(segments):
        while not left:
            page, left = page + 1, next(pages)
        left -= 1
        yield page, line
