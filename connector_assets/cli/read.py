"""`read`: rows to stdout, nothing stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from connector_assets.cli import output
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
    given = Given.of(auth, config, secret, secrets_file, allow_private, verbose=verbose)
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
    lines = _Lines(connection, reading, limit, pages)
    try:
        if format_ is Format.TABLE:
            from connector_assets.cli.table import table

            output.write(table([line for chunk in lines for line in chunk]))
        else:
            for chunk in lines:
                output.write(b"".join(line + b"\n" for line in chunk))
    except BaseException:
        reading.cancel.set()
        raise
    finally:
        for note in reading.stats.notes:
            output.say(f"note: {note}")
    if lines.more:
        output.say(f"{lines.count:,} rows shown; there are more")


def _only_stream(connection: Connection, *, whole: bool) -> str:
    """The first stream; where all rows are wanted, the one stream there is."""
    names = [stream.name for stream in connection.streams()]
    if len(names) > 1 and whole:
        raise output.Misused(
            f"{connection.id}: has several streams; name one of {', '.join(names)}"
        )
    if len(names) > 1:
        output.say(f"reading {names[0]}; there are also {', '.join(names[1:])}")
    return names[0]


class _Lines:
    """The rows as lines of JSON, in chunks as they come; `more` says that the limit cut them."""

    def __init__(
        self,
        connection: Connection,
        reading: ReadContext[object],
        limit: int | None,
        pages: int | None,
    ) -> None:
        self._connection, self._reading = connection, reading
        self._limit, self._pages = limit, pages
        self.count = 0
        self.more = False

    def __iter__(self) -> Iterator[list[bytes]]:
        if self._limit == 0:
            return
        batches = self._connection.connector.read(self._reading)
        for number, batch in enumerate(batches, 1):
            lines = _lines(batch, self._connection.id)
            kept = lines if self._limit is None else lines[: self._limit - self.count]
            self.count += len(kept)
            yield kept
            full = self.count == self._limit or number == self._pages
            self.more = len(kept) < len(lines) or (
                not batch.complete if full else self._reading.stats.truncated
            )
            if full:
                return


def _lines(batch: Batch, where: str) -> list[bytes]:
    rows = batch.rows
    if not isinstance(rows, bytes):
        from connector_assets.load.rows import encode

        plain = rows if isinstance(rows, list | tuple) else rows.to_pylist()
        rows = encode(plain, batch.count, where=where).data
    return [line for line in rows.split(b"\n") if line]
