"""Tables in a lake as a destination: any table format that takes a commit whole or not at all."""

from __future__ import annotations

import hashlib
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.errors import Busy, LoadError
from connector_assets.load.destination import Capabilities
from connector_assets.load.duckdb.confine import confine, may_read
from connector_assets.load.duckdb.declared import refused_declaration
from connector_assets.load.duckdb.errors import first_line
from connector_assets.load.duckdb.read import ReadsTables, one_that_reads
from connector_assets.load.duckdb.scratch import scratch
from connector_assets.load.duckdb.sql import quoted
from connector_assets.load.duckdb.state import DuckDBState
from connector_assets.load.duckdb.tuning import with_enough_memory, without_extensions
from connector_assets.load.files.lock import PathLock
from connector_assets.load.lake.affected import restored_values
from connector_assets.load.lake.facts import facts_of_rejects
from connector_assets.load.lake.step import LakeLoad, LakePlan, restored_types
from connector_assets.load.lake.store import (
    Change,
    Conflict,
    LakeFormat,
    ScratchRows,
    Snapshot,
    Way,
)
from connector_assets.load.order import Order
from connector_assets.load.ownership import (
    REJECTED,
    Found,
    refused_as_rejects,
    refused_rejects,
    refused_table,
)
from connector_assets.load.table import Column, Loaded, Table, WriteMode
from connector_assets.private import private_folder, private_root, state_folder

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_PART = r'(?:"(?:[^"]|"")*"|[^."\s]+)'
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.05, 2.0


class LakeDestination(ReadsTables):
    """Tables of one format at one place.

    `wait_s` is how long to wait for others who load the same table, and how long to begin again
    where another writer's commit came first, before Busy.
    """

    def __init__(
        self,
        lake: LakeFormat,
        *,
        wait_s: float = 300,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lake, self._wait_s = lake, wait_s
        self._sleep, self._monotonic = sleep, monotonic

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.uri!r})"

    @property
    def uri(self) -> str:
        return self._lake.uri

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()

    def refuses(self, table: Table, mode: WriteMode) -> LoadError | None:
        """The error of what is declared, or of what is there, if a load could only end in it."""
        if refused := refused_declaration(table, mode):
            return refused
        with self._looked_at(table) as (snapshot, _):
            return self._refused(table, mode, snapshot)

    def _refused(self, table: Table, mode: WriteMode, snapshot: Snapshot) -> LoadError | None:
        """The error of a table that is not ours to load, or is where rows are set aside."""
        return (
            refused_table(table, mode, _found(snapshot, table))
            or refused_as_rejects(table, list(snapshot.columns or ()))
            or self._refused_rejects(table)
        )

    def _refused_rejects(self, table: Table) -> LoadError | None:
        if table.schema_policy != "quarantine":
            return None
        with self._looked_at(replace(table, name=table.name + REJECTED)) as (snapshot, _):
            return refused_rejects(table, is_table=True, columns=list(snapshot.columns or ()))

    def load(self, order: Order) -> Loaded:
        """Put the order's rows into its table, or change nothing and raise LoadError."""
        if refused := refused_declaration(order.table, order.mode):
            raise refused
        with self._locked(order.table, order.run_id):
            return with_enough_memory(lambda: self._load(order))

    def _load(self, order: Order) -> Loaded:
        give_up, wait_s = self._monotonic() + self._wait_s, _FIRST_WAIT_S
        while True:
            with suppress(Conflict), self._looked_at(order.table) as (before, folder):
                return self._attempt(order, before, folder)
            if self._monotonic() >= give_up:
                raise Busy(
                    "other writers changed the table again and again while this load was at work",
                    where=order.where,
                    fix="run it again when they have ended: it goes on from what it has staged",
                )
            self._sleep(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    def _attempt(self, order: Order, before: Snapshot, folder: Path) -> Loaded:
        table = order.table
        if done := before.facts.done(order.load_id, table.partition):
            return self._loaded(before, done["received"], done["rejected"])
        if refused := self._refused(table, order.mode, before):
            raise refused
        order.require_last(before.facts.last_load(table.partition))
        planned = LakeLoad(order, before, self._lake, folder).plan()
        if planned.rejects is not None:
            self._keep_rejects(order, planned.rejects, folder)
        self._lake.commit(table, before, planned.change, order.look)
        return self._after(order, planned, folder)

    def _after(self, order: Order, planned: LakePlan, folder: Path) -> Loaded:
        after = self._lake.look(order.table, folder)
        loaded = self._loaded(after, planned.received, planned.rejected)
        return replace(loaded, notes=planned.notes, dropped=planned.dropped)

    def _keep_rejects(self, order: Order, rejects: ScratchRows, folder: Path) -> None:
        """Put rows that were set aside into a table of their own, once for each load.

        It is a commit of its own, and comes first: rows that are nowhere would be worse than rows
        that were set aside by a load that then failed.
        """
        table = replace(order.table, name=order.table.name + REJECTED)
        before = self._lake.look(table, folder)
        if before.facts.done(order.load_id, order.table.partition):
            return
        is_new, anew = before.columns is None, order.way == "replace"
        if not (is_new or anew or rejects.count):
            return
        way: Way = "append" if is_new or not anew else "replace"
        facts = facts_of_rejects(before.facts, order)
        blind = way == "append"
        change = Change(way, rejects, rejects.types, facts, order.load_id, blind=blind)
        self._lake.commit(table, before, change, order.look)

    def _locked(self, table: Table, run_id: str) -> PathLock:
        name = f"{self.uri}/{table.schema}.{table.name}"
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        path = private_folder(private_root(state_folder()) / "locks") / f"{digest}.lock"
        return PathLock(path, what=table.where, wait_s=self._wait_s, run_id=run_id)

    def _loaded(self, snapshot: Snapshot, received: int, rejected: int) -> Loaded:
        return Loaded(received, snapshot.count(), snapshot.described(), self.uri, rejected)

    def describe(self, table: Table) -> list[Column] | None:
        """Return the table's columns, with the format's types; None where there is no table."""
        with self._looked_at(table) as (snapshot, _):
            return list(snapshot.described()) if snapshot.columns is not None else None

    def count(self, table: Table) -> int | None:
        """Return the number of rows, None where there is no table."""
        with self._looked_at(table) as (snapshot, _):
            return snapshot.count() if snapshot.columns is not None else None

    def last_load(self, table: Table) -> str:
        """Return the name of the load that came last into `table`, "" without any."""
        with self._looked_at(table) as (snapshot, _):
            return snapshot.facts.last_load(table.partition)

    def read_cursor(self, table: Table) -> Any:
        """Return the stored position of `table`, or None; no rows are looked at."""
        with (
            self._looked_at(table) as (snapshot, folder),
            scratch(folder / "state.duckdb", where=self.uri) as connection,
        ):
            snapshot.facts.restore(connection)
            return DuckDBState(connection, table).cursor()

    def name_in_sql(self, table: Table) -> str:
        """The table's name as `query` takes it: views of that name are made for it."""
        return f"{quoted(table.schema)}.{quoted(table.name)}"

    @contextmanager
    def _reading(self) -> Iterator[DuckDBPyConnection | None]:
        """Tables are opened one by one: a lake may have any number of them."""
        with self._shown([]) as connection:
            yield connection

    @contextmanager
    def _of(self, table: Table) -> Iterator[DuckDBPyConnection | None]:
        with self._shown([table]) as connection:
            yield connection

    @contextmanager
    def _asked(self, sql: str) -> Iterator[DuckDBPyConnection | None]:
        with self._shown(_tables_in(sql)) as connection:
            yield connection

    @contextmanager
    def _shown(self, tables: list[Table]) -> Iterator[DuckDBPyConnection | None]:
        """A connection with views of these tables, under the types they were loaded by."""
        import duckdb

        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            connection = without_extensions(duckdb.connect(folder / "views.duckdb"))
            try:
                connection.execute("set TimeZone = 'UTC'")
                for number, table in enumerate(tables):
                    rows = f"connector_assets_rows_{number}"
                    self._show(connection, table, rows, folder)
                may_read(connection, [])
                yield connection
            except duckdb.Error as error:
                raise LoadError(first_line(error), where=self.uri) from error
            finally:
                connection.close()

    def _show(self, connection: DuckDBPyConnection, table: Table, rows: str, folder: Path) -> None:
        snapshot = self._lake.look(table, folder)
        snapshot.facts.restore(connection)
        if not snapshot.columns:
            return  # none yet: its first load was killed once the table was made
        snapshot.show(connection, rows)
        values = restored_values(restored_types(snapshot, self._lake))
        connection.execute(f"create schema if not exists {quoted(table.schema)}")
        connection.execute(f"create view {self.name_in_sql(table)} as select {values} from {rows}")

    @contextmanager
    def _looked_at(self, table: Table) -> Iterator[tuple[Snapshot, Path]]:
        with tempfile.TemporaryDirectory() as folder:
            yield self._lake.look(table, Path(folder)), Path(folder)


def _found(snapshot: Snapshot, table: Table) -> Found:
    has_rows = snapshot.columns is not None and (
        snapshot.facts.is_known or not snapshot.columns or snapshot.count() > 0
    )
    return snapshot.facts.found(table, snapshot.columns, has_rows=has_rows)


def _tables_in(sql: str) -> list[Table]:
    """The tables that a statement names with their schema; none where it does not only read."""
    import duckdb

    with duckdb.connect() as connection, suppress(duckdb.Error, LoadError):
        confine(connection)
        one_that_reads(sql)
        names = connection.get_table_names(sql, qualified=True)
        found = [_parts(name) for name in sorted(names)]
        return [Table(parts[-2], parts[-1]) for parts in found if len(parts) > 1]
    return []


def _parts(name: str) -> list[str]:
    """A qualified name's parts, as DuckDB writes it: `crm."a b" AS x`."""
    whole = re.match(rf"{_PART}(?:\.{_PART})*", name)
    return [
        part.replace('""', '"')[1:-1] if part.startswith('"') else part
        for part in re.findall(_PART, whole[0] if whole else "")
    ]
