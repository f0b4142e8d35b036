"""A draft at work: loaded from a loopback server into a DuckDB file, as a user would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from connector_assets.cli.app import run


def loaded(text: str, folder: Path, origin: str, **values: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of every stream of a draft, by its name; `values` are secrets, or config by name."""
    spec = folder / "draft.yaml"
    spec.write_text(text)
    target = folder / "draft.duckdb"
    given = [part for n, v in values.items() for part in ("--secret", f"{n}={v}")]
    host = origin.removeprefix("http://")
    code = run(["load", str(spec), "--to", f"duckdb:///{target}", "--allow-private", host, *given])
    assert code == 0
    with duckdb.connect(str(target), read_only=True) as connection:
        tables = connection.sql(
            "select schema_name, table_name from duckdb_tables() where schema_name not like '\\_%' escape '\\'"
        ).fetchall()
        return {table: _rows(connection, schema, table) for schema, table in tables}


def _rows(connection: Any, schema: str, table: str) -> list[dict[str, Any]]:
    found = connection.sql(f'select * from "{schema}"."{table}"')
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
    own = [{k: v for k, v in row.items() if not k.startswith("_")} for row in rows]
    return sorted(own, key=str)
