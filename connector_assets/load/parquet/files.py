"""Between tables in DuckDB and Parquet files, without a changed value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from connector_assets.errors import LoadError
from connector_assets.load.duckdb.errors import first_line
from connector_assets.load.duckdb.sql import literal, quoted, with_texts
from connector_assets.load.duckdb.tables import PARTITION, describe, name_of
from connector_assets.load.files.folders import Folder, MissingFile
from connector_assets.load.parquet.manifest import DataFile, Manifest, PartFiles
from connector_assets.load.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Parquet has no 128-bit integers, and DuckDB would write doubles. As text all their digits stay.
# And of what is marked as JSON, some readers make bytes. Its intervals have milliseconds, and
# none below zero.
_AS_TEXT = "U?HUGEINT|JSON|INTERVAL"

FILE, _PART = "connector_assets_file", "connector_assets_partition"
# Rows of a file: a few of DuckDB's groups.
_BLOCK = 4 * 122_880
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


def blocks_of(connection: DuckDBPyConnection, table: Table, partition: str | None) -> Iterator[str]:
    """The rows of a partition as queries, in their order: one for each file that is to hold them.

    Files of some hundred thousand rows are what a later merge can leave as they are.
    """
    name, where = name_of(connection, table), "true"
    if PARTITION in types_of(connection, table):
        part = "NULL" if partition is None else literal(partition)
        where = f"{quoted(PARTITION)} is not distinct from {part}"
    rows = f"select * from {name} where {where}"
    blocks = connection.execute(
        f"select rowid // {_BLOCK} as block, count(*) from {name} where {where} "
        "group by block order by block"
    ).fetchall()
    if sum(count for _, count in blocks) <= _BLOCK:
        yield rows
        return
    for block, _ in blocks:
        yield f"{rows} and rowid between {block * _BLOCK} and {block * _BLOCK + _BLOCK - 1}"


def add_rows(connection: DuckDBPyConnection, table: Table, rows: str) -> None:
    """Put into the table what a query gives."""
    connection.execute(f"insert into {name_of(connection, table)} by name {rows}")


def export(
    connection: DuckDBPyConnection,
    rows: str,
    types: Mapping[str, str],
    path: Path,
    metadata: Mapping[str, str] | None = None,
) -> int:
    """Write what a query gives to a file, in its order; return how many rows.

    Columns of `types` that it does not give are left out. `metadata` is the file's own.
    """
    described = connection.execute(f"describe {rows}").fetchall()
    given = {name for name, *_ in described}
    values = ", ".join(
        f"CAST({quoted(name)} AS {texts}) AS {quoted(name)}"
        if (texts := with_texts(type_, _AS_TEXT)) != type_
        else quoted(name)
        for name, type_ in types.items()
        if name != PARTITION and name in given  # readers have that from the folder's name
    )
    # Else a column that has no NULL here would be one that may have none, and files would differ.
    connection.execute("set disabled_optimizers = 'statistics_propagation'")
    copied = connection.execute(
        f"copy (select {values} from ({rows})) to {literal(str(path))} "
        f"(format parquet, compression zstd{_kept_with(metadata or {})})"
    ).fetchall()
    connection.execute("reset disabled_optimizers")
    return int(copied[0][0])


def _kept_with(metadata: Mapping[str, str]) -> str:
    pairs = ", ".join(f"{name}: {literal(text)}" for name, text in metadata.items())
    return f", kv_metadata {{{pairs}}}" if pairs else ""


def fetch(
    folder: Folder, manifest: Manifest, files: Sequence[DataFile], scratch: Path
) -> list[Path]:
    """Local paths of files, wherever a killed load has left them."""
    return [_fetched(folder, manifest, file.name, scratch) for file in files]


def _fetched(folder: Folder, manifest: Manifest, name: str, scratch: Path) -> Path:
    try:
        return folder.fetch(name, scratch)
    except MissingFile:
        for place in manifest.elsewhere(folder, name):
            with suppress(MissingFile):
                return folder.fetch(place, scratch)
        raise


def export_items(connection: DuckDBPyConnection, path: Path) -> int:
    """Write the positions of items to a file; return how many."""
    rows = f"select * from {name_of(connection, _ITEMS)}"
    return export(connection, rows, types_of(connection, _ITEMS), path)


def restore_items(connection: DuckDBPyConnection, paths: Sequence[Path]) -> None:
    """Add the positions of items in these files."""
    for path in paths:
        connection.execute(
            f"insert into {name_of(connection, _ITEMS)} from read_parquet({literal(str(path))})"
        )


def restore(
    connection: DuckDBPyConnection, table: Table, part: PartFiles, paths: Sequence[Path]
) -> None:
    """Make the table of these files, as it was."""
    connection.execute(f"create schema if not exists {quoted(table.schema)}")
    _create(connection, "table", table, part, paths)


def show(
    connection: DuckDBPyConnection,
    table: Table,
    part: PartFiles,
    fetched: Callable[[], Sequence[Path]],
) -> Sequence[Path]:
    """Make a view of these files, with the table's own types, and return them.

    If they are missing or broken it fails once it is read: the other tables stay readable.
    """
    import duckdb

    connection.execute(f"create schema if not exists {quoted(table.schema)}")
    try:
        paths = fetched()
        _create(connection, "view", table, part, paths)
    except (duckdb.Error, LoadError) as error:
        why = literal(str(error) if isinstance(error, LoadError) else first_line(error))
        values = ", ".join(
            f"CAST(error({why}) AS {type_}) AS {quoted(name)}" for name, type_ in part.types.items()
        )
        connection.execute(
            f"create view {name_of(connection, table)} as "
            f"select {values} from range(1) where error({why}) is null"
        )
        return ()
    return paths


def _create(
    connection: DuckDBPyConnection, kind: str, table: Table, part: PartFiles, paths: Sequence[Path]
) -> None:
    connection.execute(
        f"create {kind} {name_of(connection, table)} as {selected(connection, part, paths)}"
    )


def selected(
    connection: DuckDBPyConnection,
    part: PartFiles,
    paths: Sequence[Path],
    *,
    numbered: bool = False,
) -> str:
    """The rows of these files of `part` as a query, with its types.

    With `numbered` it also gives `FILE`, the path, and `file_row_number`.
    """
    values = [
        f"CAST({value} AS {type_}) AS {quoted(name)}"
        for name, type_, value in _values(connection, part, paths)
    ]
    more = [f"old.{FILE}", "old.file_row_number"] if numbered else []
    return f"select {', '.join([*values, *more])} from {_rows(part, paths, numbered=numbered)}"


def _values(
    connection: DuckDBPyConnection, part: PartFiles, paths: Sequence[Path]
) -> list[tuple[str, str, str]]:
    """Names, types and SQL of the columns."""
    found = {}
    if paths:
        described = connection.execute(f"describe select * from {_read(paths)}").fetchall()
        found = {name: f"old.{quoted(name)}" for name, *_ in described}
        found[PARTITION] = f"old.{_PART}"
    return [(name, type_, found.get(name, "NULL")) for name, type_ in part.types.items()]


def _rows(part: PartFiles, paths: Sequence[Path], *, numbered: bool) -> str:
    """The files' rows as a table expression called `old`, with the partition of each file."""
    if not paths:
        return "range(0) old"
    if PARTITION not in part.types:
        return f"{_read(paths, with_file=numbered, numbered=numbered)} old"
    parts = ", ".join(
        f"({literal(str(path))}, {'NULL' if file.partition is None else literal(file.partition)})"
        for file, path in zip(part.files, paths, strict=True)
    )
    return (
        f"(select * from {_read(paths, with_file=True, numbered=numbered)} "
        f"join (values {parts}) parts(path, {_PART}) on {FILE} = path) old"
    )


def _read(paths: Sequence[Path], *, with_file: bool = False, numbered: bool = False) -> str:
    files = ", ".join(literal(str(path)) for path in paths)
    more = f", filename = {literal(FILE)}" if with_file else ""
    more += ", file_row_number = true" if numbered else ""
    return f"read_parquet([{files}], union_by_name = true, hive_partitioning = false{more})"
