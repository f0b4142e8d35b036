"""`read`: rows to stdout, nothing stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector_assets.cli import output
from connector_assets.cli.interrupt import interrupting
from connector_assets.cli.options import (
    Given,
    SpecArgument,
    takes_values,
)

if TYPE_CHECKING:
    from connector_assets.project.connection import Connection
    from connector_assets.reading.connector import Batch, ReadContext

TABLE_ROWS = 100


class Format(StrEnum):
    """How rows are written."""

    TABLE = "table"
    JSONL = "jsonl"


StreamArgument = Annotated[
    str | None,
    typer.Argument(metavar="STREAM", help="Default: the first stream.", show_default=False),
]
LimitOption = Annotated[
    int | None,
    typer.Option(
        "--limit",
        metavar="N",
        min=0,
        help=f"Stop after N rows. Default: {TABLE_ROWS} in a table, all in jsonl.",
        show_default=False,
    ),
]
PagesOption = Annotated[
    int | None,
    typer.Option("--pages", metavar="N", min=1, help="Stop after N pages.", show_default=False),
]
FormatOption = Annotated[
    Format,
    typer.Option("--format", metavar="table|jsonl", help="A table, or one JSON object a line."),
]
RequestsOption = Annotated[
    bool,
    typer.Option(
        "--requests",
        help="Print to stderr each request with its body, logins and tokens too, and what came: "
        "status and rows. Secrets are masked.",
    ),
]


DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Print the first request of the stream, or of every stream, and send nothing.",
    ),
]


@takes_values
def read(
    spec: SpecArgument,
    stream: StreamArgument = None,
    *,
    limit: LimitOption = None,
    pages: PagesOption = None,
    format_: FormatOption = Format.TABLE,
    requests: RequestsOption = False,
    dry_run: DryRunOption = False,
    given: Given,
) -> None:
    """Show rows of a stream without loading them.

    A table is a look: it stops at a spec's maxPages. jsonl without --limit and --pages is all
    of it: where maxPages cuts it short, that is an error.
    """
    connection = given.connection(spec)
    if dry_run:
        _print_unsent(connection, given, stream)
        return
    whole = format_ is Format.JSONL and limit is None and pages is None
    reading = connection.open(
        stream or _only_stream(connection, whole=whole),
        config=given.config,
        secrets=given.secrets,
        auth=given.auth,
        preview=not whole,
    )
    reading = replace(reading, max_pages=pages, on_request=output.say if requests else None)
    reading.stats.teller = output.say if requests else None
    limit = TABLE_ROWS if limit is None and format_ is Format.TABLE else limit
    with interrupting(reading.cancel):
        _print(_Lines(connection, reading, limit, pages), format_)


def _print_unsent(connection: Connection, given: Given, stream: str | None) -> None:
    """The first request of each stream; one that cannot be made does not hide the others."""
    names = [stream] if stream else [one.name for one in connection.streams()]
    failed = [not _unsent(connection, given, name) for name in names]
    if any(failed):
        raise typer.Exit(1)


def _unsent(connection: Connection, given: Given, stream: str) -> bool:
    from connector_assets.errors import ConnectorError
    from connector_assets.reading.yaml_connector import YamlConnector

    label = f"{connection.id}.{stream}"
    try:
        if not isinstance(connector := connection.connector, YamlConnector):
            output.write(f"{label}: read by a plugin\n")
            return True
        reading = connection.open_unsent(
            stream, config=given.config, secrets=given.secrets, auth=given.auth
        )
        lines = connector.unsent(reading)
    except ConnectorError as error:
        output.failure(error.within(label))
        return False
    first, *more = lines or ["nothing to read"]
    output.write("".join(f"{line}\n" for line in (f"{label}: {first}", *more)))
    return True


def _print(lines: _Lines, format_: Format) -> None:
    """The rows to stdout; what is to be said of them to stderr, also where reading fails."""
    from connector_assets.cli.progress import tell_lines

    try:
        if format_ is Format.TABLE:
            from connector_assets.cli.text_table import table

            output.write(table([line for chunk in lines for line in chunk]))
        else:
            for chunk in lines:
                output.write_lines(chunk)
    finally:
        tell_lines(lines.connection.id, lines.reading.stats)
        for note in lines.reading.stats.notes:
            output.say(f"note: {note}")
        for lack in () if lines.more else lines.reading.stats.lacks:
            output.say(f"warning: not complete: {lack}")
    if lines.more:
        from connector_assets.runtime.stats import counted

        output.say(f"{counted(lines.count, 'row')} shown; there are more")


def _only_stream(connection: Connection, *, whole: bool) -> str:
    """The first stream; where all rows are wanted, the one stream there is."""
    names = [stream.name for stream in connection.streams()]
    if not names:
        raise connection.not_discovered()
    if len(names) > 1 and whole:
        raise output.Misused(
            f"{connection.id}: has several streams; name one of {', '.join(names)}"
        )
    if len(names) > 1:
        output.say(f"reading {names[0]}; there is also {', '.join(names[1:])}")
    return names[0]


@dataclass
class _Lines:
    """The rows as lines of JSON, in chunks as they come; `more` says that the limit cut them."""

    connection: Connection
    reading: ReadContext[Any]
    limit: int | None
    pages: int | None
    count: int = 0
    more: bool = False

    def __iter__(self) -> Iterator[list[bytes]]:
        if self.limit == 0:
            return
        from connector_assets.reading.connector import lasting
        from connector_assets.reading.yielded import closing_if_closable

        read = self.connection.connector.read(self.reading)
        # At once, so that pages fetched ahead are given up before the client is closed.
        with closing_if_closable(read):
            number = 0
            for batch in lasting(read):
                number += not batch.partial
                lines = _lines(batch, self.connection.id)
                kept = lines if self.limit is None else lines[: self.limit - self.count]
                self.count += len(kept)
                yield kept
                cut = len(kept) < len(lines)
                if self.count == self.limit or number == self.pages:
                    self.more = cut or not batch.complete or self.reading.stats.truncated
                    return
            self.more = self.reading.stats.truncated


def _lines(batch: Batch, where: str) -> list[bytes]:
    rows = batch.rows
    if not isinstance(rows, bytes):
        from connector_assets.load.staging.rows import encode

        plain = rows if isinstance(rows, list | tuple) else rows.to_pylist()
        rows = encode(plain, batch.count, where=where).data
    return [line for line in rows.split(b"\n") if line]
