"""Rows from segments into a DuckDB table, inside a transaction that someone else commits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.errors import LoadError
from connector_assets.load.duckdb_sql import literal, quoted, read_rows, unfit, widened
from connector_assets.load.plan import Planned
from connector_assets.load.profile import Profile
from connector_assets.load.renamed import renamed
from connector_assets.load.table import Segment, Table, WriteMode

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_INCOMING = "_connector_assets_incoming"


class Write:
    """One write of one table; `run` is the whole of it."""

    def __init__(
        self,
        connection: DuckDBPyConnection,
        table: Table,
        planned: Sequence[Planned],
        found: Profile,
        segments: Sequence[Segment],
    ) -> None:
        self._connection, self._table = connection, table
        self._planned, self._found, self._segments = planned, found, segments
        self._where = f"{table.schema}.{table.name}"
        self._target = f"{quoted(table.schema)}.{quoted(table.name)}"

    def run(self, mode: WriteMode) -> None:
        if mode == "replace":
            self._create("create or replace table", self._target)
            self._insert(self._target)
            if self._table.primary_key:
                self._require_key(self._target)
                self._keep_last(self._target)
        elif mode == "append":
            self._evolve()
            self._insert(self._target)
        elif mode == "merge":
            self._evolve()
            self._merge()
        else:
            raise LoadError(f"write mode {mode} is not known here", where=self._where)

    def _create(self, create: str, name: str) -> None:
        columns = ", ".join(
            f"{quoted(item.column.name)} {item.column.type}" for item in self._planned
        )
        self._execute(f"{create} {name} ({columns})")

    def _evolve(self) -> None:
        self._create("create table if not exists", self._target)
        for item in self._planned:
            name, type_ = quoted(item.column.name), item.column.type
            if item.before is None:
                self._execute(f"alter table {self._target} add column if not exists {name} {type_}")
            elif item.before.type != type_:
                using = widened(name, item.before.type, type_)
                self._execute(f"alter table {self._target} alter {name} type {type_} using {using}")

    def _merge(self) -> None:
        """Replace whole rows by key: a column that the new row lacks becomes NULL."""
        self._create("create or replace temp table", _INCOMING)
        self._insert(_INCOMING)
        self._require_key(_INCOMING)
        self._keep_last(_INCOMING)
        same = " and ".join(f"t.{key} = i.{key}" for key in self._key())
        self._execute(f"delete from {self._target} t using {_INCOMING} i where {same}")
        names = ", ".join(quoted(item.column.name) for item in self._planned)
        self._execute(f"insert into {self._target} ({names}) select {names} from {_INCOMING}")
        self._execute(f"drop table {_INCOMING}")

    def _insert(self, name: str) -> None:
        if not self._found.rows:
            return
        arriving = [item for item in self._planned if item.arrives] or self._planned[:1]
        names = ", ".join(quoted(item.column.name) for item in arriving)
        values = ", ".join(_value(item) for item in arriving)
        with renamed(self._segments, {i.column.key: i.column.name for i in arriving}) as paths:
            rows = self._rows(paths, arriving)
            sql = f"insert into {name} ({names}) select {values} from {rows}"
            try:
                inserted = self._execute(sql)[0][0]
            except Exception:
                self._explain(rows, arriving)
                raise
        if inserted != self._found.rows:
            raise LoadError(
                f"{self._found.rows:,} rows were staged, {inserted:,} arrived", where=self._where
            )

    def _rows(self, paths: Sequence[Path], arriving: Sequence[Planned]) -> str:
        types = {i.column.name: i.source if i.column.fixed else i.column.type for i in arriving}
        return read_rows(paths, types, longest=self._found.longest)

    def _explain(self, rows: str, arriving: Sequence[Planned]) -> None:
        """Name the column and the first row whose value does not fit a declared type."""
        self._execute("rollback")
        for item in arriving:
            bad = _unfit(item)
            if bad == "false":
                continue
            first = self._execute(
                f"select row from (select row_number() over () as row, {bad} as bad from {rows}) "
                "where bad limit 1"
            )
            if first:
                raise LoadError(
                    f'column "{item.column.name}": row {first[0][0]} has a value that is not '
                    f"exactly a {item.column.type.lower()}",
                    where=self._where,
                    fix="change the declared type, or leave it out",
                )

    def _key(self) -> list[str]:
        names = {item.column.key: item.column.name for item in self._planned}
        return [quoted(names[key]) for key in self._table.primary_key]

    def _require_key(self, name: str) -> None:
        for path, column in zip(self._table.primary_key, self._key(), strict=True):
            # In a table filled just now, rowids are in the order of arrival, from anywhere.
            row = self._execute(
                f"select min(rowid) filter ({column} is null) - min(rowid) + 1 from {name}"
            )[0][0]
            if row is not None:
                raise LoadError(
                    f'row {row} has no key: "{path}" is null or missing',
                    where=self._where,
                    fix="correct primaryKey, or leave such rows out with where",
                )

    def _keep_last(self, name: str) -> None:
        keys = ", ".join(self._key())
        self._execute(
            f"delete from {name} where rowid in (select unnest(list(rowid order by rowid)[:-2]) "
            f"from {name} group by {keys} having count(*) > 1)"
        )

    def _execute(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()


def _unfit(item: Planned) -> str:
    if not item.column.fixed:
        return "false"
    return unfit(quoted(item.column.name), item.source, item.column.type)


def _value(item: Planned) -> str:
    name, bad = quoted(item.column.name), _unfit(item)
    if bad == "false":
        return name
    what = literal(f"column {item.column.name} does not fit")
    return f"CASE WHEN {bad} THEN error({what}) ELSE CAST({name} AS {item.column.type}) END"
