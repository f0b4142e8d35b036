"""Rows that are always the same, with every field that the spec's streams say something of."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from zlib import crc32

from connector_assets.authoring.simulator import positions
from connector_assets.authoring.simulator.documents import get, put, steps_of
from connector_assets.authoring.simulator.made_up import names_in
from connector_assets.authoring.simulator.positions import Position
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.names import dates
from connector_assets.spec.stream.incremental import Incremental
from connector_assets.spec.stream.stream import Stream
from connector_assets.spec.templates.template import Template

_DAY = dt.timedelta(days=1)
_EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
_COMPARED = re.compile(
    r"(record\.[\w.]+)\s*(==|!=|>=|<=|>|<)\s*('[^']*'|\"[^\"]*\"|[\d.]+|true|false|null|none)"
)


_COPY = re.compile(r"\{\{\s*record\.([\w.]+)\s*\}\}")


@dataclass(frozen=True)
class Row:
    """A row as the server has it; `keys` are those of its rows in the table, `at` its position."""

    data: dict[str, Any]
    keys: tuple[tuple[Any, ...], ...]
    at: Position | None


@dataclass
class StreamRows:
    """The rows of one stream; of a child, by the values of its items. `grown` counts later ones.

    `samples` are rows as the vendor sends them: all else than what the spec counts on is theirs.
    """

    spec: ConnectorSpec
    stream: Stream
    page_size: int
    now: dt.datetime
    grown: int = 0
    drift: bool = False
    samples: Sequence[Mapping[str, Any]] = ()
    _kept: dict[tuple[str, ...], list[Row]] = field(default_factory=dict)

    def of(self, item: tuple[str, ...], number: int) -> list[Row]:
        """The rows of the item with that number; `()` and 0 where a stream has no items."""
        key = (*item, str(self.grown))
        if key not in self._kept:
            self._kept[key] = list(self._made(item, number))
        return self._kept[key]

    def _count(self, item: tuple[str, ...], number: int) -> int:
        is_parent = any(self.stream.name in one.parents for one in self.spec.streams)
        if not item:
            return min(2 * self.page_size + 3, 12) if is_parent else 2 * self.page_size + 3
        if number == 0:
            return min(self.page_size + 2, 6) if is_parent else self.page_size + 2
        return 0 if number == 1 else 1 + number % 3

    def _made(self, item: tuple[str, ...], number: int) -> Iterator[Row]:
        count = self._count(item, number)
        order = range(count + (self.grown if count and self._grows else 0))
        for index in reversed(order) if self.is_descending else order:
            yield self._row(item, index, count, is_new=index >= count)

    @property
    def is_descending(self) -> bool:
        """Whether the newest come first, as the spec says that they do."""
        return getattr(self.stream.incremental, "order", None) == "descending"

    @property
    def _grows(self) -> bool:
        """Whether items get rows later: not where a parent tells its changes, as none changes."""
        return not any(one.changed for each in self.stream.for_each for one in each.parents)

    def _row(self, item: tuple[str, ...], index: int, count: int, *, is_new: bool) -> Row:
        at = self._position(index, count, is_new=is_new)
        name = "-".join((*item, str(index + 1)))
        row = dict(self.samples[index % len(self.samples)]) if self.samples else {}
        for path, kind in self.shape.items():
            steps = steps_of(path)
            if kind == "key" or path in self._fitting or get(row, steps) is None:
                row = put(row, steps, self._value(path, kind, name, index, item))
        incremental = self.stream.incremental
        if (
            incremental
            and incremental.cursor_field
            and at is not None
            and not self.stream.made_cursor
        ):
            row = put(
                row, steps_of(incremental.cursor_field.source), self._written(at, incremental)
            )
        data, expanded = self._expanded(row)
        return Row(data, tuple(tuple(row_key(one, self.key_paths)) for one in expanded), at)

    def _written(self, at: Position, incremental: Incremental) -> Any:
        """The cursor as the server writes it: also a number where its column is one."""
        how, field = incremental.cursor_format, incremental.cursor_field
        assert field is not None
        column = self.stream.column_types.get(self.stream.fields.own_name(field.source), "")
        if how is None and column.lower().startswith(("int", "bigint")):
            how = incremental.format if incremental.format.startswith("epoch") else "epoch"
        return positions.written(at, how)

    def _expanded(self, row: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The row with its lists, and the rows that it becomes: two for the first list."""
        data, rows = row, [row]
        for number, one in enumerate(self.stream.expansions):
            steps = steps_of(one.path)
            element = get(row, steps) or {"part": 1}
            elements = [element] if number else [element, _second(element)]
            data = put(data, steps, elements)
            rows = [put(made, steps, each) for made in rows for each in elements]
        return data, rows

    @cached_property
    def key_paths(self) -> list[str]:
        """The paths of the primary key in the server's rows."""
        return [self.stream.fields.sent_name(path) for path in self.stream.primary_key]

    @cached_property
    def shape(self) -> dict[str, str]:
        """The paths of a row's fields, with what each holds: a type, or `key`."""
        stream, fields = self.stream, self.stream.fields
        found = {"name": "text"} if not stream.column_types else {}
        for name, column in stream.column_types.items():
            found[fields.sent_name(name)] = column
        read = {name for name in names_in(stream) if name.startswith("record.")}
        found |= {name.removeprefix("record."): "text" for name in sorted(read)}
        found |= self._copied()
        found |= dict.fromkeys(self._asked_by_children(), "key")
        pagination = self.spec.endpoint_of(stream).pagination
        last = getattr(pagination, "last_record_field", None)
        if last is not None:
            found[last.source] = "key"
        found |= {path: "cast" for path in fields.cast if "*" not in path and "[" not in path}
        made = set(fields.add)
        found |= {path: "key" for path in self.key_paths if path not in made}
        cut = [path for path in found if any(one.startswith(f"{path}.") for one in found)]
        return {path: kind for path, kind in found.items() if path not in cut}

    def _copied(self) -> dict[str, str]:
        """The paths that an added field is a copy of, with the type of its column."""
        types = self.stream.column_types
        sources = {
            name: _COPY.fullmatch(value.source)
            for name, value in self.stream.fields.add.items()
            if isinstance(value, Template)
        }
        return {path[1]: types[name] for name, path in sources.items() if path and name in types}

    def _asked_by_children(self) -> Iterator[str]:
        for child in self.spec.streams:
            for parent in (one for each in child.for_each for one in each.parents):
                if parent.stream == self.stream.name:
                    for path in (parent.field, *parent.include):
                        yield self.stream.fields.sent_name(path)

    @cached_property
    def _fitting(self) -> dict[str, Any]:
        """Values that `where` keeps and `deletedWhen` leaves, as far as they say it plainly."""
        found: dict[str, Any] = {}
        for condition, wanted in ((self.stream.where, True), (self.stream.deleted_when, False)):
            source = condition.source if condition else ""
            compared = _COMPARED.findall(source)
            for name, sign, literal in compared:
                equal = (sign in ("==", ">=", "<=")) == wanted
                value = _literal(literal)
                found[name.removeprefix("record.")] = (
                    value if equal else _other(value, sign, wanted)
                )
            if condition and not compared:
                for name in condition.names:
                    found[name.removeprefix("record.")] = wanted
        return found

    def _value(self, path: str, kind: str, name: str, index: int, item: Sequence[str]) -> Any:
        if path in self._fitting:
            return self._fitting[path]
        kind = kind.lower()
        if kind == "key":
            typed = self.stream.column_types.get(self.stream.fields.own_name(path), "").lower()
            sampled = get(self.samples[0], steps_of(path)) if self.samples else None
            numbers = typed.startswith(("int", "bigint")) or path in ("id", "Id")
            if sampled is not None:
                numbers = isinstance(sampled, int)
            if numbers and (typed or not item):
                return (
                    index + 1 + 1_000 * (crc32("-".join(item).encode()) % 2_000_000 if item else 0)
                )
            number = index + (crc32("-".join(item).encode()) % 20_000 if item else 0)
            made = next((make(number) for kind, make in _KEYS if typed.startswith(kind)), None)
            return made or f"{path[:1]}{name}"
        if kind == "cast":
            return _CAST.get(self.stream.fields.cast[path], "text")
        return next(
            (make(index) for start, make in _BY_TYPE if kind.startswith(start)), f"{path} {name}"
        )

    def _position(self, index: int, count: int, *, is_new: bool) -> Position | None:
        incremental = self.stream.incremental
        if incremental is None:
            return None
        kind = positions.kind_of(incremental)
        if kind == "number":
            return float(1_000 + index)
        if kind == "text":
            return f"01{index:08d}"
        if is_new:
            return self.now - _DAY / 2 + dt.timedelta(minutes=index)
        start = self._start()
        step = (self.now - _DAY - start) / (count + 1)
        return (start + step * (index + 1)).replace(microsecond=0)

    def _start(self) -> dt.datetime:
        given = getattr(self.stream.incremental, "start", None)
        source = getattr(given, "source", given)
        try:
            start = positions.read(str(source), "time")
        except positions.NoPosition:
            start = None
        known = isinstance(start, dt.datetime) and start < self.now - 3 * _DAY
        if known and isinstance(start, dt.datetime):
            return start
        return self.now - 30 * _DAY - 2 * self._lookback

    @property
    def _lookback(self) -> dt.timedelta:
        """How far back a second load reads again: not all rows may be so new."""
        text = getattr(self.stream.incremental, "lookback", None)
        if not isinstance(text, str):
            return dt.timedelta(0)
        before = dates.duration(text).before(self.now)
        assert isinstance(before, dt.datetime)
        return self.now - before


def _second(element: Any) -> Any:
    if not isinstance(element, dict):
        return f"{element}b"
    return {
        key: value + 100_000
        if isinstance(value, int) and not isinstance(value, bool)
        else f"{value}b"
        for key, value in element.items()
    }


def row_key(row: Mapping[str, Any], paths: Sequence[str]) -> Iterator[Any]:
    """The values at `paths`, which are plain."""
    for path in paths:
        yield get(row, steps_of(path))


_BY_TYPE = (
    ("bool", lambda index: index % 2 == 0),
    ("big", lambda index: index * 10),
    ("int", lambda index: index * 10),
    ("small", lambda index: index % 100),
    ("tiny", lambda index: index % 100),
    ("hugeint", lambda index: index * 10),
    ("decimal", float),
    ("numeric", float),
    ("double", lambda index: index + 0.5),
    ("float", lambda index: index + 0.5),
    ("real", lambda index: index + 0.5),
    ("timestamp", lambda index: f"2024-03-0{index % 9 + 1}T12:00:00Z"),
    ("datetime", lambda index: f"2024-03-0{index % 9 + 1}T12:00:00Z"),
    ("date", lambda index: f"2024-03-0{index % 9 + 1}"),
    ("time", lambda index: f"12:0{index % 10}:00"),
    ("json", lambda index: {"n": index}),
    ("uuid", lambda index: f"00000000-0000-4000-8000-{index:012d}"),
)
_KEYS: tuple[tuple[str, Callable[[int], str]], ...] = (
    ("timestamp", lambda number: f"{_EPOCH + dt.timedelta(hours=number):%Y-%m-%dT%H:00:00Z}"),
    ("date", lambda number: f"{_EPOCH + dt.timedelta(days=number):%Y-%m-%d}"),
    ("uuid", lambda number: f"00000000-0000-4000-8000-{number:012d}"),
)
_CAST = {
    "text": 7,
    "integer": "7",
    "decimal": "7.10",
    "boolean": "true",
    "date": "2024-03-01",
    "timestamp": "2024-03-01T12:00:00Z",
    "epoch": 1_709_294_400,
    "epoch_ms": 1_709_294_400_000,
    "json": '{"a": 1}',
}


def _literal(text: str) -> Any:
    if text[0] in "'\"":
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    if text in ("null", "none"):
        return None
    return float(text) if "." in text else int(text)


def _other(value: Any, sign: str, wanted: bool) -> Any:
    """A value that is not `value`: above it where that is wanted, else below or beside."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        above = (sign == ">") == wanted
        return value + 1 if above or sign == "!=" else value - 1
    return "other" if value is None or isinstance(value, str) else None
