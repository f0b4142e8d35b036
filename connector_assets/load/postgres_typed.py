"""Staged rows, typed by DuckDB, as CSV that PostgreSQL copies in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from connector_assets.load.duckdb_load import Order
from connector_assets.load.duckdb_typed import Typed, type_rows
from connector_assets.load.plan import KeyColumn
from connector_assets.load.postgres_sql import exported

# Quoted, a text is never taken for NULL, nor a lone \. for the end.
_CSV = "format csv, header false, nullstr '', force_quote *"


def typed_csv(
    order: Order, stored: Sequence[KeyColumn], remembered: list[dict[str, Any]], folder: Path
) -> Typed:
    return type_rows(order, stored, remembered, folder, select=_values, options=_CSV)


def _values(types: Mapping[str, str]) -> str:
    return ", ".join(exported(name, type_) for name, type_ in types.items())
