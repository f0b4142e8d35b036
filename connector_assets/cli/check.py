"""`check`: does the connection work, and if not, which part of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from connector_assets.cli import output
from connector_assets.cli.interrupt import interrupting
from connector_assets.cli.options import (
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
from connector_assets.errors import ConnectorError

if TYPE_CHECKING:
    from connector_assets.connection import Connection

StreamArgument = Annotated[
    str | None,
    typer.Argument(metavar="STREAM", help="Default: the first stream.", show_default=False),
]


def check(
    spec: SpecArgument,
    stream: StreamArgument = None,
    *,
    auth: AuthOption = None,
    config: ConfigOption = None,
    secret: SecretOption = None,
    secrets_file: SecretsFileOption = None,
    allow_private: AllowPrivateOption = None,
    verbose: VerboseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Test a connection: one page of one stream, nothing stored.

    A failure says which it was: a value to set, the host, the secret, or the spec.
    """
    with Given.of(auth, config, secret, secrets_file, allow_private, verbose=verbose) as given:
        connection = given.connection(spec)
        ok, message = _outcome(connection, stream, given)
    if as_json:
        told = {"connection": connection.id, "ok": ok, "message": message}
        output.write(json.dumps(told) + "\n")
    elif ok:
        output.write(f"{connection.id}: ok{f', {message}' if message else ''}\n")
    else:
        output.say(message or f"{connection.id}: the connection test failed")
    if not ok:
        raise typer.Exit(1)


def _outcome(connection: Connection, stream: str | None, given: Given) -> tuple[bool, str]:
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
        return False, str(error)
    return outcome.ok, reading.secrets.mask(outcome.message)
