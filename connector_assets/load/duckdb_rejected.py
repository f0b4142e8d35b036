"""Rows set aside by quarantine: `<table>__rejected`, written with the table itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector_assets.load.duckdb_sql import literal, read_rows
from connector_assets.load.duckdb_tables import name_of
from connector_assets.load.table import Segment, Table, WriteMode

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_COLUMNS = {"row": "JSON", "reason": "VARCHAR", "row_number": "BIGINT", "page": "BIGINT"}
# DuckDB's largest, which a row alone may need.
_LONGEST = 1 << 30


def write_rejected(
    connection: DuckDBPyConnection, table: Table, rejected: Segment | None, mode: WriteMode
) -> None:
    """Keep rejects beside the table; a replace replaces them, too."""
    name = name_of(connection, table, "__rejected")
    columns = ", ".join(f'"{column}" {type_}' for column, type_ in _COLUMNS.items())
    connection.execute(
        f"create table if not exists {name} "
        f"({columns}, load_id VARCHAR, rejected_at TIMESTAMP WITH TIME ZONE)"
    )
    if mode == "replace":
        connection.execute(f"delete from {name}")
    if rejected is not None and rejected.rows:
        rows = read_rows([rejected], _COLUMNS, longest=min(rejected.bytes, _LONGEST))
        connection.execute(
            f"insert into {name} select *, {literal(rejected.load_id)}, now() from {rows}"
        )
