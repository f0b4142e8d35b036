"""What a query of a person's may touch through DuckDB: the tables, and nothing around them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from connector_assets.load.duckdb.sql import literal

_CONFINED = (
    "set enable_external_access = false",  # files, folders, URLs, other databases
    "set autoinstall_known_extensions = false",
    "set autoload_known_extensions = false",
    "set python_enable_replacements = false",  # a table's name is no variable of this process
    "set lock_configuration = true",  # last: nothing of this can be undone, nor logs be turned on
)


def may_read(connection: Any, paths: Sequence[Path], folders: Sequence[str] = ()) -> None:
    """Let the connection read these, also once it is confined: its views are made of them."""
    for setting, allowed in (("allowed_paths", paths), ("allowed_directories", folders)):
        listed = ", ".join(literal(str(one)) for one in allowed)
        connection.execute(f"set {setting} = [{listed}]")


def is_ambiguous(connection: Any, sql: str) -> bool:
    """Whether the file has a schema of its own name, so that DuckDB takes `crm.orders` for either.

    A query that says both (`crm.crm.orders`) is not.
    """
    found = connection.execute(
        "select schema_name from duckdb_schemas() "
        "where database_name = current_database() and lower(schema_name) = lower(database_name)"
    ).fetchone()
    if found is None:
        return False
    name = re.escape(found[0])
    one = rf'(?:{name}|"{name}")'
    return not re.search(rf"(?i){one}\s*\.\s*{one}\s*\.", sql)


def attach_renamed(connection: Any, path: Path) -> None:
    """Read the file under a name that no schema has."""
    connection.execute(f"attach {literal(str(path))} as _connector_assets_file (read_only)")
    connection.execute("use _connector_assets_file")


def confine(connection: Any) -> None:
    """Leave the connection its tables alone, for good."""
    for statement in _CONFINED:
        connection.execute(statement)
