"""`query` and `preview`: a quick look at what was loaded, which changes nothing."""

from __future__ import annotations

import csv
import io
import json
import math
import threading
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector_assets.cli import output
from connector_assets.cli.interrupt import interrupting
from connector_assets.cli.load import SchemaOption
from connector_assets.cli.options import WHERE_BY_DEFAULT, Given, SpecArgument
from connector_assets.errors import LoadError

if TYPE_CHECKING:
    from connector_assets.load.destination import Destination
    from connector_assets.load.table import Column
    from connector_assets.project.connection import Connection

# A load has the file for seconds; a person is not to wait for minutes.
_WAIT_S = 10.0
_JSON = {"JSON", "json", "jsonb"}


class Shape(StrEnum):
    """How rows are written."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"


SqlArgument = Annotated[
    str, typer.Argument(metavar="SQL", help="One statement that reads.", show_default=False)
]
StreamArgument = Annotated[
    str | None,
    typer.Argument(metavar="STREAM", help="Default: the first stream.", show_default=False),
]
FromOption = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="URL",
        envvar="CONNECTOR_ASSETS_DESTINATION",
        help="Where the tables are, as `load --to` has it.",
    ),
]
WhereOption = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="URL",
        help=f"Where the table is, as `load --to` has it. {WHERE_BY_DEFAULT}",
        show_default=False,
    ),
]
LimitOption = Annotated[
    int, typer.Option("--limit", metavar="N", min=1, max=10**9, help="At most N rows.")
]
ShapeOption = Annotated[
    Shape,
    typer.Option(
        "--format", metavar="table|jsonl|csv", help="A table, a JSON object a line, or CSV."
    ),
]


def query(
    sql: SqlArgument,
    *,
    to: FromOption = "duckdb:///data.duckdb",
    limit: LimitOption = 100,
    format_: ShapeOption = Shape.TABLE,
) -> None:
    """Run SQL over loaded tables and show the rows; nothing can be written."""
    from connector_assets.load.urls import destination_from_url

    _show(destination_from_url(to, wait_s=_WAIT_S), sql, limit, format_)


def preview(
    spec: SpecArgument,
    stream: StreamArgument = None,
    *,
    to: WhereOption = None,
    schema: SchemaOption = None,
    limit: LimitOption = 100,
    format_: ShapeOption = Shape.TABLE,
) -> None:
    """Show rows of a stream's table, as they were loaded."""
    from connector_assets.load.files.store_names import table_name
    from connector_assets.load.table import Table
    from connector_assets.load.urls import destination_from_url

    with Given.of() as given:
        connection = given.connection(spec)
        name = _stream(connection, stream)
        destination = destination_from_url(given.destination_of(connection, to), wait_s=_WAIT_S)
    stream_ = connection.stream(name)
    table = Table(schema or connection.id, table_name(stream_.table_name))
    if destination.describe(table) is None:
        raise LoadError(
            f"there is no such table in {destination.uri} yet",
            where=f"{table.schema}.{table.name}",
            fix=f"run connector-assets load {spec} {name}",
        )
    sql = f"select * from {destination.name_in_sql(table)}"  # noqa: S608 # it quotes the names
    _show(destination, sql, limit, format_)


def _stream(connection: Connection, name: str | None) -> str:
    if name is not None:
        return connection.stream(name).name
    streams = connection.streams()
    if not streams:
        raise connection.not_discovered()
    return streams[0].name


def _show(destination: Destination, sql: str, limit: int, shape: Shape) -> None:
    with interrupting(threading.Event()):
        columns, rows = destination.query(sql, limit + 1)
    shown = rows[:limit]
    names = _names(columns)
    if shape is Shape.CSV:
        output.write_csv(_csv(names, shown))
    else:
        lines = [_line(names, columns, row) for row in shown]
        if shape is Shape.JSONL:
            output.write_lines(lines)
        else:
            from connector_assets.cli.text_table import table

            output.write(table(lines))
    if len(rows) > limit:
        from connector_assets.runtime.stats import counted

        output.say(f"{counted(limit, 'row')} shown; there are more, --limit shows them")


def _names(columns: Sequence[Column]) -> list[str]:
    """The columns' names; of those called the same each after the first gets a number."""
    names: dict[str, None] = {}
    last: dict[str, int] = {}
    for column in columns:
        name, number = column.name, last.get(column.name, 1)
        while name in names:
            name, number = f"{column.name}_{number}", number + 1
        names[name], last[column.name] = None, number
    return list(names)


def _line(names: Sequence[str], columns: Sequence[Column], row: Sequence[Any]) -> bytes:
    values = (
        f"{json.dumps(name, ensure_ascii=False)}: {_json(value, column.type)}"
        for name, column, value in zip(names, columns, row, strict=True)
    )
    return f"{{{', '.join(values)}}}".encode("utf-8", "surrogatepass")


def _json(value: Any, type_: str = "") -> str:
    """A value as JSON with all its digits; what JSON has no form for as text."""
    if isinstance(value, str) and type_ in _JSON:
        return value
    if isinstance(value, Decimal) and value.is_finite():
        return f"{value:f}"
    if isinstance(value, float) and not math.isfinite(value):
        return f'"{value}"'
    return json.dumps(value, default=_text, ensure_ascii=False)


def _text(value: Any) -> str:
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).hex()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _csv(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow(_cell(value) for value in row)
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    text = _json(value)
    return str(json.loads(text)) if text.startswith('"') else text
