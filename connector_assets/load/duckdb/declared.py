"""What a declaration asks for that no store typed by DuckDB can do."""

from __future__ import annotations

from connector_assets.errors import LoadError
from connector_assets.load.duckdb.sql import store_type
from connector_assets.load.table import Table, WriteMode


def refused_declaration(table: Table, mode: WriteMode) -> LoadError | None:
    """The error of a mode without its key, or of a column of a type that there is not."""
    if mode in {"merge", "scd2"} and not table.primary_key:
        return LoadError(f"{mode} needs a key", where=table.where, fix="declare primaryKey")
    for column, type_ in table.columns.items():
        try:
            store_type(type_)
        except LoadError as error:
            what = f'column "{column[:60]}": {error.what}'
            return LoadError(what, where=table.where, fix=error.fix)
    return None
