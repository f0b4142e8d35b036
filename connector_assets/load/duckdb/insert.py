"""Rows of staged files into a table's columns: what is read as what, and what does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from connector_assets.errors import LoadError, RowsError
from connector_assets.load.columns.derived import readable
from connector_assets.load.columns.digits import (
    Change,
    as_json_text,
    as_json_where_long,
    as_text,
    nested_digits,
)
from connector_assets.load.columns.plan import PlannedColumn
from connector_assets.load.columns.policy import Misfit, Numbered
from connector_assets.load.columns.profile_parquet import parquet_types
from connector_assets.load.duckdb.casts import Cast, exact_cast, holds_digits, time_cast
from connector_assets.load.duckdb.errors import refused
from connector_assets.load.duckdb.sql import is_nested, literal, quoted, read_parquet, read_rows
from connector_assets.load.kinds import NOTHING, Kind, Profile, is_settled
from connector_assets.load.table import Segment, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


# Of `[0,0]` as decimal(38,37)[] it becomes `["0.000…","0.000…"]`.
_LONGER = 24
# A tuple: a change may also be a mapping of changes, which no set can look for.
_AS_JSON = (as_json_text, as_json_where_long)


class NotTimes(Exception):
    """Columns of texts that looked like times are not all times; load them as text."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys
        super().__init__(", ".join(keys))


class Dropped(Exception):
    """Values of these row keys do not fit their columns; load again without them."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys
        super().__init__(", ".join(keys))


@dataclass(frozen=True, slots=True)
class StagedRows:
    """Rows as a table expression, and what to make of their columns; `before` rows came earlier.

    `missing` has for columns that must have a value the condition under which a row has none.
    """

    rows: str
    values: Mapping[str, tuple[PlannedColumn, Cast]]
    before: int
    missing: Mapping[str, str]
    files: Sequence[Segment]

    def before_file(self, error: Exception) -> int:
        """How many rows came before the file that DuckDB names in an error."""
        names = [f'"{segment.path}"' in str(error) for segment in self.files]
        earlier = self.files[: names.index(True)] if True in names else ()
        return self.before + sum(segment.rows for segment in earlier)


class Insert:
    """Puts all staged rows into `target`; `ordered` keeps their order, at nearly twice the time."""

    def __init__(
        self,
        connection: DuckDBPyConnection,
        table: Table,
        planned: Sequence[PlannedColumn],
        found: Profile,
        *,
        ordered: bool,
    ) -> None:
        self._connection, self._table = connection, table
        self._planned, self._found, self._ordered = planned, found, ordered
        self.dropped: dict[str, int] = {}

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

    def _insert(self, target: str, source: StagedRows, constants: Mapping[str, str]) -> int:
        import duckdb

        names = ", ".join(quoted(name) for name in (*source.values, *constants))
        values = [
            _checked(cast, source.missing.get(name), drops=item.drops)
            for name, (item, cast) in source.values.items()
        ]
        selected = ", ".join([*values, *map(literal, constants.values())])
        try:
            sql = f"insert into {target} ({names}) select {selected} from {source.rows}"
            with self._order():
                inserted = int(self._execute(sql)[0][0])
        except duckdb.Error as error:  # of an interruption there is nothing to explain
            self._execute("rollback")
            self._explain(source)
            raise refused(error, self._where(), before=source.before_file(error)) from error
        self._count_dropped(source)
        return inserted

    def _count_dropped(self, source: StagedRows) -> None:
        for name, (item, cast) in source.values.items():
            if item.drops and cast.unfit != "false":
                sql = f"select count(*) from {source.rows} where {cast.unfit}"
                self.dropped[name] = self.dropped.get(name, 0) + self._execute(sql)[0][0]

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
    def _json(self, segments: Sequence[Segment], before: int) -> Iterator[StagedRows]:
        needed = self._table.wanted.required
        arriving = [
            item
            for item in self._planned
            if (item.arrives or item.column.key in needed)
            and item.column.key not in self._table.wanted.load_columns
        ] or self._planned[:1]
        names = {item.column.key: item.column.name for item in arriving}
        changes = {i.column.key: change for i in arriving if (change := self._change(i))}
        with readable(segments, names, changes) as files:
            types = {i.column.name: _read_type(i, changes.get(i.column.key)) for i in arriving}
            rows = read_rows(files, types, longest=self._longest(changes))
            values = {
                i.column.name: (i, _cast(i, types[i.column.name], changes.get(i.column.key)))
                for i in arriving
            }
            yield StagedRows(rows, values, before, self._missing(names), files)

    def _missing(self, names: Mapping[str, str]) -> dict[str, str]:
        """By column of a key that rows must have: when a row lacks it. Deleted keys may."""
        wanted = self._table.wanted
        mark = names.get(self._table.deleted or wanted.unless or "")
        unless = f" and not coalesce(CAST({quoted(mark)} AS BOOLEAN), false)" if mark else ""
        return {
            name: f"({quoted(name)} is null{unless})"
            for key in wanted.required
            if (name := names.get(key))
        }

    def _change(self, item: PlannedColumn) -> Change | None:
        """What keeps numbers from going through a double into a type that holds more digits."""
        column, kinds = item.column, self._found.kinds.get(item.column.key, NOTHING)
        if not column.fixed:
            holds_any = column.type == "JSON"
            is_long = holds_any and (self._found.has_long or _has_points(kinds))
            return as_json_where_long if is_long else None
        if column.type == "JSON":
            has_digits = kinds & (Kind.FLOAT | Kind.FLOAT_ANY | Kind.NESTED)
            return as_json_text if has_digits else None
        if kinds & Kind.NESTED and is_nested(column.type):
            return nested_digits(column.type, has_long=self._found.has_long)
        has_points = kinds & (Kind.FLOAT | Kind.FLOAT_ANY)
        is_exact = holds_digits(column.type) or kinds & Kind.FLOAT_ANY
        return as_text if has_points and is_exact else None

    def _longest(self, changes: Mapping[str, Change]) -> int:
        """A line's bytes, with the quotes and places that changed numbers have got."""
        has_lists = any(change is not as_text for change in changes.values())
        return self._found.longest * (_LONGER if has_lists else 1) + 2 * len(changes)

    @contextmanager
    def _parquet(self, segments: Sequence[Segment], before: int) -> Iterator[StagedRows]:
        columns = {item.column.key: item for item in self._planned}
        values = {
            item.column.name: (item, exact_cast(quoted(key), type_, item.column.type))
            for key, type_ in parquet_types(segments).items()
            if (item := columns.get(key))
        }
        missing = {
            item.column.name: f"{quoted(key)} is null"
            for key in self._table.wanted.required
            if (item := columns.get(key)) and item.column.name in values
        }
        yield StagedRows(read_parquet(segments), values, before, missing, segments)

    def _explain(self, source: StagedRows) -> None:
        """Say which column, from which row on, has a value that does not fit, or has none."""
        self._explain_missing(source)
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
        if droppable := [item.column.key for item, _, _ in unfit if self._may_drop(item)]:
            raise Dropped(droppable)
        for item, cast, row in unfit:
            if not item.column.shape or item.held:
                self._refuse(item, row, f"select number from {numbered} where {cast.unfit}")
        if unfit:
            raise NotTimes([item.column.key for item, _, _ in unfit])

    def _may_drop(self, item: PlannedColumn) -> bool:
        """Whether a value that does not fit is left out: not one that must be there."""
        table = self._table
        if table.on_misfit != "drop" or (item.column.shape and not item.held):
            return False
        return item.column.key not in {*table.wanted.required, *table.primary_key}

    def _explain_missing(self, source: StagedRows) -> None:
        for name, is_missing in source.missing.items():
            number = f"row_number() over () + {source.before} as number"
            rows = f"select number from (select {number}, * from {source.rows}) where {is_missing}"
            first = self._execute(f"select min(number) from ({rows})")[0][0]
            if first is not None:
                reason = f'column "{name}" has no value, and must have one (notNull)'
                self._set_aside(reason, first, rows, fix="leave such rows out with where")

    def _refuse(self, item: PlannedColumn, row: int, all_rows: str) -> None:
        type_ = item.column.type.lower()
        reason = f'column "{item.column.name}" has a value that is not exactly a {type_}'
        self._set_aside(reason, row, all_rows, fix="change the declared type, or leave it out")

    def _set_aside(self, reason: str, row: int, all_rows: str, *, fix: str) -> None:
        """Raise Misfit, to set the rows aside, or the error that names the first."""
        if self._table.schema_policy == "quarantine":
            numbers = (number for (number,) in self._execute(all_rows))
            raise Misfit(Numbered(dict.fromkeys(numbers, reason)))
        raise RowsError(
            f"row {row}: {reason}",
            where=self._where(),
            fix=f"{fix}, or set schemaPolicy to quarantine",
        )

    def _where(self) -> str:
        return f"{self._table.schema}.{self._table.name}"

    def _execute(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()


def _has_points(kinds: Kind) -> bool:
    """Whether these are numbers of which nobody looked how many digits they have."""
    return bool(kinds & (Kind.FLOAT | Kind.FLOAT_ANY)) and not is_settled(kinds)


def _read_type(item: PlannedColumn, change: Change | None) -> str:
    if item.column.shape or change in _AS_JSON or (change and item.source != "JSON"):
        return "VARCHAR"
    is_given = item.held or item.column.fixed
    return item.source if is_given and item.column.type != "JSON" else item.column.type


def _cast(item: PlannedColumn, source: str, change: Change | None) -> Cast:
    name = quoted(item.column.name)
    if change in _AS_JSON:
        return Cast(f"CAST({name} AS JSON)")
    if item.column.shape:
        return time_cast(name, item.column.shape, item.column.type)
    return exact_cast(name, source, item.column.type)


def _checked(cast: Cast, missing: str | None, *, drops: bool) -> str:
    if drops and cast.unfit != "false":
        return f"CASE WHEN {cast.unfit} THEN NULL ELSE {cast.value} END"
    wrong = [one for one in (cast.unfit, missing) if one not in {"false", None}]
    if not wrong:
        return cast.value
    return f"CASE WHEN {' or '.join(map(str, wrong))} THEN error('unfit') ELSE {cast.value} END"
