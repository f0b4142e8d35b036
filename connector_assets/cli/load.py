"""`load`: what materializing an asset does, without Dagster."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector_assets.cli import output
from connector_assets.cli.interrupt import interrupting
from connector_assets.cli.options import (
    WHERE_BY_DEFAULT,
    Given,
    JsonOption,
    SpecArgument,
    takes_values,
)
from connector_assets.errors import Cancelled, ConfigError, ConnectorError
from connector_assets.project.settings import setting

if TYPE_CHECKING:
    from connector_assets.cli.progress import Shows
    from connector_assets.project.connection import Connection
    from connector_assets.runtime.stats import Stats
    from connector_assets.runtime.walk.slices import ParentRows
    from connector_assets.sync import Run, Synced

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
AdoptOption = Annotated[
    bool,
    typer.Option(
        "--adopt",
        help="Take over tables that somebody else made or another connection loads, "
        "also in schemas of the database's own; without it they are refused.",
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


@takes_values
def load(
    spec: SpecArgument,
    streams: StreamsArgument = None,
    *,
    to: ToOption = None,
    schema: SchemaOption = None,
    full: FullOption = False,
    partition: PartitionOption = None,
    adopt: AdoptOption = False,
    given: Given,
    as_json: JsonOption = False,
) -> None:
    """Load streams into tables, each in one transaction.

    A stream that fails leaves its table as it was and does not stop the others; the exit code
    is then 1. An interrupted load goes on from its last page when it is run again. With --json,
    one object is printed per stream.
    """
    from connector_assets.cli.progress import progress
    from connector_assets.load.urls import destination_from_url
    from connector_assets.project.partitioned import Indexed
    from connector_assets.spec.stream.partitions import RANGE
    from connector_assets.sync import Run, parent_rows

    connection = given.connection(spec)
    names = _parents_first(connection, streams or _all(connection, partition))
    staging = setting("STAGING", given.environ)
    destination = destination_from_url(given.destination_of(connection, to))
    rows = Indexed(parent_rows(connection, destination, schema))
    parents = rows if partition is not None and RANGE in partition else None
    run = Run(staging, schema, full=full, adopt=adopt, parents=parents)
    work = _Work(connection, given, destination, run)
    tell = _as_json if as_json else _as_line
    with progress() as shown:
        parts = [(name, key) for name in names for key in _keys(connection, name, partition, rows)]
        failed = [not work.load(name, key, shown, tell) for name, key in parts]
    if any(failed):
        raise typer.Exit(1)


def _all(connection: Connection, partition: str | None) -> list[str]:
    """Every stream; with a partition, every one that has partitions."""
    names = [one.name for one in connection.streams()]
    if not names and connection.awaits_discovery:
        raise connection.not_discovered()
    if partition is not None:
        names = [name for name in names if connection.partitions(name)]
    if partition is not None and not names:
        raise ConfigError("has no partitions", where=connection.id, fix="leave --partition out")
    return names


def _keys(
    connection: Connection, stream: str, partition: str | None, rows: ParentRows
) -> Sequence[str | None]:
    from connector_assets.project.partitioned import chosen

    return [None] if partition is None else chosen(connection, stream, partition, rows)


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
    run: Run
    stats: Stats | None = None

    def load(
        self, stream: str, partition: str | None, shown: Shows, tell: Callable[..., None]
    ) -> bool:
        """Whether it went well; what came of it is told either way."""
        from connector_assets.cli.progress import tell_lines
        from connector_assets.runtime.clock import Clock

        name = f"{self.connection.id}.{stream}"
        label = name if partition is None else f"{name} [{partition}]"
        began = Clock().monotonic()
        shown.start(label)
        came: Synced | ConnectorError
        try:
            came = self._sync(stream, partition, shown)
        except ConnectorError as error:
            came = error
        except Exception as error:  # noqa: BLE001 - a bug in one stream is not the end of the others
            came = output.bug(error)
        except KeyboardInterrupt:
            shown.stop()
            tell(label, Cancelled("interrupted", fix=_next(self.stats)), 0.0)
            raise
        shown.stop()
        tell_lines(label, self.stats)
        tell(label, came, Clock().monotonic() - began)
        return not isinstance(came, ConnectorError)

    def _sync(self, stream: str, partition: str | None, shown: Shows) -> Synced:
        from connector_assets.cli.progress import tell_lines
        from connector_assets.sync import sync

        def update(stats: Stats) -> None:
            self.stats = stats
            tell_lines(f"{self.connection.id}.{stream}", stats)
            shown.update(stats)

        self.stats = None
        cancel = threading.Event()
        with interrupting(cancel):
            return sync(
                self.connection,
                stream,
                self.destination,
                replace(self.run, partition=partition, on_progress=update),
                config=self.given.config,
                secrets=self.given.secrets,
                auth=self.given.auth,
                cancel=cancel,
            )


def _next(stats: Stats | None) -> str:
    """What the next run does after one that was interrupted."""
    from connector_assets.runtime.stats import counted

    if stats is None or not (stats.staged or stats.whole):
        return "nothing is staged, and the next load begins anew"
    if stats.whole:
        rows = counted(stats.staged, "row")
        return f"all {rows} are staged, and the next load writes them without a request"
    rows = counted(stats.staged, "row is", "rows are")
    return f"{rows} staged, and the next load goes on after them, or begins anew with --full"


def _as_line(name: str, came: Synced | ConnectorError, elapsed_s: float) -> None:
    if isinstance(came, ConnectorError):
        output.failure(came.within(name))
        return
    from connector_assets.runtime.stats import counted

    for note in came.stats.notes:
        output.say(f"{name}: note: {note}")
    _warn(name, came)
    table = f"{came.table.schema}.{came.table.name} in {came.loaded.uri}"
    if came.unchanged:
        output.write(f"{name}: unchanged; {table} still has {counted(came.loaded.rows, 'row')}\n")
        return
    output.write(
        f"{name}: {_served(came, elapsed_s)}; {table} now has {counted(came.loaded.rows, 'row')}\n"
    )


def _warn(name: str, came: Synced) -> None:
    """Say on stderr, in every format, why rows may be missing."""
    for lack in came.stats.lacks:
        output.say(f"{name}: warning: not complete: {lack}")


def _served(came: Synced, elapsed_s: float) -> str:
    """What the server gave, and how much of it was loaded where that is another number."""
    from connector_assets.cli.progress import counted
    from connector_assets.runtime.stats import counted as noun

    told = [f"served {counted(came.stats, elapsed_s)}"]
    if came.resumed_rows:
        told.append(f"{noun(came.resumed_rows, 'row')} staged before")
    if came.loaded.received != came.stats.rows:
        told.append(f"{noun(came.loaded.received, 'row')} loaded")
    return "; ".join(told)


def _as_json(name: str, came: Synced | ConnectorError, elapsed_s: float) -> None:
    connection, _, rest = name.partition(".")
    stream, _, key = rest.removesuffix("]").partition(" [")
    told: dict[str, Any] = {"connection": connection, "stream": stream}
    if key:
        told["partition"] = key
    if isinstance(came, ConnectorError):
        told |= {"ok": False, "complete": False, "error": str(came.within(name))}
    else:
        _warn(name, came)
        told |= {
            "ok": True,
            "complete": came.complete,
            "destination": came.loaded.uri,
            "schema": came.table.schema,
            "table": came.table.name,
            "rows": came.loaded.rows,
            "served": came.stats.rows,
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
    output.write_json(told)
