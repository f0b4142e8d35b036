"""Rows set aside by quarantine: `<table>__rejected`, written with the table itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector_assets.load.duckdb.sql import literal, read_rows
from connector_assets.load.duckdb.tables import name_of
from connector_assets.load.ownership import REJECTED, REJECTS
from connector_assets.load.table import Segment, Table, WriteMode

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_COLUMNS = {name: REJECTS[name] for name in ("row", "reason", "row_number", "page")}
# DuckDB's largest, which a row alone may need.
_LONGEST = 1 << 30


def write_rejected(
    connection: DuckDBPyConnection, table: Table, rejected: Segment | None, mode: WriteMode
) -> None:
    """Keep rejects beside the table; a replace replaces them, too."""
    name = name_of(connection, table, REJECTED)
    columns = ", ".join(f'"{column}" {type_}' for column, type_ in REJECTS.items())
    connection.execute(f"create table if not exists {name} ({columns})")
    if mode == "replace":
        connection.execute(f"delete from {name}")
    if rejected is not None and rejected.rows:
        rows = read_rows([rejected], _COLUMNS, longest=min(rejected.bytes, _LONGEST))
        connection.execute(
            f"insert into {name} select *, {literal(rejected.load_id)}, now() from {rows}"
        )
