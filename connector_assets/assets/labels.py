"""What Dagster shows of a stream before it ever ran, in words that Dagster accepts."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from connector_assets.legible import code, markdown
from connector_assets.load.files.store_names import table_name
from connector_assets.passwords import may_hold_password
from connector_assets.project.connection import Connection
from connector_assets.spec.stream.stream import Stream, WriteMode

_VERBS: Mapping[WriteMode, str] = {
    "append": "appended to",
    "replace": "replaces",
    "merge": "merged into",
    "scd2": "kept in all its versions in",
}
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST_TAG = 63
_NAME = re.compile(r"\{\{\s*((?:config\.)?[A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


def description(connection: Connection, stream: Stream) -> str:
    """The stream's own description, then where its rows come from and where they go.

    Pages show it as Markdown: what the spec says is in it as text, without links or images.
    """
    key = ", ".join(map(code, stream.primary_key))
    table = code(f"{connection.id}.{table_name(stream.table_name)}")
    goes = f"{_goes(connection, stream)} {table}" + (f", one row per {key}" if key else "")
    connector = connection.connector
    asked = code(filled(connection, stream, connector.source_of(stream)))
    parts = [
        markdown(stream.description),
        f"{markdown(connector.display_name)}: {asked} {goes}.",
    ]
    return "\n\n".join(part for part in parts if part)


def _goes(connection: Connection, stream: Stream) -> str:
    """What a load does, in words before the table's name."""
    partitions = connection.partitions(stream.name)
    if partitions is None:
        return _VERBS[stream.mode]
    part = partitions.mode(stream)
    return f"replaces a part ({partitions.unit}) of" if part == "replace" else _VERBS[part]


def filled(connection: Connection, stream: Stream, text: str) -> str:
    """A template's text with the values that are known before a run; the other names stay.

    What may hold a password stays a name as well.
    """

    def value(found: re.Match[str]) -> str:
        known = connection.known(stream, found[1])
        is_shown = isinstance(known, str | int | float) and not may_hold_password(str(known))
        return str(known) if is_shown else found[0]

    return _NAME.sub(value, text)


def group(connection: Connection, stream: Stream) -> str:
    """The connection's own group unless its document names another."""
    return connection.asset_settings(stream.name).group or connection.id


def owners(connection: Connection, stream: Stream) -> list[str]:
    """Of the connection's document, else of the connector."""
    named = connection.asset_settings(stream.name).owners
    return [owner(name) for name in named or connection.connector.owners]


def owner(name: str) -> str:
    """An owner as Dagster takes it: an e-mail address or a team.

    >>> owner("ann@example.com"), owner("Data Platform")
    ('ann@example.com', 'team:Data Platform')
    """
    return name if _ADDRESS.fullmatch(name) or re.match("team:.", name) else f"team:{name}"


def tags(connection: Connection, stream: Stream) -> dict[str, str]:
    """Of the connector, and over them those of the connection's document."""
    shared = connection.connector.tags
    own = connection.asset_settings(stream.name).tags
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
