"""A connector as its page tells it: streams and columns, auths, limits, where it sends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from connector_assets.authoring.workbench import Workbench
from connector_assets.catalogue.entries import entries
from connector_assets.catalogue.proofs import Proof
from connector_assets.catalogue.shelf import file_of
from connector_assets.errors import ConfigError, ConnectorError
from connector_assets.legible import message
from connector_assets.project.connection import Connection
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.document import load_connector
from connector_assets.spec.names.names import variable_names
from connector_assets.spec.stream.stream import Stream
from connector_assets.spec.yaml.yaml_text import read_file

_MOST = 300
_HOWS = {
    "simulated": "held by `test`, against a fake made from the spec",
    "compared": "held against the vendor's pages by somebody who did not write it",
    "server": "read from a server that somebody else wrote",
}


def of_catalogue(name: str) -> dict[str, Any]:
    """A connector of the catalogue; ConfigError where there is none."""
    file = file_of(name)
    if file is None:
        raise ConfigError(f'"{name[:80]}" is no connector of the catalogue')
    spec = load_connector(file)
    connection = Connection(spec.id, YamlConnector(spec, HttpRuntime()), environ={})
    proofs = next((one.proofs for one in entries() if one.id == spec.id), ())
    return {
        **_described(connection),
        "release": spec.release,
        "changes": [(one.release, one.says) for one in spec.changes],
        "proofs": list(map(_proof, proofs)),
        "yaml": read_file(file).decode("utf-8", "replace"),
    }


def of_project(bench: Workbench, name: str) -> dict[str, Any]:
    """A connection of the project; ConfigError where there is none of that id."""
    connection = bench.project().connection(name)
    if connection is None:
        raise ConfigError(f'"{name[:80]}" is no connection of the project')
    own = connection.spec or connection.source
    folder = bench.folder.path
    told = {**_described(connection), "edits": bool(own and _is_below(own, folder))}
    try:
        told["missing"] = connection.lacks()
        told["reads"] = connection.reads()
    except ConnectorError as error:
        told["errors"] = [message(str(error))]
    return told


def _is_below(file: Path, folder: Path) -> bool:
    return file.resolve().is_relative_to(folder.resolve())


def _described(connection: Connection) -> dict[str, Any]:
    connector = connection.connector
    spec = connector.spec if isinstance(connector, YamlConnector) else None
    streams = connection.streams()
    return {
        "id": connection.id,
        "connector": connector.id,
        "displayName": connector.display_name,
        "description": connector.description,
        "category": spec.category if spec else "plugin",
        "docsUrl": _web(connector.docs_url),
        "sendsTo": connection.sends_to(),
        "streams": [_stream(one, spec) for one in streams[:_MOST]],
        "streamsLeft": max(len(streams) - _MOST, 0),
        "isDynamic": bool(connector.dynamic),
        "auths": list(_auths(spec, connection.id)) if spec else [],
        "limits": list(_limits(spec)) if spec else [],
        "config": list(_config(spec, connection.id)) if spec else [],
    }


def _web(url: str | None) -> str:
    """An address that a browser may be given: nothing that is run."""
    return url if url and url.lower().startswith(("https://", "http://")) else ""


def _stream(stream: Stream, spec: ConnectorSpec | None) -> dict[str, Any]:
    endpoint = spec.endpoint_of(stream) if spec else None
    cursor = stream.incremental
    return {
        "name": stream.name,
        "description": stream.description,
        "key": list(stream.primary_key),
        "mode": stream.mode,
        "new": str(cursor.cursor_field or "") if cursor else "",
        "parents": list(stream.parents),
        "asks": f"{endpoint.method} {endpoint.url.source}" if endpoint else "",
        "pages": getattr(endpoint.pagination, "type", "none") if endpoint else "",
        "columns": [
            {"name": str(name), "type": one.type or "", "description": one.description}
            for name, one in ((name, stream.column(name)) for name in stream.columns)
        ],
    }


def _auths(spec: ConnectorSpec, own_id: str) -> Iterator[dict[str, Any]]:
    for auth in spec.auth:
        ways = [sorted(way) for way in auth.ways() if way]
        yield {
            "type": auth.type,
            "ways": [
                [(variable_names(own_id, name)[0], _about(spec, name)) for name in way]
                for way in ways
            ],
        }


def _about(spec: ConnectorSpec, secret: str) -> str:
    said = spec.secrets.get(secret)
    return said.description if said else ""


def _config(spec: ConnectorSpec, own_id: str) -> Iterator[tuple[str, str, bool]]:
    for name, one in spec.config.items():
        yield variable_names(own_id, name)[0], one.about, one.needed


def _limits(spec: ConnectorSpec) -> Iterator[tuple[str, str]]:
    """What is kept to, and by which endpoints."""
    told: dict[str, list[str]] = {}
    for endpoint in spec.endpoints:
        limit = endpoint.rate_limit or spec.rate_limit
        if limit and limit.requests_per_second:
            said = f"{limit.requests_per_second:g} requests a second, {limit.burst_size} at once"
            told.setdefault(said, []).append(endpoint.id)
    for said, names in told.items():
        yield said, "every endpoint" if len(names) == len(spec.endpoints) else ", ".join(names)


def _proof(one: Proof) -> tuple[str, str, str, str]:
    return one.how, one.on, one.says, _HOWS.get(one.how, "")
