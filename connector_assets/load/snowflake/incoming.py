"""New rows in a temporary table of the session: a file, put into a temporary stage and copied.

All of it is done before the transaction, since making a table would commit it; and all of it is
gone with the session, also where the process was killed.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from connector_assets.load.duckdb.sql import quoted
from connector_assets.load.duckdb.typed import NUMBER
from connector_assets.load.snowflake.sql import imported, key_text, sf_quoted
from connector_assets.load.snowflake.typed import FileOfRows
from connector_assets.snowflake.session import Session

ROW = "CONNECTOR_ASSETS_ROW"
"""The column of a new row's number."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """The new rows: a table's name in SQL, and its columns with their types."""

    name: str
    types: Mapping[str, str]


def bring(session: Session, file: FileOfRows) -> Incoming:
    """Put the rows of a file into a temporary table of their own."""
    name = quoted(f"CA_{uuid.uuid4().hex.upper()}")
    columns = [f"{sf_quoted(column)} {type_}" for column, type_ in file.types.items()]
    fields = [imported(file.field(column), type_) for column, type_ in file.types.items()]
    _fill(session, name, file.path, [*columns, f"{ROW} number(38,0)"], [*fields, _number()])
    return Incoming(name, file.types)


def bring_items(session: Session, file: Path) -> str:
    """Put a Parquet file of items and positions, both texts, into a temporary table; its name."""
    name = quoted(f"CA_{uuid.uuid4().hex.upper()}")
    fields = ["$1:item::VARCHAR", "$1:position::VARCHAR"]
    _fill(session, name, file, ["item varchar", "position varchar"], fields)
    return name


def keep_last(session: Session, rows: Incoming, key: Sequence[str]) -> None:
    """Of new rows with one key, leave the last."""
    keys = ", ".join(key_text(sf_quoted(name), rows.types[name]) for name in key)
    session.run(
        f"delete from {rows.name} where {ROW} not in "
        f"(select max({ROW}) from {rows.name} group by {keys})"
    )


def _number() -> str:
    return f"$1:{NUMBER}::number(38,0)"


def _fill(
    session: Session, name: str, file: Path, columns: Sequence[str], fields: Sequence[str]
) -> None:
    session.run(f"create temporary table {name} ({', '.join(columns)})")
    session.run(f"create temporary stage {name}")
    session.put(file, f"@{name}")
    # A text that is \N stays that: by default it would be NULL.
    session.run(
        f"copy into {name} from (select {', '.join(fields)} from @{name}) "
        "file_format = (type = parquet null_if = ()) on_error = abort_statement"
    )
