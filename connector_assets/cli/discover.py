"""`discover`: ask an API which streams it has, and keep the answer in a lock file."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

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

OutputOption = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help="Write here instead of beside the spec."),
]
CheckOption = Annotated[
    bool, typer.Option("--check", help="Write nothing; fail if the lock file is out of date.")
]


def discover(
    spec: SpecArgument,
    *,
    file: OutputOption = None,
    check: CheckOption = False,
    auth: AuthOption = None,
    config: ConfigOption = None,
    secret: SecretOption = None,
    secrets_file: SecretsFileOption = None,
    allow_private: AllowPrivateOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Look up the streams that an API lists (read.dynamic), and lock them beside the spec.

    What changed is printed: + for a new stream, - for one that is gone. Everything else reads the
    lock file and asks no server; commit it.
    """
    from connector_assets.discovery import discover_streams
    from connector_assets.spec.dynamic import difference, discovered, write_lock

    with Given.of(auth, config, secret, secrets_file, allow_private, verbose=verbose) as given:
        connection = given.connection(spec)
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
    changes = difference(discovered(lock, connection.id), found)
    output.write("".join(f"{line}\n" for line in changes))
    if not check:
        write_lock(lock, connection.id, found)
        output.say(f"{lock}: {len(found):,} streams of {connection.id}")
    elif changes:
        output.say(f"{lock}: is out of date; run connector-assets discover {spec}")
        raise typer.Exit(1)
