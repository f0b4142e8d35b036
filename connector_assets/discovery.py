"""Ask an API which streams it has: the one place where streams come over the network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connector_assets.connection import Connection
from connector_assets.connector import ReadContext
from connector_assets.errors import ConfigError, ResponseError
from connector_assets.runtime.runtime import Values
from connector_assets.runtime.stats import Stats
from connector_assets.spec.dynamic import Listed, Locked, discovered, named
from connector_assets.spec.stream import DynamicStream, Stream
from connector_assets.spec.template import Template
from connector_assets.yaml_connector import YamlConnector

MOST = 5_000
"""Streams that may be discovered; each is an asset, which people are to look at."""


def discover_streams(connection: Connection, **given: Any) -> list[Locked]:
    """The streams the API lists now, named as they were before where they are the same.

    `given` are config, secrets, auth and cancel, as `Connection.open` takes them. Raises
    ConfigError for a connector without `read.dynamic`.
    """
    connector = connection.connector
    if connection.lock is None or not isinstance(connector, YamlConnector):
        raise ConfigError(
            "lists no streams", where=connection.id, fix="add read.dynamic to its spec"
        )
    before = discovered(connection.lock, connection.id)
    listed: list[Listed] = []
    for block in connector.spec.read.dynamic:
        stream = Stream.model_construct(name=block.from_, endpoint=block.from_)
        listed += _listed(connector, block, connection.open(stream, **given))
        if len(listed) > MOST:
            raise ResponseError(
                f"more than {MOST:,} streams are listed", where=connection.id, fix="narrow only"
            )
    locked = {one.name for one in before}
    written = [one.name for one in connector.spec.streams if one.name not in locked]
    return named(listed, before, written)


def _listed(
    connector: YamlConnector, block: DynamicStream, reading: ReadContext[Any]
) -> Iterator[Listed]:
    values = Values(reading.connection, reading.config, reading.secrets, reading.vars, reading.auth)
    scope = connector.runtime.scope(connector.spec, reading.stream, values)
    steps = connector.runtime.steps(
        connector.spec, reading.stream, values, stats=Stats(), cancel=reading.cancel
    )
    for record in (record for step in steps for record in step.page.records()):
        bound = {**scope, "record": record}
        if block.only is None or block.only.value(bound):
            yield _row(block, bound)


def _row(block: DynamicStream, scope: dict[str, Any]) -> Listed:
    """What is kept of one row: only what its templates read."""
    own = {
        name: value.value(scope)
        for name, value in block.vars.items()
        if isinstance(value, Template) and any(_of_record(one) for one in value.names)
    }
    for name, value in own.items():
        if isinstance(value, dict | list):
            raise ResponseError(f"vars.{name} is not one value", fix="point it at a text or number")
        if isinstance(value, str) and "{{" in value:
            # It would be rendered as a template later, and it comes from a server.
            raise ResponseError(f'vars.{name} holds "{{{{"', fix="choose another field")
    return Listed(block.name.text(scope) or "", block.from_, own)


def _of_record(name: str) -> bool:
    return name == "record" or name.startswith("record.")
