"""Typed rows into a PostgreSQL table, inside a transaction that someone else commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from psycopg import Connection

from connector_assets.errors import RowsError
from connector_assets.load.columns.plan import NO_COLUMN, KeyColumn
from connector_assets.load.columns.policy import Misfit, Numbered
from connector_assets.load.duckdb.sql import literal
from connector_assets.load.duckdb.tables import PARTITION, VALID_FROM, VALID_TO
from connector_assets.load.duckdb.typed import TypedRows
from connector_assets.load.postgres.changes import require_old_fit
from connector_assets.load.postgres.exact import Chosen, unfit_rows
from connector_assets.load.postgres.sql import (
    pg_name,
    pg_quoted,
    pg_table,
    pg_type,
    pg_widened,
)
from connector_assets.load.postgres.tables import describe
from connector_assets.load.postgres.upsert import PostgresUpsert
from connector_assets.load.table import Table, WriteMode

_INCOMING, _COPIED = "connector_assets_incoming", "connector_assets_copied"
_NUMBER = "connector_assets_row"
_CHUNK = 1 << 20


class PostgresWrite:
    """One write of one table: bring its columns up to date, copy rows in, apply them by mode."""

    def __init__(  # noqa: PLR0917 # what is written, and where
        self,
        connection: Connection[Any],
        table: Table,
        rows: TypedRows,
        names: Mapping[str, str],
        declared: Collection[str] = (),
        chosen: Mapping[str, Chosen] | None = None,
    ) -> None:
        """`names` maps row keys to column names, `declared` are those whose type is given.

        `chosen` are types that somebody else gave columns and that come as JSON: where there are
        any, the last column of `rows` is the number of each.
        """
        self._connection, self._table, self._rows, self._names = connection, table, rows, names
        self._chosen = chosen or {}
        self._target = pg_table(table)
        self._declared = declared
        gone = names.get(table.deleted) if table.deleted else None
        self._gone = gone if gone in rows.types else None
        self.dropped: dict[str, int] = {}

    def run(
        self,
        mode: WriteMode,
        stored: Sequence[KeyColumn],
        *,
        is_all: bool,
        prunes: bool = False,
    ) -> None:
        """Write the rows; `is_all` says that the source has no others, for scd2.

        With `prunes`, a merge deletes the keys that did not come.
        """
        part = self._table.partition if mode == "replace" else None
        own = {} if part is None else {PARTITION: "VARCHAR"}
        if mode == "scd2":
            own |= dict.fromkeys((VALID_FROM, VALID_TO), "TIMESTAMP WITH TIME ZONE")
        if mode == "replace" and part is None:
            # First, or they would have to fit; not truncate: readers would see an empty table.
            self._clear()
        self._evolve(stored, own)
        by_key = mode != "append" and bool(self._table.primary_key)
        if self._needs_no_look(mode, part, by_key=by_key):
            self._copy_into(f"{self._target} ({', '.join(map(pg_quoted, self._rows.types))})")
            return
        self._copy()
        if by_key:
            self._keep_last()
        if mode == "scd2":
            self._make_versions(is_all=is_all)
            self._insert({VALID_FROM: "now()"})
            return
        if part is not None:
            self._execute(f"delete from {self._target} where {PARTITION} = {literal(part)}")
        if by_key and mode == "merge":
            self._upsert().run(prunes=prunes)
        elif by_key and part is not None:
            same = self._same()
            self._execute(f"delete from {self._target} old using {_INCOMING} new where {same}")
        if self._gone:
            self._execute(f"delete from {_INCOMING} where {pg_quoted(self._gone)}")
        self._insert({PARTITION: literal(part)} if part is not None else {})

    def _needs_no_look(self, mode: WriteMode, part: str | None, *, by_key: bool) -> bool:
        """Whether rows go into the table as they are, and need not be copied twice."""
        as_they_are = not self._chosen and not self._gone and part is None
        return as_they_are and (
            mode == "append" or (mode == "replace" and not (by_key and self._may_have_twins()))
        )

    def _upsert(self) -> PostgresUpsert:
        columns = [pg_name(name) for name in self._data()]
        return PostgresUpsert(
            self._connection,
            self._target,
            _INCOMING,
            columns,
            [pg_name(self._names[key]) for key in self._table.primary_key],
            self._same(),
            self._differs,
            pg_quoted(self._gone) if self._gone else "",
        )

    def _differs(self, column: str) -> str:
        """SQL of whether a column, by its name in SQL, is another in a new row than in the old."""
        told = {self._names.get(key) for key in self._table.wanted.load_columns}
        if any(name and pg_quoted(name) == column for name in told):
            return "false"
        chosen = {pg_quoted(name): chosen for name, chosen in self._chosen.items()}.get(column)
        text = "::text" if chosen and not chosen.has_equality else ""
        return f"new.{column}{text} is distinct from old.{column}{text}"

    def _clear(self) -> None:
        if describe(self._connection, self._table):
            self._execute(f"delete from {self._target}")

    def _evolve(self, stored: Sequence[KeyColumn], own: Mapping[str, str]) -> None:
        """Make the table, or change what has to be changed in one go: it may rewrite all rows."""
        wanted = {**self._data(), **own}
        now = {column.name for column in describe(self._connection, self._table)}
        if not now:
            self._create(wanted)
            return
        changes = [
            f"add column {pg_quoted(name)} {pg_type(type_)}"
            for name, type_ in wanted.items()
            if pg_name(name) not in now
        ]
        if NO_COLUMN in now - wanted.keys():  # the table was made of no rows
            changes.append(f"drop column {pg_quoted(NO_COLUMN)}")
        changes += self._changes(stored, wanted)
        if changes:
            self._execute(f"alter table {self._target} {', '.join(changes)}")

    def _changes(self, stored: Sequence[KeyColumn], wanted: Mapping[str, str]) -> list[str]:
        """What turns columns into their new types, once it is known that old values fit."""
        changes = [
            (before, replace(before, type=type_, fixed=before.name in self._declared))
            for before in stored
            if (type_ := wanted.get(before.name)) and pg_type(before.type) != pg_type(type_)
        ]
        declared = [(before, after) for before, after in changes if after.fixed]
        require_old_fit(self._connection, self._table, declared)
        return [
            f"alter column {pg_quoted(after.name)} type {pg_type(after.type)} "
            f"using {pg_widened(before, after.type)}"
            for before, after in changes
        ]

    def _create(self, columns: Mapping[str, str]) -> None:
        schema = self._connection.execute(
            "select from pg_namespace where nspname = %s", [pg_name(self._table.schema)]
        ).fetchone()
        if schema is None:
            # "if not exists" is not safe against another load that is just creating it.
            self._connection.execute(
                "select pg_advisory_xact_lock(hashtextextended(%s, 0))",
                [f"connector_assets:{self._table.schema}"],
            )
            self._execute(f"create schema if not exists {pg_quoted(self._table.schema)}")
        typed = (f"{pg_quoted(name)} {self._new_type(type_)}" for name, type_ in columns.items())
        self._execute(f"create table {self._target} ({', '.join(typed)})")

    def _new_type(self, type_: str) -> str:
        """The type of a column in a new table."""
        return pg_type(type_)

    def _copy(self) -> None:
        """Copy the CSV into a table of this transaction only, whose types are the target's."""
        columns = [self._incoming(name) for name in self._rows.types]
        into = _COPIED if self._chosen else _INCOMING
        if self._chosen:
            columns.append(f"null::bigint {_NUMBER}")
        self._execute(
            f"create temp table {into} on commit drop as "
            f"select {', '.join(columns)} from {self._target} with no data"
        )
        self._copy_into(into)
        if self._chosen:
            self._cast()

    def _copy_into(self, into: str) -> None:
        with (
            self._connection.cursor() as cursor,
            cursor.copy(f"copy {into} from stdin (format csv)".encode()) as copy,
            self._rows.path.open("rb") as file,
        ):
            while chunk := file.read(_CHUNK):
                copy.write(chunk)

    def _incoming(self, name: str) -> str:
        """A column as it is copied in."""
        if name == self._gone:
            return f"null::boolean {pg_quoted(name)}"
        return f"null::json {pg_quoted(name)}" if self._arriving(name) else pg_quoted(name)

    def _arriving(self, name: str) -> Chosen | None:
        return self._chosen.get(pg_name(name))

    def _cast(self) -> None:
        """Turn JSON into the types that were chosen, if every value is exact there."""
        names = list(self._rows.types)
        types = {name: chosen for name in names if (chosen := self._arriving(name))}
        if unfit := unfit_rows(self._connection, _COPIED, _NUMBER, types):
            kept = self._drop(unfit)
            if kept:
                self._refuse({name: (types[name].type, rows) for name, rows in kept.items()})
        values = ", ".join(
            f"{types[name].value(pg_quoted(name))} as {pg_quoted(name)}"
            if name in types
            else pg_quoted(name)
            for name in names
        )
        self._execute(
            f"create temp table {_INCOMING} on commit drop as "
            f"select {values} from {_COPIED} order by {_NUMBER}"
        )
        self._execute(f"drop table {_COPIED}")

    def _drop(self, unfit: Mapping[str, Sequence[int]]) -> dict[str, Sequence[int]]:
        """Leave values out that do not fit, where that is wanted; return the others."""
        table, columns = self._table, {name: key for key, name in self._names.items()}
        must = {*table.wanted.required, *table.primary_key}
        kept = {}
        for name, rows in unfit.items():
            if table.on_misfit != "drop" or columns.get(name) in must:
                kept[name] = rows
                continue
            self._connection.execute(
                f"update {_COPIED} set {pg_quoted(name)} = null where {_NUMBER} = any(%s)".encode(),
                [list(rows)],
            )
            self.dropped[name] = len(rows)
        return kept

    def _refuse(self, unfit: Mapping[str, tuple[str, Sequence[int]]]) -> None:
        """Raise Misfit, to set the rows aside, or the error that names the first of them."""
        reasons: dict[int, str] = {}
        for name, (type_, rows) in unfit.items():
            reason = f'column "{name[:60]}" has a value that is not exactly a {type_}'
            reasons = {**dict.fromkeys(rows, reason), **reasons}
        if self._table.schema_policy == "quarantine":
            raise Misfit(Numbered(reasons))
        first = min(reasons)
        raise RowsError(
            f"row {first}: {reasons[first]}",
            where=self._table.where,
            fix="change the column's type, or set schemaPolicy to quarantine",
        )

    def _keep_last(self) -> None:
        """Of new rows with one key, the last: keys that differ as texts may be one as jsonb."""
        if self._chosen or self._may_have_twins():
            # TypedRows of one copy into a new table stand there in their order.
            self._execute(
                f"delete from {_INCOMING} old using {_INCOMING} new "
                f"where {self._same()} and old.ctid < new.ctid"
            )

    def _may_have_twins(self) -> bool:
        keys = [self._names[key] for key in self._table.primary_key]
        return any(pg_type(self._rows.types[name]) == "jsonb" for name in keys)

    def _insert(self, more: Mapping[str, str]) -> None:
        names = ", ".join(pg_quoted(name) for name in (*self._data(), *more))
        values = ", ".join([*(pg_quoted(name) for name in self._data()), *more.values()])
        self._execute(f"insert into {self._target} ({names}) select {values} from {_INCOMING}")
        self._execute(f"drop table {_INCOMING}")

    def _make_versions(self, *, is_all: bool) -> None:
        """Keep history: close the versions that changed or went, drop rows that did not change.

        With `is_all`, a key that did not come is gone as well.
        """
        same, current = self._same(), f"old.{VALID_TO} is null"
        stays = f"and not coalesce(new.{pg_quoted(self._gone)}, false)" if self._gone else ""
        equal = " and ".join(f"not ({self._differs(pg_quoted(name))})" for name in self._data())
        close = f"update {self._target} old set {VALID_TO} = now() where {current}"
        new = f"(select 1 from {_INCOMING} new where {same}"
        if is_all:
            self._execute(f"{close} and not exists {new} {stays})")
        self._execute(
            f"delete from {_INCOMING} new using {self._target} old "
            f"where {current} and {same} and {equal} {stays}"
        )
        self._execute(f"{close} and exists {new})")
        if self._gone:
            self._execute(f"delete from {_INCOMING} where {pg_quoted(self._gone)}")

    def _same(self) -> str:
        keys = [pg_quoted(self._names[key]) for key in self._table.primary_key]
        return " and ".join(f"new.{key} = old.{key}" for key in keys)

    def _data(self) -> dict[str, str]:
        return {name: type_ for name, type_ in self._rows.types.items() if name != self._gone}

    def _execute(self, statement: str) -> None:
        self._connection.execute(statement.encode())


class RejectsWrite(PostgresWrite):
    """One of a table of rejects, whose rows are to be seen as they came: jsonb drops keys."""

    def _new_type(self, type_: str) -> str:
        return "json" if type_ == "JSON" else pg_type(type_)
