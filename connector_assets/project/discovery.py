"""Ask an API which streams it has: the one place where streams come over the network."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from connector_assets.errors import ConfigError, ResponseError
from connector_assets.project.connection import Connection
from connector_assets.reading.connector import Connector, ReadContext
from connector_assets.redact import Secrets
from connector_assets.spec.dynamic import Listed, Locked, named, still_locked
from connector_assets.spec.stream.stream import DynamicStream, Stream
from connector_assets.spec.templates.template import Template

_LONGEST, _MOST_DIGITS = 10_000, 1_000
MOST = 5_000
"""Streams that may be discovered; each is an asset, which people are to look at."""


def discover_streams(connection: Connection, **given: Any) -> list[Locked]:
    """The streams the API lists now, named as they were before where they are the same.

    `given` are config, secrets, auth and cancel, as `Connection.open` takes them. Raises
    ConfigError for a connector without `read.dynamic`.
    """
    connector = connection.connector
    if connection.lock is None:
        fix = "add read.dynamic to its spec" if connection.spec else "its plugin has no discover"
        raise ConfigError("lists no streams", where=connection.id, fix=fix)
    before = still_locked(connection.lock, connection.id)
    listed = list(islice(_all_listed(connection, given), MOST + 1))
    if len(listed) > MOST:
        raise ResponseError(
            f"more than {MOST:,} streams are listed", where=connection.id, fix="narrow only"
        )
    locked = {one.name for one in before}
    written = [one.name for one in connector.streams() if one.name not in locked]
    return named(listed, before, written)


def _all_listed(connection: Connection, given: dict[str, Any]) -> Iterator[Listed]:
    connector = connection.connector
    for block in connector.dynamic:
        stream = Stream.model_construct(name=block.from_, endpoint=block.from_)
        yield from _listed(connector, block, connection.open(stream, **given))
    if not connector.dynamic:
        reading = connection.open(Stream.model_construct(name="discovery"), **given)
        for one in connector.listed(reading):
            _refuse(one, reading.secrets)
            yield one


def _refuse(listed: Listed, secrets: Secrets) -> None:
    """Raise ResponseError where a listed stream holds what no lock file may hold."""
    for name, value in listed.vars.items():
        _refuse_unkeepable(name, value)
    if secrets.holds(json.dumps([listed.name, listed.told], default=str)):
        # The lock file is committed.
        raise ResponseError(f'what is told of "{listed.name[:60]}" holds a secret of ours')


def _refuse_unkeepable(name: str, value: Any) -> None:
    if isinstance(value, dict | list):
        raise ResponseError(f"vars.{name} is not one value", fix="point it at a text or number")
    if wrong := _unwritable(value):
        raise ResponseError(f"vars.{name} holds {wrong}", fix="choose another field")
    if isinstance(value, str) and "{{" in value:
        # It would be rendered as a template later, and it comes from a server.
        raise ResponseError(f'vars.{name} holds "{{{{"', fix="choose another field")


def _listed(
    connector: Connector[Any], block: DynamicStream, reading: ReadContext[Any]
) -> Iterator[Listed]:
    scope = connector.scope(reading)
    for record in connector.records(reading):
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
        _refuse_unkeepable(name, value)
    name = block.name.text(scope) or ""
    for at, value in {"name": name, **{f"vars.{one}": value for one, value in own.items()}}.items():
        if scope["secrets"].holds(str(value)):
            # The lock file is committed beside the spec.
            raise ResponseError(f"{at} holds a secret of ours", fix="choose another field")
    return Listed(name, block.from_, own)


def _unwritable(value: Any) -> str | None:
    """What keeps a value from being read again from the lock file as it is."""
    if isinstance(value, float):
        return None if math.isfinite(value) else "no finite number"
    if isinstance(value, int):
        return None if abs(value) < 10**_MOST_DIGITS else "a number that is too long"
    if not isinstance(value, str):
        return None
    if len(value) > _LONGEST:
        return f"more than {_LONGEST:,} characters"
    return "a character that no text may have" if re.search("[\0\ud800-\udfff]", value) else None


def _of_record(name: str) -> bool:
    return name == "record" or name.startswith("record.")
