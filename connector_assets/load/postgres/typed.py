"""Staged rows, typed by DuckDB, as CSV that PostgreSQL copies in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from connector_assets.load.duckdb.load import Terms
from connector_assets.load.duckdb.typed import Typed, type_rows
from connector_assets.load.order import Order
from connector_assets.load.postgres.sql import exported

# Quoted, a text is never taken for NULL, nor a lone \\. for the end.
_CSV = "format csv, header false, nullstr '', force_quote *"


def typed_csv(order: Order, folder: Path, terms: Terms) -> Typed:
    """The rows in a file; where `terms` keep all, the last column is their number."""
    return type_rows(order, folder, terms, select=_values, rejected=_rejects, options=_CSV)


def _rejects(types: Mapping[str, str]) -> str:
    """Rows set aside as PostgreSQL can hold them: a NUL is the text that stands for it."""
    nul, shown = r"((?:^|[^\\])(?:\\\\)*)\\u0000", r"\1\\\\u0000"
    row = 'CAST("row" AS VARCHAR)'
    for _ in range(2):  # of two side by side, one pass finds the first
        row = f"regexp_replace({row}, '{nul}', '{shown}', 'g')"
    return ", ".join(row if name == "row" else exported(name, types[name]) for name in types)


def _values(types: Mapping[str, str]) -> str:
    return ", ".join(exported(name, type_) for name, type_ in types.items())
