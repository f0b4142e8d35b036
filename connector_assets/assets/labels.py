"""What Dagster shows of a stream before it ever ran, in words that Dagster accepts."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from connector_assets.connection import Connection
from connector_assets.load.names import table_name
from connector_assets.spec.stream import Stream, WriteMode
from connector_assets.yaml_connector import YamlConnector

_VERBS: Mapping[WriteMode, str] = {
    "append": "appended to",
    "replace": "replaces",
    "merge": "merged into",
    "scd2": "kept in all its versions in",
}
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST_TAG = 63


def description(connection: Connection, stream: Stream) -> str:
    """The stream's own description, then where its rows come from and where they go."""
    key = ", ".join(f"`{name}`" for name in stream.primary_key)
    table = f"`{connection.id}.{table_name(stream.name)}`"
    goes = f"{_goes(connection, stream)} {table}" + (f", one row per {key}" if key else "")
    parts = [
        stream.description,
        f"{connection.connector.display_name}: {_source(connection, stream)} {goes}.",
    ]
    return "\n\n".join(part for part in parts if part)


def _goes(connection: Connection, stream: Stream) -> str:
    """What a load does, in words before the table's name."""
    partitions = connection.partitions(stream.name)
    if partitions is None:
        return _VERBS[stream.mode]
    part = partitions.mode(stream)
    return f"replaces a part ({partitions.unit}) of" if part == "replace" else _VERBS[part]


def _source(connection: Connection, stream: Stream) -> str:
    if not isinstance(connection.connector, YamlConnector):
        return f"`{stream.name}`"
    endpoint = connection.connector.spec.endpoint_of(stream)
    base, url = endpoint.base_url, endpoint.url.source
    where = f"{base.source}{url}" if base and url.startswith("/") else url
    return f"`{endpoint.method} {where}`"


def group(connection: Connection, stream: Stream) -> str:
    """The connection's own group unless its document names another."""
    named = connection.document.group_of(stream.name) if connection.document else None
    return named or connection.id


def owners(connection: Connection, stream: Stream) -> list[str]:
    """Of the connection's document, else of the connector."""
    named = connection.document.owners_of(stream.name) if connection.document else ()
    if not named and isinstance(connection.connector, YamlConnector):
        named = connection.connector.spec.owners
    return [owner(name) for name in named]


def owner(name: str) -> str:
    """An owner as Dagster takes it: an e-mail address or a team.

    >>> owner("ann@example.com"), owner("Data Platform")
    ('ann@example.com', 'team:Data Platform')
    """
    return name if _ADDRESS.fullmatch(name) or re.match("team:.", name) else f"team:{name}"


def tags(connection: Connection, stream: Stream) -> dict[str, str]:
    """Of the connector, and over them those of the connection's document."""
    connector, document = connection.connector, connection.document
    shared = connector.spec.tags if isinstance(connector, YamlConnector) else {}
    own = document.tags_of(stream.name) if document else {}
    return {**{tag(name): tag(text) for name, text in shared.items()}, **own}


def tag(text: str) -> str:
    """A tag's name or value as Dagster takes it.

    >>> tag("EU & UK")
    'EU_UK'
    """
    return _NOT_IN_TAGS.sub("_", text)[:_LONGEST_TAG]


def code_version(connection: Connection, stream: Stream) -> str:
    """A digest of what decides the rows: when it changes, Dagster marks the asset as stale."""
    parts: list[Any] = [connection.connector.fingerprint(stream)]
    if connection.document:
        parts += [
            _plain(connection.document.config),
            _plain(connection.document.vars_of(stream.name)),
        ]
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: getattr(value, "source", value) for name, value in values.items()}
