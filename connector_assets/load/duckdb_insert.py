"""Rows of staged files into a table's columns: what is read as what, and what does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from connector_assets.errors import LoadError, RowsError
from connector_assets.load.derived import readable
from connector_assets.load.digits import Change, as_text, nested_decimals
from connector_assets.load.duckdb_casts import Cast, exact_cast, holds_digits, time_cast
from connector_assets.load.duckdb_sql import is_nested, literal, quoted, read_parquet, read_rows
from connector_assets.load.kinds import NOTHING, Kind, Profile
from connector_assets.load.plan import Planned
from connector_assets.load.policy import Misfit, Numbered
from connector_assets.load.profile_parquet import parquet_types
from connector_assets.load.table import Segment, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


# Of `[0,0]` as decimal(38,37)[] it becomes `["0.000…","0.000…"]`.
_LONGER = 24


class NotTimes(Exception):
    """Columns of texts that looked like times are not all times; load them as text."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys
        super().__init__(", ".join(keys))


@dataclass(frozen=True, slots=True)
class Source:
    """Rows as a table expression, and what to make of their columns; `before` rows came earlier."""

    rows: str
    values: Mapping[str, tuple[Planned, Cast]]
    before: int


class Insert:
    """Puts all staged rows into `target`; `ordered` keeps their order, at nearly twice the time."""

    def __init__(
        self,
        connection: DuckDBPyConnection,
        table: Table,
        planned: Sequence[Planned],
        found: Profile,
        *,
        ordered: bool,
    ) -> None:
        self._connection, self._table = connection, table
        self._planned, self._found, self._ordered = planned, found, ordered

    def run(self, target: str, segments: Sequence[Segment], constants: Mapping[str, str]) -> None:
        """Insert, with the same value of each of `constants` in every row."""
        inserted = 0
        for format_, group in groupby(segments, lambda segment: segment.format):
            read = self._json if format_ == "ndjson" else self._parquet
            with read(list(group), inserted) as source:
                inserted += self._insert(target, source, constants)
        if inserted != self._found.rows:
            raise LoadError(
                f"{self._found.rows:,} rows were staged, {inserted:,} arrived", where=self._where()
            )

    def _insert(self, target: str, source: Source, constants: Mapping[str, str]) -> int:
        import duckdb

        names = ", ".join(quoted(name) for name in (*source.values, *constants))
        values = [_checked(cast) for _, cast in source.values.values()]
        selected = ", ".join([*values, *map(literal, constants.values())])
        try:
            sql = f"insert into {target} ({names}) select {selected} from {source.rows}"
            with self._order():
                return int(self._execute(sql)[0][0])
        except duckdb.Error:  # not an interruption, of which there is nothing to explain
            self._execute("rollback")
            self._explain(source)
            raise

    @contextmanager
    def _order(self) -> Iterator[None]:
        """Let DuckDB's threads write blocks of rows as they come, where nobody asks for order."""
        setting = "preserve_insertion_order"
        # A setting is the database's, and a connection whose statement failed could not reset it.
        with self._connection.cursor() as beside:
            before = beside.execute(f"select current_setting('{setting}')").fetchall()[0][0]
            beside.execute(f"set {setting} = {self._ordered}")
            try:
                yield
            finally:
                beside.execute(f"set {setting} = {before}")

    @contextmanager
    def _json(self, segments: Sequence[Segment], before: int) -> Iterator[Source]:
        arriving = [item for item in self._planned if item.arrives] or self._planned[:1]
        names = {item.column.key: item.column.name for item in arriving}
        changes = {i.column.key: change for i in arriving if (change := self._change(i))}
        with readable(segments, names, changes) as files:
            types = {i.column.name: _read_type(i, changes.get(i.column.key)) for i in arriving}
            rows = read_rows(files, types, longest=self._longest(changes))
            values = {i.column.name: (i, _cast(i, types[i.column.name])) for i in arriving}
            yield Source(rows, values, before)

    def _change(self, item: Planned) -> Change | None:
        """What keeps numbers from going through a double into a type that holds more digits."""
        column, kinds = item.column, self._found.kinds.get(item.column.key, NOTHING)
        if not column.fixed:
            return None
        if kinds & Kind.NESTED and is_nested(column.type):
            return nested_decimals(column.type)
        has_points = kinds & (Kind.FLOAT | Kind.FLOAT_ANY)
        return as_text if has_points and holds_digits(column.type) else None

    def _longest(self, changes: Mapping[str, Change]) -> int:
        """A line's bytes, with the quotes and places that changed numbers have got."""
        has_lists = any(change is not as_text for change in changes.values())
        return self._found.longest * (_LONGER if has_lists else 1) + 2 * len(changes)

    @contextmanager
    def _parquet(self, segments: Sequence[Segment], before: int) -> Iterator[Source]:
        columns = {item.column.key: item for item in self._planned}
        values = {
            item.column.name: (item, exact_cast(quoted(key), type_, item.column.type))
            for key, type_ in parquet_types(segments).items()
            if (item := columns.get(key))
        }
        yield Source(read_parquet(segments), values, before)

    def _explain(self, source: Source) -> None:
        """Say which column, from which row on, has a value that does not fit."""
        checked = [value for value in source.values.values() if value[1].unfit != "false"]
        if not checked:
            return
        firsts = ", ".join(f"min(number) filter ({cast.unfit})" for _, cast in checked)
        number = f"row_number() over () + {source.before} as number"
        numbered = f"(select {number}, * from {source.rows})"
        found = self._execute(f"select {firsts} from {numbered}")[0]
        unfit = [
            (item, cast, row)
            for (item, cast), row in zip(checked, found, strict=True)
            if row is not None
        ]
        for item, cast, row in unfit:
            if not item.column.shape:
                self._refuse(item, row, f"select number from {numbered} where {cast.unfit}")
        if unfit:
            raise NotTimes([item.column.key for item, _, _ in unfit])

    def _refuse(self, item: Planned, row: int, all_rows: str) -> None:
        type_ = item.column.type.lower()
        reason = f'column "{item.column.name}" has a value that is not exactly a {type_}'
        if self._table.schema_policy == "quarantine":
            raise Misfit(Numbered({number for (number,) in self._execute(all_rows)}, reason))
        raise RowsError(
            f"row {row}: {reason}",
            where=self._where(),
            fix="change the declared type, or leave it out",
        )

    def _where(self) -> str:
        return f"{self._table.schema}.{self._table.name}"

    def _execute(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()


def _read_type(item: Planned, change: Change | None) -> str:
    if item.column.shape or (change and item.source != "JSON"):
        return "VARCHAR"
    return item.source if item.column.fixed and item.column.type != "JSON" else item.column.type


def _cast(item: Planned, source: str) -> Cast:
    name = quoted(item.column.name)
    if item.column.shape:
        return time_cast(name, item.column.shape, item.column.type)
    return exact_cast(name, source, item.column.type)


def _checked(cast: Cast) -> str:
    if cast.unfit == "false":
        return cast.value
    return f"CASE WHEN {cast.unfit} THEN error('unfit') ELSE {cast.value} END"
