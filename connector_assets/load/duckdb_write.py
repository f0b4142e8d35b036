"""Rows from segments into a DuckDB table, inside a transaction that someone else commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from connector_assets.errors import LoadError
from connector_assets.load.derived import renamed
from connector_assets.load.duckdb_casts import Cast, exact_cast, time_cast
from connector_assets.load.duckdb_sql import quoted, read_rows, widened
from connector_assets.load.plan import Planned
from connector_assets.load.policy import Misfit, MissingKey, Numbered
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

    def run(self, mode: WriteMode) -> None:
        if mode == "replace":
            self._create("create or replace table")
        else:
            self._create("create table if not exists")
            self._evolve()
        last = self._last_row()
        self._insert()
        if mode == "merge" or (mode == "replace" and self._table.primary_key):
            self._require_key(last)
            self._keep_last(last)
            self._replace_older(last)

    def _create(self, create: str) -> None:
        columns = ", ".join(
            f"{quoted(item.column.name)} {item.column.type}" for item in self._planned
        )
        self._execute(f"{create} {self._target} ({columns})")

    def _evolve(self) -> None:
        for item in self._planned:
            name, type_ = quoted(item.column.name), item.column.type
            if item.before is None:
                self._execute(f"alter table {self._target} add column if not exists {name} {type_}")
            elif item.before.type != type_:
                using = widened(item.before, type_)
                self._execute(f"alter table {self._target} alter {name} type {type_} using {using}")

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

    def _require_key(self, last: int) -> None:
        for path, column in zip(self._table.primary_key, self._key(), strict=True):
            row = self._execute(
                f"select min(rowid) filter ({column} is null) - min(rowid) + 1 "
                f"from {self._target} where rowid > {last}"
            )[0][0]
            if row is not None and self._table.schema_policy == "quarantine":
                raise Misfit(MissingKey(self._table))
            if row is not None:
                raise LoadError(
                    f'row {row} has no key: "{path}" is null or missing',
                    where=self._where,
                    fix="correct primaryKey, or leave such rows out with where",
                )

    def _keep_last(self, last: int) -> None:
        """Of new rows with one key, the one that came last stays."""
        keys = ", ".join(self._key())
        new = f"from {self._target} where rowid > {last} group by {keys}"
        if self._execute(f"select 1 {new} having count(*) > 1 limit 1"):
            self._execute(
                f"delete from {self._target} where rowid > {last} "
                f"and rowid not in (select max(rowid) {new})"
            )

    def _replace_older(self, last: int) -> None:
        """Rows are replaced whole: a column that the new row lacks becomes NULL."""
        if last >= 0:
            same = " and ".join(f"new.{key} = old.{key}" for key in self._key())
            self._execute(
                f"delete from {self._target} old using {self._target} new "
                f"where old.rowid <= {last} and new.rowid > {last} and {same}"
            )

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
