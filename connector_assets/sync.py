"""One stream, from its connector to its table: what materializing and `load` both do.

Read a batch, stage it with the checkpoint that follows it, and when the last batch is safely on
disk load everything in one transaction. A run that dies leaves the table as it was and the staging
for the next run, which goes on after the last staged batch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from connector_assets.errors import ConfigError, ResponseError, RowsError
from connector_assets.load.destination import Ahead, Destination, LoadsAhead, TellsLoads
from connector_assets.load.files.store_names import table_name
from connector_assets.load.items import collected
from connector_assets.load.order import Order
from connector_assets.load.staging.shared import staging, sweep
from connector_assets.load.staging.staging import Staging
from connector_assets.load.table import Claim, Cursor, Index, Loaded, Overflow, Table, Wanted
from connector_assets.project.connection import Connection
from connector_assets.project.partitioned import asked, narrowed, only
from connector_assets.reading.connector import ReadContext
from connector_assets.runtime.rows.rejects import REJECT
from connector_assets.runtime.rows.tombstones import TOMBSTONE
from connector_assets.runtime.stats import Stats, counted
from connector_assets.runtime.walk.positions import are_all, claims, not_ours, unclaimed
from connector_assets.runtime.walk.slices import ParentRows
from connector_assets.spec.names.paths import Path as Key
from connector_assets.spec.names.paths import own_key
from connector_assets.spec.stream.stream import Stream


@dataclass(frozen=True, slots=True)
class Run:
    """How a stream is loaded: all that is the same whatever the connector and the store.

    `staging` is the folder of rows that are not loaded yet, or the URL of an object store. `schema`
    is the table's, by default the connection's id. `partition` is the key of the part to read and
    to replace, where the stream has partitions. `full` ignores the stored cursor and what an
    earlier run staged, and replaces the table, unless it keeps versions (`scd2`). `limit` stops
    after the page that brings so many rows, and `start` begins where it says instead of at the
    stored cursor. `window` reads from its first time to its second, merges that by key, and leaves
    the cursor as it is. `adopt` takes over a table that somebody else made or loads. `on_progress`
    is called after each batch. `fence` runs inside the transaction before it commits and may raise
    to abort it. `id` names this run to others who find the stream or the table locked. `parents`
    reads the tables of parents, where many runs share what they read.
    """

    staging: Path | str
    schema: str | None = None
    partition: str | None = None
    full: bool = False
    limit: int | None = None
    start: str | int | float | None = None
    window: tuple[str, str] | None = None
    adopt: bool = False
    on_progress: Callable[[Stats], None] | None = None
    fence: Callable[[], None] | None = None
    id: str = ""
    parents: ParentRows | None = None


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

    @property
    def complete(self) -> bool:
        """Whether every list was read to its end, as far as its server tells."""
        return self.stats.complete


def sync(
    connection: Connection,
    stream: str,
    destination: Destination,
    run: Run,
    *,
    config: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    auth: str | int | None = None,
    cancel: threading.Event | None = None,
) -> Synced:
    """Read `stream` and load it into `destination`, as `run` says.

    `config`, `secrets` and `auth` go before what the connection and the environment give. What the
    destination would refuse is refused before the first request. Raises a ConnectorError; the table
    is then as it was.
    """
    reading = connection.open(stream, config=config, secrets=secrets, auth=auth, cancel=cancel)
    reading = asked(narrowed(connection, reading, run.partition), run.start, run.window)
    table = _table(connection, reading, run)
    target = _Target(destination, Order(table, reading.mode, fence=run.fence, run_id=run.id))
    target.require_taken()
    stored = target.stored()
    if stored is not None and not isinstance(stored, Mapping):
        raise not_ours(f"{connection.id}.{stream}")
    reading = replace(
        reading,
        fingerprint=connection.fingerprint(reading),
        cursor=target.believed(stored) if run.start is None else {},
        parent_rows=only(run.parents or parent_rows(connection, destination, run.schema), reading),
    )
    with _staging(connection, reading, run, target.last_load()) as staged:
        if run.full:
            staged.clear()
        if staged.note:
            reading.stats.note(staged.note)
        resumed = staged.rows
        with target.ahead(staged) as ahead:
            unchanged = not staged.complete and _read(connection, reading, staged, run, ahead)
            for lack in staged.lacks:
                reading.stats.lack(lack)  # of lists that an earlier run read
            loaded = target.as_it_is() if unchanged else target.load(staged, reading, stored, ahead)
        _note_dropped(reading, loaded)
        told = shown(reading.cursor), _shown_after(reading, staged)
        staged.clear()
    _sweep(connection, run)
    return Synced(table, loaded, reading.stats, *told, resumed_rows=resumed, unchanged=unchanged)


def _table(connection: Connection, reading: ReadContext[Any], run: Run) -> Table:
    """The table of the stream, claimed for this connection."""
    adopts = run.adopt or (connection.document is not None and connection.document.adopt)
    claim = Claim(connection.id, adopt=adopts, full=run.full)
    table = table_of(connection, reading.stream, run.schema)
    return replace(table, partition=run.partition, claim=claim)


def _note_dropped(reading: ReadContext[Any], loaded: Loaded) -> None:
    for column, count in loaded.dropped.items():
        what = counted(count, "value")
        reading.stats.note(f'column "{column[:60]}": {what} left out that did not fit')


def _staging(
    connection: Connection, reading: ReadContext[Any], run: Run, after: str | None
) -> AbstractContextManager[Staging]:
    return staging(
        run.staging,
        connection=connection.id,
        stream=reading.stream.name,
        partition=reading.partition.key if reading.partition else None,
        fingerprint=_fingerprint(connection, reading, run),
        run_id=run.id,
        after=after,
    )


def _sweep(connection: Connection, run: Run) -> None:
    """Let go of what was staged for streams that were renamed or removed since."""
    if not connection.awaits_discovery:
        names = (stream.name for stream in connection.connector.streams())
        sweep(run.staging, connection.id, names)


def _fingerprint(connection: Connection, reading: ReadContext[Any], run: Run) -> str:
    """That of the reading; what a run with a limit staged is for no other."""
    found = connection.fingerprint(reading)
    return found if run.limit is None else f"{found} {run.limit}"


@dataclass(frozen=True, slots=True)
class _Target:
    """The table a stream goes into, as `order` has it but for its rows."""

    destination: Destination
    order: Order

    @property
    def table(self) -> Table:
        return self.order.table

    @property
    def full(self) -> bool:
        return self.table.claim.full

    def require_taken(self) -> None:
        """Raise what the destination would raise once all is fetched."""
        if refused := self.destination.refuses(self.table, self.order.mode):
            raise refused

    def stored(self) -> Any:
        """The positions stored with the table, None where a run is not to go by them."""
        return None if self.full else self.destination.read_cursor(self.table)

    def last_load(self) -> str | None:
        """The name of the table's last load, None where the store does not tell."""
        store = self.destination
        return store.last_load(self.table) if isinstance(store, TellsLoads) else None

    def believed(self, stored: Any) -> Any:
        """`stored` without what is no longer so where someone emptied or dropped the table."""
        if stored and claims(stored) and not self.destination.count(self.table):
            return collected(unclaimed(stored))
        return stored

    @contextmanager
    def ahead(self, staged: Staging) -> Iterator[Ahead | None]:
        """What loads rows while others are staged, where the destination can and none are yet."""
        ahead = None
        if isinstance(self.destination, LoadsAhead) and not staged.rows:
            ahead = self.destination.ahead(self.table, self.order.way, staged.ahead)
        try:
            yield ahead
        finally:
            if ahead:
                ahead.close()

    def load(
        self, staged: Staging, reading: ReadContext[Any], stored: Any, ahead: Ahead | None
    ) -> Loaded:
        """Load what is staged, with its positions if these are still as they were `stored`."""
        cursor = self._moves(staged.cursor, reading.cursor, stored) if staged.cursor else None
        loads = ahead or self.destination
        try:
            order = replace(
                self.order, segments=staged.segments(), cursor=cursor, after=staged.after
            )
            return loads.load(order)
        except RowsError:
            staged.clear()  # else no repair at the source would ever arrive
            raise

    def _moves(self, reached: Mapping[str, Any], before: Any, stored: Any) -> Cursor:
        """The cursor of a load that `reached` these positions, from those of `before`."""
        is_all = are_all(reached)
        if self.full:
            return Cursor(reached, self.destination.read_cursor(self.table), is_all)
        if before == {} and stored:
            reached = collected(_as_configured(reached, stored))
        if before is stored:
            return Cursor(reached, stored, is_all, adds=True)
        return Cursor(collected(chain(before.items(), reached.items())), stored, is_all)

    def as_it_is(self) -> Loaded:
        """What to say of a table that is kept."""
        columns = self.destination.describe(self.table) or ()
        return Loaded(0, self.destination.count(self.table) or 0, columns, self.destination.uri)


def _as_configured(
    reached: Mapping[str, Any], stored: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Positions that one run reached from a start of its own, as if from the configured one.

    Else the next run would take the configured start for one that was moved back.
    """
    for item, position in reached.items():
        before = stored.get(item)
        own = {"start": before["start"]} if isinstance(before, dict) and "start" in before else {}
        yield item, {**position, **own}


def _shown_after(reading: ReadContext[Any], staged: Staging) -> Any:
    """`shown` of the positions of before, with what the run reached."""
    before, reached = reading.cursor or {}, staged.cursor or {}
    if "" in before or "" in reached:
        return shown({"": reached.get("") or before[""]})
    count = len(before) + sum(item not in before for item in reached)
    return counted(count, "item") if count else None


def shown(positions: Mapping[str, Any] | None) -> Any:
    """A stored cursor for people: its value, or how many items have one."""
    if not positions:
        return None
    only = positions.get("")
    if only is not None and not isinstance(only, Mapping):
        return only  # a plugin's own
    if only is not None and "token" in only:
        return "a token"
    return only.get("value") if only is not None else counted(len(positions), "item")


def position_of(connection: Connection, stream: Stream, destination: Destination) -> Any:
    """The position stored with the rows of a stream's table, as a plugin set it; None without.

    Where the table was emptied, positions that speak of its rows are none.
    """
    target = _Target(destination, Order(table_of(connection, stream), stream.mode))
    return shown(target.believed(target.stored()))


def parent_rows(
    connection: Connection, destination: Destination, schema: str | None = None
) -> ParentRows:
    """What reads values of a stream's rows from its table, for those that are read for each."""

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
    columns = [*stream.fields.column_types.items(), *stream.column_types.items()]
    return Table(
        schema or connection.id,
        table_name(stream.table_name),
        tuple(map(own_key, stream.primary_key)),
        {own_key(path): type_ for path, type_ in columns},
        stream.schema_policy,
        deleted=TOMBSTONE if connection.may_delete(stream) else None,
        reject=REJECT if stream.schema_policy == "quarantine" else None,
        on_misfit=stream.on_misfit,
        wanted=_wanted(stream),
        overflow=Overflow(over.into, over.after) if (over := stream.overflow) else None,
    )


def _wanted(stream: Stream) -> Wanted:
    """What the stream says of its table besides rows."""
    said = {own_key(path): stream.column(path) for path in stream.columns}
    return Wanted(
        stream.description,
        {key: column.description for key, column in said.items() if column.description},
        tuple(key for key, column in said.items() if column.not_null),
        indexes=tuple(
            Index(tuple(map(own_key, one.columns)), one.unique) for one in stream.all_indexes
        ),
        has_key=stream.key_constraint,
        load_columns=tuple(f"_{one}" for one in stream.load_columns),
    )


def _read(
    connection: Connection,
    reading: ReadContext[Any],
    staged: Staging,
    run: Run,
    ahead: Ahead | None,
) -> bool:
    """Stage all that is still to be read; whether the source is unchanged instead."""
    reading = replace(
        reading,
        resume=staged.resume,
        reached=collected((staged.cursor or {}).items()),
        ask_ahead=True,
    )
    stats, on_progress = reading.stats, run.on_progress
    stats.staged, stats.watcher = staged.rows, on_progress
    if on_progress:
        on_progress(stats)  # who watches sees retries and waits before the first batch
    for batch in connection.connector.read(reading):
        if batch.unchanged:
            return True
        if batch.void_after is not None:
            staged.rewind(batch.void_after)
            if ahead:
                ahead.give_up()
        enough = run.limit is not None and staged.rows + batch.count >= run.limit
        cut = enough and not batch.complete
        # Where not all is read, no position may say that it was.
        cursor = None if batch.cursor is None or run.limit is not None else dict(batch.cursor)
        staged.append(
            batch.rows,
            batch.count,
            batch.checkpoint,
            complete=batch.complete or cut,
            cursor=cursor,
            lacks=batch.lacks or (f"stopped at {run.limit:,} rows, as asked" if cut else ""),
        )
        if ahead:
            ahead.offer(staged.done())
        stats.staged, stats.whole = staged.rows, staged.complete
        if on_progress:
            on_progress(stats)
        if cut:
            stats.lack(f"stopped at {run.limit:,} rows, as asked")
            break
    if not staged.complete:
        raise ResponseError("the connector stopped before its last batch", where=connection.id)
    return False
