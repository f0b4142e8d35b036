"""One stream, from its connector to its table: what materializing and `load` both do.

Read a batch, stage it with the checkpoint that follows it, and when the last batch is safely on
disk load everything in one transaction. A run that dies leaves the table as it was and the staging
for the next run, which goes on after the last staged batch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from connector_assets.connection import Connection
from connector_assets.connector import ReadContext
from connector_assets.errors import ConfigError, ResponseError, RowsError
from connector_assets.load.items import collected
from connector_assets.load.names import table_name
from connector_assets.load.staging import Staging
from connector_assets.load.table import Cursor, Destination, Loaded, Table
from connector_assets.partitioned import narrowed
from connector_assets.runtime.positions import are_all, claims, unclaimed
from connector_assets.runtime.stats import Stats
from connector_assets.runtime.tombstones import TOMBSTONE
from connector_assets.spec.paths import Path as Key
from connector_assets.spec.paths import own_key
from connector_assets.spec.stream import Stream


@dataclass(frozen=True, slots=True)
class Synced:
    """What one sync did; `resumed_rows` came from an earlier run's staging.

    `unchanged` says that the source is as it was, so that the table was not written.
    """

    table: Table
    loaded: Loaded
    stats: Stats
    cursor_before: Any = None
    cursor_after: Any = None
    resumed_rows: int = 0
    unchanged: bool = False


def sync(
    connection: Connection,
    stream: str,
    destination: Destination,
    *,
    staging: Path,
    config: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    auth: str | int | None = None,
    schema: str | None = None,
    partition: str | None = None,
    full: bool = False,
    cancel: threading.Event | None = None,
    on_progress: Callable[[Stats], None] | None = None,
    fence: Callable[[], None] | None = None,
    run_id: str = "",
) -> Synced:
    """Read `stream` and load it into `destination`.

    `partition` is the key of the part to read and to replace, where the stream has partitions.
    `full` ignores the stored cursor and what an earlier run staged, and replaces the table, unless
    it keeps versions (`scd2`). `on_progress` is called after each batch. `fence` runs inside the
    transaction before it commits and may raise to abort it. `run_id` names this run to others who
    find the stream or the table locked.
    Raises a ConnectorError; the table is then as it was.
    """
    reading = connection.open(stream, config=config, secrets=secrets, auth=auth, cancel=cancel)
    reading = narrowed(connection, reading, partition)
    table = replace(table_of(connection, reading.stream, schema), partition=partition)
    target = _Target(destination, table, full, fence, run_id)
    stored = target.stored()
    reading = replace(
        reading,
        fingerprint=connection.fingerprint(reading),
        cursor=target.believed(stored),
        parent_rows=_parent_rows(connection, destination, schema),
    )
    with _staging(connection, reading, staging, run_id) as staged:
        if full:
            staged.clear()
        if staged.note:
            reading.stats.note(staged.note)
        resumed = staged.rows
        unchanged = not staged.complete and _read(connection, reading, staged, on_progress)
        loaded = target.as_it_is() if unchanged else target.load(staged, reading, stored)
        told = shown(reading.cursor), _shown_after(reading, staged)
        staged.clear()
    return Synced(table, loaded, reading.stats, *told, resumed_rows=resumed, unchanged=unchanged)


def _staging(
    connection: Connection, reading: ReadContext[Any], folder: Path, run_id: str
) -> Staging:
    return Staging(
        folder,
        connection=connection.id,
        stream=reading.stream.name,
        partition=reading.partition.key if reading.partition else None,
        fingerprint=connection.fingerprint(reading),
        run_id=run_id,
    )


@dataclass(frozen=True, slots=True)
class _Target:
    """The table a stream goes into; `full` goes by nothing that is stored with it."""

    destination: Destination
    table: Table
    full: bool
    fence: Callable[[], None] | None
    run_id: str

    def stored(self) -> Any:
        """The positions stored with the table, None where a run is not to go by them."""
        return None if self.full else self.destination.read_cursor(self.table)

    def believed(self, stored: Any) -> Any:
        """`stored` without what is no longer so where someone emptied or dropped the table."""
        if stored and claims(stored) and not self.destination.count(self.table):
            return collected(unclaimed(stored))
        return stored

    def load(self, staged: Staging, reading: ReadContext[Any], stored: Any) -> Loaded:
        """Load what is staged, with its positions if these are still as they were `stored`."""
        cursor = self._moves(staged.cursor, reading.cursor, stored) if staged.cursor else None
        # Versions that the source no longer has are what scd2 is for: no reading brings them back.
        replaces = self.full and reading.mode != "scd2"
        try:
            return self.destination.load(
                self.table,
                staged.segments(),
                "replace" if replaces else reading.mode,
                cursor,
                fence=self.fence,
                run_id=self.run_id,
            )
        except RowsError:
            staged.clear()  # else no repair at the source would ever arrive
            raise

    def _moves(self, reached: Mapping[str, Any], before: Any, stored: Any) -> Cursor:
        """The cursor of a load that `reached` these positions, from those of `before`."""
        is_all = are_all(reached)
        if self.full:
            return Cursor(reached, self.destination.read_cursor(self.table), is_all)
        if before is stored:
            return Cursor(reached, stored, is_all, adds=True)
        return Cursor(collected(chain(before.items(), reached.items())), stored, is_all)

    def as_it_is(self) -> Loaded:
        """What to say of a table that is kept."""
        columns = self.destination.describe(self.table) or ()
        return Loaded(0, self.destination.count(self.table) or 0, columns, self.destination.uri)


def _shown_after(reading: ReadContext[Any], staged: Staging) -> Any:
    """`shown` of the positions of before, with what the run reached."""
    before, reached = reading.cursor or {}, staged.cursor or {}
    if "" in before or "" in reached:
        return shown({"": reached.get("") or before[""]})
    count = len(before) + sum(item not in before for item in reached)
    return f"{count} items" if count else None


def shown(positions: Mapping[str, Any] | None) -> Any:
    """A stored cursor for people: its value, or how many items have one."""
    if not positions:
        return None
    only = positions.get("")
    return only.get("value") if only is not None else f"{len(positions)} items"


def _parent_rows(
    connection: Connection, destination: Destination, schema: str | None
) -> Callable[[str, Sequence[str]], Iterator[Sequence[Any]]]:
    def rows(stream: str, keys: Sequence[str]) -> Iterator[Sequence[Any]]:
        table = table_of(connection, connection.stream(stream), schema)
        if destination.describe(table) is None:
            raise ConfigError(
                f'the table of its parent "{stream}" does not exist',
                where=connection.id,
                fix=f"load {stream} first",
            )
        # A table that never held a row has no columns to ask for.
        if not destination.count(table):
            return
        paths = [Key(key) for key in keys]
        tops = list(dict.fromkeys(p.keys[0] if p.keys else str(p).split(".")[0] for p in paths))
        for row in destination.keys(table, tops):
            values = dict(zip(tops, row, strict=True))
            yield [path.get(values) for path in paths]

    return rows


def table_of(connection: Connection, stream: Stream, schema: str | None = None) -> Table:
    """The table a stream is loaded into: schema = connection id, table = stream name, made safe."""
    columns = [*stream.fields.column_types.items(), *stream.columns.items()]
    return Table(
        schema or connection.id,
        table_name(stream.name),
        tuple(map(own_key, stream.primary_key)),
        {own_key(path): type_ for path, type_ in columns},
        stream.schema_policy,
        deleted=TOMBSTONE if stream.deleted_when else None,
    )


def _read(
    connection: Connection,
    reading: ReadContext[Any],
    staged: Staging,
    on_progress: Callable[[Stats], None] | None,
) -> bool:
    """Stage all that is still to be read; whether the source is unchanged instead."""
    reading = replace(
        reading,
        resume=staged.resume,
        reached=collected((staged.cursor or {}).items()),
        prompt=True,
    )
    if on_progress:
        on_progress(reading.stats)  # who watches sees retries and waits before the first batch
    for batch in connection.connector.read(reading):
        if batch.unchanged:
            return True
        if batch.void_after is not None:
            staged.rewind(batch.void_after)
        cursor = None if batch.cursor is None else dict(batch.cursor)
        staged.append(
            batch.rows, batch.count, batch.checkpoint, complete=batch.complete, cursor=cursor
        )
        if on_progress:
            on_progress(reading.stats)
    if not staged.complete:
        raise ResponseError("the connector stopped before its last batch", where=connection.id)
    return False
