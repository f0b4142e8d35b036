"""Snowflake as a destination: rows are typed by DuckDB, copied in, and applied in one transaction.

What makes or changes a table is done before the transaction begins, as it would commit it: a column
that was added for a load which then fails stays, and is empty.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from connector_assets.errors import LoadError
from connector_assets.load.columns.policy import Misfit
from connector_assets.load.destination import Capabilities
from connector_assets.load.duckdb.declared import refused_declaration
from connector_assets.load.duckdb.load import Terms
from connector_assets.load.duckdb.scratch import scratch
from connector_assets.load.duckdb.sql import literal
from connector_assets.load.duckdb.tuning import with_enough_memory
from connector_assets.load.duckdb.typed import Typed
from connector_assets.load.files.scratch_folders import scratch_folder
from connector_assets.load.items import ItemPositions, whole, write_lines
from connector_assets.load.order import Order
from connector_assets.load.ownership import (
    REJECTED,
    refused_as_rejects,
    refused_rejects,
    refused_table,
)
from connector_assets.load.snowflake.incoming import Incoming, bring, bring_items, keep_last
from connector_assets.load.snowflake.read import key_rows, query
from connector_assets.load.snowflake.shape import comment, evolve, own_columns, require
from connector_assets.load.snowflake.sql import sf_table, sf_type
from connector_assets.load.snowflake.state import SnowflakeState
from connector_assets.load.snowflake.tables import (
    columns_of,
    count_of,
    describe,
    kept_column,
    look,
)
from connector_assets.load.snowflake.typed import FileOfRows, checked, has_no_value, typed_parquet
from connector_assets.load.snowflake.write import SnowflakeWrite
from connector_assets.load.table import LOAD_COLUMNS, Column, Loaded, Table, WriteMode
from connector_assets.snowflake.account import Account, Proof
from connector_assets.snowflake.session import Refused, Session, raised, session


class SnowflakeDestination:
    """Tables in a Snowflake database, given as `snowflake://user@account/database?warehouse=W`.

    What proves the login is in the environment, in variables `SNOWFLAKE_…`. `wait_s` is how long to
    wait for others who use the table, before Busy; those that are gone are waited for besides.
    """

    def __init__(self, url: str, *, wait_s: float = 300, proof: Proof | None = None) -> None:
        self._account, self._wait_s = Account.from_url(url), wait_s
        self._proof = proof or Proof.from_environment(os.environ)

    def __repr__(self) -> str:
        return f"SnowflakeDestination({self.uri!r})"

    @property
    def uri(self) -> str:
        """Account and database, without the user."""
        return self._account.uri

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(widens=False, long_numbers=False)

    def refuses(self, table: Table, mode: WriteMode) -> LoadError | None:
        """The error of what is declared, or of what is there, if a load could only end in it."""
        if refused := refused_declaration(table, mode):
            return refused
        with self._session(table.where) as found:
            return _refused(SnowflakeState(found, table), table, mode)

    def load(self, order: Order) -> Loaded:
        """Put the order's rows into its table, or change no row and raise LoadError."""
        return with_enough_memory(lambda: self._load(order))

    def _load(self, order: Order) -> Loaded:
        table = order.table
        if refused := refused_declaration(table, order.mode):
            raise refused
        with self._session(order.where, order.run_id) as found, scratch_folder() as folder:
            state = SnowflakeState(found, table)
            state.create()
            if order.load_id and (taken := state.taken(order.load_id)) is not None:
                return _loaded(table, found, self.uri, *taken)
            if refused := _refused(state, table, order.mode):
                raise refused
            _require_turn(order, state)
            stored = columns_of(found, table, state.columns())
            # Types never change: not even --full makes one narrower.
            terms = Terms(stored, keeps_all=True, keeps_types=frozenset(c.name for c in stored))
            while True:
                attempt = Path(tempfile.mkdtemp(dir=folder))
                try:
                    return _Load(order, state, terms, self.uri, attempt).run()
                except Misfit as error:
                    terms.judges.append(error.judge)

    def read_cursor(self, table: Table) -> Any:
        """The stored position of `table`, or None."""
        with self._state(table) as state:
            return state.cursor() if state else None

    def last_load(self, table: Table) -> str:
        """The name of the load that came last into `table`, "" without any."""
        with self._state(table) as state:
            return state.last_load() if state else ""

    def describe(self, table: Table) -> list[Column] | None:
        """The table's columns, None where there is no table."""
        with self._session(table.where) as found:
            return describe(found, table) or None

    def count(self, table: Table) -> int | None:
        """The number of rows, None where there is no table."""
        with self._session(table.where) as found:
            return count_of(found, table) if describe(found, table) else None

    def keys(self, table: Table, columns: Sequence[str]) -> Iterator[list[Any]]:
        """The values of row keys `columns`, as JSON values, row by row in bounded memory."""
        with tempfile.TemporaryFile() as spool:
            with self._session(table.where) as found:
                if describe(found, table):
                    state = SnowflakeState(found, table)
                    stored = columns_of(found, table, state.columns() if state.exists() else [])
                    for row in key_rows(found, table, columns, stored):
                        spool.write(json.dumps(row).encode() + b"\n")
            spool.seek(0)
            for line in spool:
                yield json.loads(line)

    def name_in_sql(self, table: Table) -> str:
        """The table's name, quoted as Snowflake keeps it."""
        return sf_table(table)

    def query(
        self, sql: str, limit: int | None = None
    ) -> tuple[list[Column], list[tuple[Any, ...]]]:
        """Run a query that reads; return its columns and at most `limit` rows."""
        with self._session("query") as found:
            return query(found, sql, limit)

    @contextmanager
    def _state(self, table: Table) -> Iterator[SnowflakeState | None]:
        with self._session(table.where) as found:
            state = SnowflakeState(found, table)
            yield state if state.exists() else None

    @contextmanager
    def _session(self, where: str, run_id: str = "") -> Iterator[Session]:
        tag = json.dumps({"app": "connector-assets", "table": where, "run": run_id})
        if not self._proof.way:
            what = "nothing proves the login"
            fix = "set SNOWFLAKE_PRIVATE_KEY_FILE, SNOWFLAKE_TOKEN or SNOWFLAKE_PASSWORD"
            raise LoadError(what, where=self.uri, fix=fix)
        try:
            with session(self._account, self._proof, tag=tag, wait_s=self._wait_s) as found:
                yield found
        except Refused as refused:
            place = self.uri if refused.refusal.is_login else where
            raise raised(refused, place, LoadError) from None


def _refused(state: SnowflakeState, table: Table, mode: WriteMode) -> LoadError | None:
    """The error of a table that is not ours to load."""
    known = state.exists() and bool(state.columns())
    owned = state.owned() if known else None
    rejects = replace(table, name=table.name + REJECTED)
    kind = look(state.session, rejects, None, known=False).kind
    aside = [one.name for one in describe(state.session, rejects)]
    return (
        refused_table(table, mode, look(state.session, table, owned, known=known))
        or refused_as_rejects(table, [one.name for one in describe(state.session, table)])
        or refused_rejects(table, is_table=kind in {None, "table"}, columns=aside)
    )


def _require_turn(order: Order, state: SnowflakeState) -> None:
    """Raise Busy where another load came meanwhile; asked again in the transaction."""
    order.require_last(state.last_load())
    if order.cursor is not None:
        order.require_position(state.cursor())


@dataclass(frozen=True, slots=True)
class _Load:
    """One attempt at a load."""

    order: Order
    state: SnowflakeState
    terms: Terms
    uri: str
    folder: Path

    def run(self) -> Loaded:
        """Type the rows, bring them, and write them; Misfit has who finds those that do not fit."""
        order, table, found = self.order, self.order.table, self.state.session
        typed = typed_parquet(order, self.folder, self.terms)
        file = self._checked(typed)
        # Before anything is made: what is made would stay.
        order.look()
        rows = bring(found, file) if file else None
        aside = self._aside(typed)
        items = self._items()
        if file and rows:
            self._shape(file, typed, rows)
        with found.transaction():
            self.state.lock()
            _require_turn(order, self.state)
            self._move(items)
            if file and rows:
                self._write(file, typed, rows)
            self._write_aside(aside)
            loaded = _loaded(table, found, self.uri, typed.received, typed.rejected)
            dropped = {**typed.dropped, **(file.dropped if file else {})}
            loaded = replace(loaded, dropped=dropped)
            self.state.keep_table(order, typed.columns if file else None)
            self.state.keep_load(order.kept_id, order.way, loaded, run_id=order.run_id)
            order.look()
        if file:
            comment(found, table, [kept_column(row) for row in typed.columns])
        return loaded

    def _checked(self, typed: Typed) -> FileOfRows | None:
        if not typed.rows.types:
            return None
        now = {c.name: c.type for c in describe(self.state.session, self.order.table)}
        return checked(self.order.table, typed.rows, self.terms.stored or (), now)

    def _aside(self, typed: Typed) -> Incoming | None:
        """The rows that are set aside, and their table."""
        if not typed.rejects.types:
            return None
        types = {name: sf_type(type_) for name, type_ in typed.rejects.types.items()}
        file = FileOfRows(typed.rejects.path, types, typed.rejects.count, {})
        found = self.state.session
        evolve(found, self._rejects, types)
        return bring(found, file)

    @property
    def _rejects(self) -> Table:
        return Table(self.order.table.schema, self.order.table.name + REJECTED)

    def _write_aside(self, aside: Incoming | None) -> None:
        if aside:
            mode: WriteMode = "replace" if self.order.way == "replace" else "append"
            SnowflakeWrite(self.state.session, self._rejects, aside).run(mode)

    def _shape(self, file: FileOfRows, typed: Typed, rows: Incoming) -> None:
        """Bring the table to the rows' columns, and the rows to one for each key."""
        found, table, order = self.state.session, self.order.table, self.order
        names = _names(typed, table)
        data = {name: type_ for name, type_ in file.types.items() if name != self._gone(file)}
        retyped = [
            column.name
            for column in self.terms.stored or ()
            if has_no_value(column) and data.get(column.name) not in {None, sf_type(column.type)}
        ]
        evolve(found, table, {**data, **own_columns(order)}, retyped)
        require(found, table, names)
        if key := self._key(names):
            keep_last(found, rows, key)

    def _write(self, file: FileOfRows, typed: Typed, rows: Incoming) -> None:
        order, names = self.order, _names(typed, self.order.table)
        told = [names[key] for key in LOAD_COLUMNS if key in names]
        owned = self.state.owned()
        prunes = not typed.rejected and order.may_prune(owned.key if owned else None)
        write = SnowflakeWrite(
            self.state.session, order.table, rows, self._key(names), told, self._gone(file)
        )
        way = "merge" if prunes else order.way
        write.run(way, is_all=order.is_all(typed.rejected), prunes=prunes)

    def _key(self, names: Mapping[str, str]) -> list[str]:
        if self.order.way == "append":
            return []
        return [names[key] for key in self.order.table.primary_key]

    def _gone(self, file: FileOfRows) -> str | None:
        gone = self.order.table.deleted
        return gone if gone in file.types else None

    def _items(self) -> str | None:
        """A table of the positions of many items, that the transaction takes them from."""
        cursor = self.order.cursor
        if cursor is None:
            return None
        found = self.state.cursor()
        adds = cursor.adds and isinstance(found, ItemPositions)
        value = cursor.value if adds else whole(cursor)
        if not adds and not isinstance(value, ItemPositions):
            return None
        lines, path = self.folder / "items.ndjson", self.folder / "items.parquet"
        write_lines(value, lines)
        with scratch(self.folder / "items.duckdb", where=self.order.where) as connection:
            columns = "{'item': 'VARCHAR', 'position': 'VARCHAR'}"
            connection.execute(
                f"copy (select item, position from read_json({literal(str(lines))}, "
                f"format = 'newline_delimited', columns = {columns})) "
                f"to {literal(str(path))} (format parquet)"
            )
        return bring_items(self.state.session, path)

    def _move(self, items: str | None) -> None:
        """Store the order's position."""
        cursor, state = self.order.cursor, self.state
        if cursor is None:
            return
        are_rows = isinstance(state.cursor(), ItemPositions)
        if items or are_rows:
            state.keep_items(items, adds=bool(items) and cursor.adds and are_rows)
        state.keep_cursor(None if items else json.dumps(whole(cursor)), self.order)


def _names(typed: Typed, table: Table) -> dict[str, str]:
    """Row keys to column names, with that of the mark of deleted rows."""
    names = {row["key"]: row["column_name"] for row in typed.columns}
    if table.deleted is not None and table.deleted in typed.rows.types:
        names[table.deleted] = table.deleted
    return names


def _loaded(table: Table, found: Session, uri: str, received: int, rejected: int) -> Loaded:
    columns = describe(found, table)
    rows = count_of(found, table) if columns else 0
    return Loaded(received, rows, columns, uri, rejected)
