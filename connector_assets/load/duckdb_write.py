"""Rows from segments into a DuckDB table, inside a transaction that someone else commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from connector_assets.errors import LoadError
from connector_assets.load.derived import renamed
from connector_assets.load.duckdb_casts import Cast, exact_cast, time_cast
from connector_assets.load.duckdb_new_rows import NewRows
from connector_assets.load.duckdb_sql import literal, quoted, read_rows, widened
from connector_assets.load.duckdb_tables import OWN_COLUMNS, PARTITION, VALID_FROM, VALID_TO
from connector_assets.load.plan import Planned
from connector_assets.load.policy import Misfit, Numbered
from connector_assets.load.profile import Profile
from connector_assets.load.table import Segment, Table, WriteMode

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class NotTimes(Exception):
    """Columns of texts that looked like times are not all times; load them as text."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys
        super().__init__(", ".join(keys))


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
        self._own: list[str] = []

    def run(self, mode: WriteMode, *, is_all: bool) -> None:
        """Write the rows; `is_all` says that the source has no others, for scd2."""
        table = self._table
        is_part = mode == "replace" and table.partition is not None
        if is_part:
            self._own = [PARTITION]
        elif mode == "scd2":
            self._own = [VALID_FROM, VALID_TO]
        if mode == "replace" and not is_part:
            self._create("create or replace table")
        else:
            self._create("create table if not exists")
            self._evolve()
        last = self._last_row()
        if is_part:
            part = literal(table.partition or "")
            self._execute(f"delete from {self._target} where {PARTITION} = {part}")
        self._insert()
        if mode != "append" and table.primary_key:
            rows = NewRows(self._connection, table, self._key(), last)
            rows.require_key()
            rows.keep_last()
            if mode == "scd2":
                rows.make_versions(
                    [quoted(name) for name in self._data()], self._gone(), is_all=is_all
                )
            else:
                rows.replace_older()
        if self._gone():
            self._execute(f"delete from {self._target} where rowid > {last} and {self._gone()}")
            self._execute(f"alter table {self._target} drop column {self._gone()}")

    def _create(self, create: str) -> None:
        types = {item.column.name: item.column.type for item in self._planned}
        columns = ", ".join(
            f"{quoted(name)} {type_}" for name, type_ in {**types, **self._own_types()}.items()
        )
        self._execute(f"{create} {self._target} ({columns})")

    def _evolve(self) -> None:
        add = f"alter table {self._target} add column if not exists"
        for item in self._planned:
            name, type_ = quoted(item.column.name), item.column.type
            if item.before is None:
                self._execute(f"{add} {name} {type_}")
            elif item.before.type != type_:
                using = widened(item.before, type_)
                self._execute(f"alter table {self._target} alter {name} type {type_} using {using}")
        for name, type_ in self._own_types().items():
            self._execute(f"{add} {quoted(name)} {type_}")

    def _own_types(self) -> dict[str, str]:
        return {name: OWN_COLUMNS[name] for name in self._own}

    def _gone(self) -> str:
        """The column of rows that say "this key is gone", if any row has it."""
        key = self._table.deleted
        return next((quoted(i.column.name) for i in self._planned if i.column.key == key), "")

    def _data(self) -> list[str]:
        return [i.column.name for i in self._planned if i.column.key != self._table.deleted]

    def _last_row(self) -> int:
        """The highest rowid now; rows inserted from here on have higher ones, in their order."""
        return int(self._execute(f"select coalesce(max(rowid), -1) from {self._target}")[0][0])

    def _insert(self) -> None:
        if not self._found.rows:
            return
        arriving = [item for item in self._planned if item.arrives] or self._planned[:1]
        casts = {item.column.name: _cast(item) for item in arriving}
        names = ", ".join(map(quoted, casts))
        values = ", ".join(_checked(cast) for cast in casts.values())
        if PARTITION in self._own:
            part = literal(self._table.partition or "")
            names, values = f"{names}, {PARTITION}", f"{values}, {part}"
        with renamed(self._segments, {i.column.key: i.column.name for i in arriving}) as segments:
            types = {item.column.name: _read_type(item) for item in arriving}
            rows = read_rows(segments, types, longest=self._found.longest)
            try:
                inserted = self._execute(
                    f"insert into {self._target} ({names}) select {values} from {rows}"
                )
            except Exception:
                self._execute("rollback")
                self._explain(rows, arriving, casts)
                raise
        if inserted[0][0] != self._found.rows:
            raise LoadError(
                f"{self._found.rows:,} rows were staged, {inserted[0][0]:,} arrived",
                where=self._where,
            )

    def _explain(self, rows: str, arriving: Sequence[Planned], casts: Mapping[str, Cast]) -> None:
        """Say which column, from which row on, has a value that does not fit."""
        checked = [item for item in arriving if casts[item.column.name].unfit != "false"]
        if not checked:
            return
        firsts = ", ".join(
            f"min(number) filter ({casts[item.column.name].unfit})" for item in checked
        )
        numbered = f"(select row_number() over () as number, * from {rows})"
        found = self._execute(f"select {firsts} from {numbered}")[0]
        unfit = [(item, row) for item, row in zip(checked, found, strict=True) if row is not None]
        for item, row in unfit:
            if item.column.fixed:
                reason = _reason(item)
                if self._table.schema_policy == "quarantine":
                    bad = casts[item.column.name].unfit
                    numbers = self._execute(f"select number from {numbered} where {bad}")
                    raise Misfit(Numbered({number for (number,) in numbers}, reason))
                raise LoadError(
                    f"row {row}: {reason}",
                    where=self._where,
                    fix="change the declared type, or leave it out",
                )
        if unfit:
            raise NotTimes([item.column.key for item, _ in unfit])

    def _key(self) -> list[str]:
        names = {item.column.key: item.column.name for item in self._planned}
        return [quoted(names[key]) for key in self._table.primary_key]

    def _execute(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()


def _read_type(item: Planned) -> str:
    if item.column.shape:
        return "VARCHAR"
    return item.source if item.column.fixed and item.column.type != "JSON" else item.column.type


def _cast(item: Planned) -> Cast:
    name = quoted(item.column.name)
    if item.column.shape:
        return time_cast(name, item.column.shape, item.column.type)
    return exact_cast(name, _read_type(item), item.column.type)


def _reason(item: Planned) -> str:
    return (
        f'column "{item.column.name}" has a value that is not exactly a {item.column.type.lower()}'
    )


def _checked(cast: Cast) -> str:
    if cast.unfit == "false":
        return cast.value
    return f"CASE WHEN {cast.unfit} THEN error('unfit') ELSE {cast.value} END"
