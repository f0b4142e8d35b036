"""`load`: what materializing an asset does, without Dagster."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector_assets.cli import output
from connector_assets.cli.interrupt import interrupting
from connector_assets.cli.options import (
    WHERE_BY_DEFAULT,
    AllowPrivateOption,
    AuthOption,
    ConfigOption,
    Given,
    JsonOption,
    SecretOption,
    SecretsFileOption,
    SpecArgument,
    VerboseOption,
)
from connector_assets.errors import ConfigError, ConnectorError
from connector_assets.settings import setting

if TYPE_CHECKING:
    from connector_assets.cli.progress import Shows
    from connector_assets.connection import Connection
    from connector_assets.sync import Synced

StreamsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="STREAM...", help="Default: every stream.", show_default=False),
]
ToOption = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="URL",
        help="Where to: duckdb:///relative.duckdb, duckdb:////absolute.duckdb, parquet:///folder "
        f"or postgresql://host/database. {WHERE_BY_DEFAULT}",
        show_default=False,
    ),
]
SchemaOption = Annotated[
    str | None,
    typer.Option(
        "--schema", metavar="NAME", help="The tables' schema. Default: the connection's id."
    ),
]
FullOption = Annotated[
    bool,
    typer.Option(
        "--full",
        help="Read everything: ignore the stored cursor and rows staged by earlier runs, and "
        "replace the table; with scd2 its history stays.",
    ),
]
PartitionOption = Annotated[
    str | None,
    typer.Option(
        "--partition",
        metavar="KEY|FIRST...LAST",
        help="Load this partition, or these, of the streams that have partitions.",
    ),
]


def load(
    spec: SpecArgument,
    streams: StreamsArgument = None,
    *,
    to: ToOption = None,
    schema: SchemaOption = None,
    full: FullOption = False,
    partition: PartitionOption = None,
    auth: AuthOption = None,
    config: ConfigOption = None,
    secret: SecretOption = None,
    secrets_file: SecretsFileOption = None,
    allow_private: AllowPrivateOption = None,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Load streams into tables, each in one transaction.

    A stream that fails leaves its table as it was and does not stop the others; the exit code
    is then 1. An interrupted load goes on from its last page when it is run again. With --json,
    one object is printed per stream.
    """
    from connector_assets.cli.progress import progress
    from connector_assets.load.urls import destination_from_url

    with Given.of(auth, config, secret, secrets_file, allow_private, verbose=verbose) as given:
        connection = given.connection(spec)
        names = _parents_first(connection, streams or _all(connection, partition))
        staging = Path(setting("STAGING", given.environ))
        destination = destination_from_url(given.destination_of(connection, to))
        work = _Work(connection, given, destination, staging, schema, full)
        tell = _as_json if as_json else _as_line
        with progress() as shown:
            parts = [(name, key) for name in names for key in _keys(connection, name, partition)]
            failed = [not work.load(name, key, shown, tell) for name, key in parts]
    if any(failed):
        raise typer.Exit(1)


def _all(connection: Connection, partition: str | None) -> list[str]:
    """Every stream; with a partition, every one that has partitions."""
    names = [one.name for one in connection.streams()]
    if partition is not None:
        names = [name for name in names if connection.partitions(name)]
    if partition is not None and not names:
        raise ConfigError("has no partitions", where=connection.id, fix="leave --partition out")
    return names


def _keys(connection: Connection, stream: str, partition: str | None) -> Sequence[str | None]:
    from connector_assets.partitioned import chosen

    return [None] if partition is None else chosen(connection, stream, partition)


def _parents_first(connection: Connection, names: Sequence[str]) -> list[str]:
    """Each name once, in the order given, but a stream after those whose tables it reads."""
    wanted = {name: connection.stream(name) for name in names}
    after = {
        name: [one for one in stream.parents if one in wanted] for name, stream in wanted.items()
    }
    return list(TopologicalSorter(after).static_order())


@dataclass
class _Work:
    connection: Connection
    given: Given
    destination: Any
    staging: Path
    schema: str | None
    full: bool

    def load(
        self, stream: str, partition: str | None, shown: Shows, tell: Callable[..., None]
    ) -> bool:
        """Whether it went well; what came of it is told either way."""
        from connector_assets.runtime.clock import Clock

        name = f"{self.connection.id}.{stream}"
        label = name if partition is None else f"{name} [{partition}]"
        began = Clock().monotonic()
        shown.start(label)
        try:
            synced = self._sync(stream, partition, shown)
        except ConnectorError as error:
            shown.stop()
            tell(label, error, 0.0)
            return False
        shown.stop()
        tell(label, synced, Clock().monotonic() - began)
        return True

    def _sync(self, stream: str, partition: str | None, shown: Shows) -> Synced:
        from connector_assets.sync import sync

        cancel = threading.Event()
        with interrupting(cancel):
            return sync(
                self.connection,
                stream,
                self.destination,
                staging=self.staging,
                config=self.given.config,
                secrets=self.given.secrets,
                auth=self.given.auth,
                schema=self.schema,
                partition=partition,
                full=self.full,
                cancel=cancel,
                on_progress=shown.update,
            )


def _as_line(name: str, came: Synced | ConnectorError, elapsed_s: float) -> None:
    if isinstance(came, ConnectorError):
        output.failure(came.at(name))
        return
    from connector_assets.cli.progress import counted

    for note in came.stats.notes:
        output.say(f"{name}: note: {note}")
    table = f"{came.table.schema}.{came.table.name} in {came.loaded.uri}"
    if came.unchanged:
        output.write(f"{name}: unchanged; {table} still has {came.loaded.rows:,} rows\n")
        return
    output.write(
        f"{name}: {counted(came.stats, elapsed_s)}; {table} now has {came.loaded.rows:,} rows\n"
    )


def _as_json(name: str, came: Synced | ConnectorError, elapsed_s: float) -> None:
    connection, _, rest = name.partition(".")
    stream, _, key = rest.removesuffix("]").partition(" [")
    told: dict[str, Any] = {"connection": connection, "stream": stream}
    if key:
        told["partition"] = key
    if isinstance(came, ConnectorError):
        told |= {"ok": False, "error": str(came)}
    else:
        told |= {
            "ok": True,
            "destination": came.loaded.uri,
            "schema": came.table.schema,
            "table": came.table.name,
            "rows": came.loaded.rows,
            "received": came.loaded.received,
            "unchanged": came.unchanged,
            "resumedRows": came.resumed_rows,
            "calls": came.stats.calls,
            "pages": came.stats.pages,
            "bytes": came.stats.bytes,
            "retries": came.stats.retries,
            "waitedSeconds": round(came.stats.waited_s, 3),
            "seconds": round(elapsed_s, 3),
            "cursor": came.cursor_after,
            "notes": came.stats.notes,
        }
    output.write(json.dumps(told, default=str) + "\n")
