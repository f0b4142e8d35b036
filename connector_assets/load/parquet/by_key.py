"""New rows by key beside the files of a table: which old rows give way, and which are the same.

The files are only looked at: of most, DuckDB reads no more than the least and greatest keys. A row
that comes again as it was changes no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.duckdb.sql import comparable, literal, quoted
from connector_assets.load.duckdb.tables import PARTITION, name_of
from connector_assets.load.parquet.files import FILE, selected, types_of
from connector_assets.load.parquet.manifest import PartFiles
from connector_assets.load.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FOUND, _SAME = "connector_assets_found", "connector_assets_same"
_ROW = "file_row_number"


@dataclass(frozen=True, slots=True)
class OldFiles:
    """Files of a table, each with where it is on this machine."""

    COLUMNS: ClassVar[frozenset[str]] = frozenset({_ROW, FILE})
    """Names that no column of theirs may have, to be looked at."""

    part: PartFiles
    paths: Sequence[Path]

    def rows(self, connection: DuckDBPyConnection) -> str:
        """All rows, as a query."""
        return selected(connection, self.part, self.paths)

    def numbered(self, connection: DuckDBPyConnection, names: Sequence[str]) -> str:
        """The rows of some files with `FILE` and `_ROW`, as a query."""
        chosen = [
            (file, path)
            for file, path in zip(self.part.files, self.paths, strict=True)
            if file.name in names
        ]
        part = replace(self.part, files=[file for file, _ in chosen])
        return selected(connection, part, [path for _, path in chosen], numbered=True)

    def name(self, path: str) -> str:
        named = {str(at): file.name for file, at in zip(self.part.files, self.paths, strict=True)}
        return named[path]

    def partitions(self) -> str:
        """The partition of each path, as a table expression."""
        pairs = (
            f"({literal(str(path))}, "
            f"{'NULL' if file.partition is None else literal(file.partition)})"
            for file, path in zip(self.part.files, self.paths, strict=True)
        )
        return f"(values {', '.join(pairs)}) parts(path, part)"


@dataclass(frozen=True, slots=True)
class Touched:
    """A file that loses `lost` of its rows; `rows` is the query of the others."""

    lost: int
    rows: str


def changes_by_key(
    connection: DuckDBPyConnection,
    table: Table,
    old: OldFiles | None,
    key: Sequence[KeyColumn],
    *,
    gone: str,
    is_merge: bool,
) -> Mapping[str, Touched]:
    """What files lose, by name; the table is left with the rows that are to be added to them.

    `gone` is the column that says "this key is gone", if rows have it. In a merge, rows that are in
    the files as they are come out of the table, and those that change stay in their partition.
    """
    step = _Changes(connection, name_of(connection, table), gone)
    touched: Mapping[str, Touched] = {}
    if old is not None:
        step.find(old, key)
        if is_merge:
            left_out = {gone, PARTITION, *table.wanted.load_columns}
            data = [name for name in types_of(connection, table) if name not in left_out]
            step.leave_out_same(old, data)
            if PARTITION in old.part.types:
                step.keep_partition(old)
        touched = step.touched(old)
    step.forget_gone()
    return touched


@dataclass(frozen=True, slots=True)
class _Changes:
    connection: DuckDBPyConnection
    new: str
    gone: str

    def find(self, old: OldFiles, key: Sequence[KeyColumn]) -> None:
        """Which old row each new one is about; an old key may be there more than once."""
        same = " and ".join(f"{_value(c, 'new')} = {_value(c, 'old')}" for c in key)
        rows = old.numbered(self.connection, [file.name for file in old.part.files])
        self._execute(
            f"create or replace temp table {_FOUND} as "
            f"select old.{FILE} as file, old.{_ROW} as number, new.rowid as new "
            f"from ({rows}) old join {self.new} new on {same}"
        )

    def leave_out_same(self, old: OldFiles, data: Sequence[str]) -> None:
        """Take new rows out of the table, and of what was found, that are there as they are."""
        columns = set(old.part.types)
        equal = " and ".join(
            f"new.{quoted(name)} is not distinct from "
            + (f"old.{quoted(name)}" if name in columns else "NULL")
            for name in data
        )
        is_gone = f"and not coalesce(new.{quoted(self.gone)}, false)" if self.gone else ""
        files = [old.name(path) for (path,) in self._execute(f"select distinct file from {_FOUND}")]
        if not files:
            return
        self._execute(
            f"create or replace temp table {_SAME} as select found.new "
            f"from ({old.numbered(self.connection, files)}) old "
            f"join (select * from {_FOUND} qualify count(*) over (partition by new) = 1) found "
            f"on old.{FILE} = found.file and old.{_ROW} = found.number "
            f"join {self.new} new on new.rowid = found.new where {equal} {is_gone}"
        )
        for table, column in ((_FOUND, "new"), (self.new, "rowid")):
            self._execute(f"delete from {table} where {column} in (select new from {_SAME})")

    def keep_partition(self, old: OldFiles) -> None:
        self._execute(
            f"update {self.new} new set {quoted(PARTITION)} = found.part from "
            f"(select new, max(part) as part from {_FOUND} join {old.partitions()} on file = path "
            "group by new) found where new.rowid = found.new"
        )

    def touched(self, old: OldFiles) -> dict[str, Touched]:
        found = self._execute(f"select file, count(distinct number) from {_FOUND} group by file")
        return {
            (name := old.name(path)): Touched(
                lost,
                f"select * exclude ({FILE}, {_ROW}) from ({old.numbered(self.connection, [name])}) "
                f"where {_ROW} not in (select number from {_FOUND} where file = {literal(path)})",
            )
            for path, lost in found
        }

    def forget_gone(self) -> None:
        if self.gone:
            self._execute(f"delete from {self.new} where {quoted(self.gone)}")
            self._execute(f"alter table {self.new} drop column {quoted(self.gone)}")

    def _execute(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()


def _value(column: KeyColumn, of: str) -> str:
    return comparable(f"{of}.{quoted(column.name)}", column.type)
