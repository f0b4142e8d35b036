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
    AllowPrivateOption,
    AuthOption,
    ConfigOption,
    Given,
    SecretOption,
    SecretsFileOption,
    SpecArgument,
    VerboseOption,
)

if TYPE_CHECKING:
    from connector_assets.connection import Connection
    from connector_assets.connector import Batch, ReadContext

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
    typer.Option("--requests", help="Print each request to stderr, its secrets masked."),
]


def read(
    spec: SpecArgument,
    stream: StreamArgument = None,
    *,
    limit: LimitOption = None,
    pages: PagesOption = None,
    format_: FormatOption = Format.TABLE,
    requests: RequestsOption = False,
    auth: AuthOption = None,
    config: ConfigOption = None,
    secret: SecretOption = None,
    secrets_file: SecretsFileOption = None,
    allow_private: AllowPrivateOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Show rows of a stream without loading them.

    A table is a look: it stops at a spec's maxPages. jsonl without --limit and --pages is all
    of it: where maxPages cuts it short, that is an error.
    """
    with Given.of(auth, config, secret, secrets_file, allow_private, verbose=verbose) as given:
        connection = given.connection(spec)
        whole = format_ is Format.JSONL and limit is None and pages is None
        reading = connection.open(
            stream or _only_stream(connection, whole=whole),
            config=given.config,
            secrets=given.secrets,
            auth=given.auth,
            preview=not whole,
        )
        reading = replace(reading, max_pages=pages, on_request=output.say if requests else None)
        limit = TABLE_ROWS if limit is None and format_ is Format.TABLE else limit
        with interrupting(reading.cancel):
            _print(_Lines(connection, reading, limit, pages), format_)


def _print(lines: _Lines, format_: Format) -> None:
    """The rows to stdout; what is to be said of them to stderr, also where reading fails."""
    try:
        if format_ is Format.TABLE:
            from connector_assets.cli.table import table

            output.write(table([line for chunk in lines for line in chunk]))
        else:
            for chunk in lines:
                output.write(b"".join(line + b"\n" for line in chunk))
    finally:
        for note in lines.reading.stats.notes:
            output.say(f"note: {note}")
    if lines.more:
        output.say(f"{lines.count:,} rows shown; there are more")


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
        from connector_assets.connector import lasting
        from connector_assets.plugins.batches import closing_if_closable

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
        from connector_assets.load.rows import encode

        plain = rows if isinstance(rows, list | tuple) else rows.to_pylist()
        rows = encode(plain, batch.count, where=where).data
    return [line for line in rows.split(b"\n") if line]
