"""`discover`: ask an API which streams it has, and keep the answer in a lock file."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import typer

from connector_assets.cli import output
from connector_assets.cli.interrupt import interrupting
from connector_assets.cli.options import (
    Given,
    SpecArgument,
    takes_values,
)

OutputOption = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help="Write here instead of beside the spec."),
]
CheckOption = Annotated[
    bool, typer.Option("--check", help="Write nothing; fail if the lock file is out of date.")
]


@takes_values
def discover(
    spec: SpecArgument,
    *,
    file: OutputOption = None,
    check: CheckOption = False,
    given: Given,
) -> None:
    """Look up the streams that an API lists (read.dynamic), and lock them beside the spec.

    What changed is printed: + for a new stream, - for one that is gone. Everything else reads the
    lock file and asks no server; commit it.
    """
    from connector_assets.project.discovery import discover_streams
    from connector_assets.runtime.stats import counted
    from connector_assets.spec.dynamic import difference, still_locked, write_lock

    connection = given.connection(spec, discovers=True)
    cancel = threading.Event()
    with interrupting(cancel):
        found = discover_streams(
            connection,
            config=given.config,
            secrets=given.secrets,
            auth=given.auth,
            cancel=cancel,
        )
    assert connection.lock is not None
    lock = file or connection.lock
    changes = difference(still_locked(lock, connection.id), found)
    output.write("".join(f"{line}\n" for line in changes))
    if not check:
        write_lock(lock, connection.id, found)
        output.say(f"{lock}: {counted(len(found), 'stream')} of {connection.id}")
    elif changes:
        output.say(f"{lock}: is out of date; run connector-assets discover {spec}")
        raise typer.Exit(1)
