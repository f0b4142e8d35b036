"""Rows as Python yields them become batches: what staging writes and counts at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from typing import Any, Protocol

from connector_assets.errors import Cancelled, ResponseError
from connector_assets.reading.arrow import (
    ArrowArray,
    ArrowStream,
    as_record_batches,
    is_arrow,
    table_of,
    with_column,
)
from connector_assets.reading.connector import Batch
from connector_assets.reading.plugin_context import (
    Deleted,
    Mark,
    PluginContext,
    positions_of,
    take_mark,
)
from connector_assets.runtime.rows.tombstones import (
    TOMBSTONE,
    as_deleted,
    require_no_mark,
    require_unmarked,
)

BATCH_ROWS = 1000
_BYTES = 1 << 20
# Parquet is best in large pieces; two of these are in memory at a time.
_ARROW_ROWS, _ARROW_BYTES = 1 << 17, 32 << 20
YIELD = "yield dicts, Arrow tables, or lines of JSON as bytes"

Row = Mapping[str, Any]
Yielded = Row | bytes | ArrowStream | ArrowArray | Deleted | Mark | Batch
"""What Python may yield: a row, lines of JSON, tables and record batches of Arrow."""


def in_batches(rows: Iterable[Any], ctx: PluginContext[Any], *, where: str) -> Iterator[Batch]:
    """What was yielded, gathered; a `Batch` as it stands. The last one is marked complete.

    A row is copied, so a plugin may use one dict again and again. A checkpoint that was set in
    `ctx` covers what was yielded before. Raises Cancelled between rows.
    """
    gathering = _Gathering(where)
    complete = False
    with closing_if_closable(rows):
        for item in rows:
            if complete:
                raise ResponseError("rows came after the batch marked complete", where=where)
            if mark := take_mark(ctx):
                yield gathering.rows.batch(mark.checkpoint, mark.positions)
            for batch in gathering.take(item) if not isinstance(item, Mark) else ():
                complete = batch.complete
                yield batch
                if ctx.cancelled:
                    raise Cancelled("cancelled", where=where)
            if ctx.cancelled:
                raise Cancelled("cancelled", where=where)
    if not complete:
        yield replace(gathering.rows.batch(None, positions_of(ctx)), complete=True)


class _Gathering:
    """Gathers rows into batches; those of another kind begin another batch."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.rows: _Gathered = _Dicts()

    def take(self, item: Any) -> Iterator[Batch]:
        """Take what was yielded, and give the batches that are full."""
        if isinstance(item, Batch):
            yield from self._rest()
            yield _as_ours(item)
            return
        if not self.rows.takes(item):
            kind = self._kind_of(item)
            yield from self._rest()
            self.rows = kind
        for _ in self.rows.add(item):
            yield self.rows.batch()

    def _rest(self) -> Iterator[Batch]:
        if self.rows.count:
            yield self.rows.batch()

    def _kind_of(self, item: Any) -> _Gathered:
        """What gathers rows such as `item`."""
        kinds: tuple[_Gathered, ...] = (_Dicts(), _Lines(), _Arrow())
        for kind in kinds:
            if kind.takes(item):
                return kind
        what = f"a row is of type {type(item).__name__}"
        raise ResponseError(what, where=self._where, fix=YIELD)


def _as_ours(batch: Batch) -> Batch:
    """A batch whose checkpoint is a JSON value like any other."""
    if batch.checkpoint is None:
        return batch
    return replace(batch, checkpoint=json.dumps(batch.checkpoint))


class _Gathered(Protocol):
    """Rows of one kind that wait until there are enough for a batch."""

    @property
    def count(self) -> int:
        """How many wait."""
        ...

    def takes(self, item: Any) -> bool:
        """Whether `item` is of this kind."""
        ...

    def add(self, item: Any) -> Iterator[None]:
        """Take rows, and say each time that there are enough."""
        ...

    def batch(
        self, checkpoint: str | None = None, cursor: Mapping[str, Any] | None = None
    ) -> Batch:
        """All that waits, which then waits no more."""
        ...


class _Dicts:
    """Dicts, a thousand at a time, or fewer where their texts are long."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._size = 0

    @property
    def count(self) -> int:
        return len(self._rows)

    def takes(self, item: Any) -> bool:
        return isinstance(_rows(item), Mapping)

    def add(self, item: Any) -> Iterator[None]:
        row = dict(_rows(item))
        require_no_mark(row)
        if isinstance(item, Deleted):
            row[TOMBSTONE] = True
        self._rows.append(row)
        self._size += sum(len(one) for one in row.values() if isinstance(one, str | bytes))
        if len(self._rows) >= BATCH_ROWS or self._size >= _BYTES:
            yield

    def batch(
        self, checkpoint: str | None = None, cursor: Mapping[str, Any] | None = None
    ) -> Batch:
        rows, self._rows, self._size = self._rows, [], 0
        return Batch(rows, len(rows), checkpoint, cursor=cursor)


class _Lines:
    """Lines of JSON, a megabyte at a time."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._size = self.count = 0

    def takes(self, item: Any) -> bool:
        return isinstance(_rows(item), bytes | bytearray | memoryview)

    def add(self, item: Any) -> Iterator[None]:
        lines = bytes(_rows(item))
        if not lines:
            return
        require_unmarked(lines)
        lines = as_deleted(lines) if isinstance(item, Deleted) else lines
        if not lines.endswith(b"\n"):
            lines += b"\n"
        self._lines.append(lines)
        self._size += len(lines)
        self.count += lines.count(b"\n")
        if self._size >= _BYTES:
            yield

    def batch(
        self, checkpoint: str | None = None, cursor: Mapping[str, Any] | None = None
    ) -> Batch:
        lines, count = b"".join(self._lines), self.count
        self._lines, self._size, self.count = [], 0, 0
        return Batch(lines, count, checkpoint, cursor=cursor)


class _Arrow:
    """Record batches of one schema, so many that Parquet is worth it."""

    def __init__(self) -> None:
        self._batches: list[Any] = []
        self._size = self.count = 0

    def takes(self, item: Any) -> bool:
        return is_arrow(_rows(item))

    def add(self, item: Any) -> Iterator[None]:
        for batch in as_record_batches(_rows(item), _ARROW_ROWS, _ARROW_BYTES):
            require_no_mark(batch.schema.names)
            one = with_column(batch, TOMBSTONE) if isinstance(item, Deleted) else batch
            if self._batches and not self._batches[0].schema.equals(one.schema):
                yield
            self._batches.append(one)
            self._size += one.nbytes
            self.count += one.num_rows
            if self.count >= _ARROW_ROWS or self._size >= _ARROW_BYTES:
                yield

    def batch(
        self, checkpoint: str | None = None, cursor: Mapping[str, Any] | None = None
    ) -> Batch:
        batches, count = self._batches, self.count
        self._batches, self._size, self.count = [], 0, 0
        return Batch(table_of(batches) if batches else b"", count, checkpoint, cursor=cursor)


def _rows(item: Any) -> Any:
    return item.rows if isinstance(item, Deleted) else item


def closing_if_closable(rows: Any) -> AbstractContextManager[Any]:
    """A generator's `finally` runs at once when its reader stops early, not at some later time."""
    return closing(rows) if hasattr(rows, "close") else nullcontext()
