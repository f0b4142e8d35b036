"""`check`: does the connection work, and if not, which part of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from connector_assets.cli import output
from connector_assets.cli.interrupt import interrupting
from connector_assets.cli.options import (
    Given,
    JsonOption,
    SpecArgument,
    takes_values,
)
from connector_assets.errors import ConnectorError

if TYPE_CHECKING:
    from connector_assets.project.connection import Connection
    from connector_assets.reading.connector import Check

_TRIES = 2
StreamArgument = Annotated[
    str | None,
    typer.Argument(metavar="STREAM", help="Default: the first stream.", show_default=False),
]


@takes_values
def check(
    spec: SpecArgument,
    stream: StreamArgument = None,
    *,
    given: Given,
    as_json: JsonOption = False,
) -> None:
    """Test a connection: one page of one stream, nothing stored.

    First it says which variables it reads and where it may send to. A failure says which part it
    was: config, guard, dns, tls, connection, auth, permission, path, rate limit, server, answer. A
    request is tried twice at most.
    """
    given.runtime.max_attempts = _TRIES
    connection = given.connection(spec)
    reads, sends_to = connection.reads(), connection.sends_to()
    if not as_json:
        output.write(_beforehand(connection.id, reads, sends_to))
    outcome = _outcome(connection, stream, given)
    message = outcome.message
    if as_json:
        told = {
            "connection": connection.id,
            "ok": outcome.ok,
            "message": message,
            "failed": outcome.failed or None,
            "reads": reads,
            "sendsTo": sends_to,
        }
        output.write_json(told)
    elif outcome.ok:
        output.write(f"{connection.id}: ok{f', {message}' if message else ''}\n")
    else:
        tried = outcome.failed not in ("", "config")
        part = f"{outcome.failed} failed: " if tried else ""
        output.say(f"{part}{message or f'{connection.id}: the connection test failed'}")
    if not outcome.ok:
        raise typer.Exit(1)


def _beforehand(connection_id: str, reads: list[str], sends_to: list[str]) -> str:
    """What the test looks at and where it may send to, before it does."""
    read = f"reads {', '.join(reads)}" if reads else "reads no variables"
    sent = f"; sends to {', '.join(sends_to)}" if sends_to else ""
    return f"{connection_id}: {read}{sent}\n"


def _outcome(connection: Connection, stream: str | None, given: Given) -> Check:
    from connector_assets.reading.connector import Check

    try:
        streams = connection.streams()
        if not stream and not streams:
            raise connection.not_discovered()
        reading = connection.open(
            stream or streams[0].name,
            config=given.config,
            secrets=given.secrets,
            auth=given.auth,
            preview=True,
        )
        with interrupting(reading.cancel):
            outcome = connection.connector.check(reading)
    except ConnectorError as error:
        return Check.of(error)
    names = ", ".join(connection.variable(name) for name in outcome.secrets)
    message = f"{outcome.message} ({names})" if names else outcome.message
    return replace(outcome, message=reading.secrets.mask(message))
