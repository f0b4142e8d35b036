"""Between tables in DuckDB and Parquet files, without a changed value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.errors import LoadError
from connector_assets.load.duckdb_errors import first_line
from connector_assets.load.duckdb_sql import literal, quoted, with_texts
from connector_assets.load.duckdb_tables import PARTITION, describe, name_of
from connector_assets.load.folders import Folder
from connector_assets.load.manifest import DataFile, Part
from connector_assets.load.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Parquet has no 128-bit integers, and DuckDB would write doubles. As text all their digits stay.
_HUGE = "U?HUGEINT"

_ITEMS = Table("_connector_assets", "items")


def types_of(connection: DuckDBPyConnection, table: Table) -> dict[str, str]:
    """The table's columns and their types; none where there is no table."""
    return {column.name: column.type for column in describe(connection, table)}


def partitions_of(connection: DuckDBPyConnection, table: Table) -> list[str | None]:
    """The partitions that rows belong to, with None for those of no partition."""
    value = quoted(PARTITION) if PARTITION in types_of(connection, table) else "NULL"
    rows = connection.execute(
        f"select distinct {value} as part from {name_of(connection, table)} order by part"
    ).fetchall()
    return [part for (part,) in rows]


def export(
    connection: DuckDBPyConnection,
    table: Table,
    types: Mapping[str, str],
    path: Path,
    partition: str | None,
) -> int:
    """Write the rows of a partition to a file, in their order; return how many."""
    values = ", ".join(
        f"CAST({quoted(name)} AS {texts}) AS {quoted(name)}"
        if (texts := with_texts(type_, _HUGE)) != type_
        else quoted(name)
        for name, type_ in types.items()
    )
    where = ""
    if PARTITION in types:
        part = "NULL" if partition is None else literal(partition)
        where = f"where {quoted(PARTITION)} is not distinct from {part}"
    copied = connection.execute(
        f"copy (select {values} from {name_of(connection, table)} {where}) to {literal(str(path))} "
        "(format parquet, compression zstd)"
    ).fetchall()
    return int(copied[0][0])


def fetch(folder: Folder, files: Sequence[DataFile], scratch: Path) -> list[Path]:
    return [folder.fetch(file.name, scratch) for file in files]


def export_items(connection: DuckDBPyConnection, path: Path) -> int:
    """Write the positions of items to a file; return how many."""
    return export(connection, _ITEMS, types_of(connection, _ITEMS), path, None)


def restore_items(connection: DuckDBPyConnection, paths: Sequence[Path]) -> None:
    """Add the positions of items in these files."""
    for path in paths:
        connection.execute(
            f"insert into {name_of(connection, _ITEMS)} from read_parquet({literal(str(path))})"
        )


def restore(
    connection: DuckDBPyConnection, table: Table, part: Part, paths: Sequence[Path]
) -> None:
    """Make the table of these files, as it was."""
    connection.execute(f"create schema if not exists {quoted(table.schema)}")
    _create(connection, "table", table, part, paths)


def show(
    connection: DuckDBPyConnection, table: Table, part: Part, fetched: Callable[[], Sequence[Path]]
) -> None:
    """Make a view of these files, with the table's own types.

    If they are missing or broken it fails once it is read: the other tables stay readable.
    """
    import duckdb

    connection.execute(f"create schema if not exists {quoted(table.schema)}")
    try:
        _create(connection, "view", table, part, fetched())
    except (duckdb.Error, LoadError) as error:
        why = literal(str(error) if isinstance(error, LoadError) else first_line(error))
        values = ", ".join(
            f"CAST(error({why}) AS {type_}) AS {quoted(name)}" for name, type_ in part.types.items()
        )
        connection.execute(
            f"create view {name_of(connection, table)} as "
            f"select {values} from range(1) where error({why}) is null"
        )


def _create(
    connection: DuckDBPyConnection, kind: str, table: Table, part: Part, paths: Sequence[Path]
) -> None:
    present, rows = _rows(connection, paths)
    values = ", ".join(
        f"CAST({quoted(name) if name in present else 'NULL'} AS {type_}) AS {quoted(name)}"
        for name, type_ in part.types.items()
    )
    connection.execute(f"create {kind} {name_of(connection, table)} as select {values} from {rows}")


def _rows(connection: DuckDBPyConnection, paths: Sequence[Path]) -> tuple[set[Any], str]:
    """The columns that any of the files has, and the files' rows as a table expression."""
    if not paths:
        return set(), "range(0)"
    files = ", ".join(literal(str(path)) for path in paths)
    rows = f"read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
    described = connection.execute(f"describe select * from {rows}").fetchall()
    return {name for name, *_ in described}, rows
