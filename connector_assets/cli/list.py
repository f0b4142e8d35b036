"""`list`: the connectors of a project, their streams, and the values they still need."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from connector_assets.cli import output
from connector_assets.cli.options import Given, JsonOption
from connector_assets.errors import ConnectorError

if TYPE_CHECKING:
    from connector_assets.connection import Connection
    from connector_assets.project import Broken


def list_connectors(*, as_json: JsonOption = False) -> None:
    """List the connectors of this project, their streams, and the variables they need.

    They are the files in specs/ and connections/ (CONNECTOR_ASSETS_SPECS and
    CONNECTOR_ASSETS_CONNECTIONS say otherwise) and the plugins of CONNECTOR_ASSETS_PLUGINS.
    """
    from connector_assets.cli.project import folders, project

    with Given.of() as given:
        found = project(runtime=given.runtime, environ=given.environ)
        connections = [_plain(one) for one in found.connections]
    if as_json:
        told = connections + [_broken(one) for one in found.broken]
        output.write(json.dumps(told, indent=2) + "\n")
        return
    for connection in connections:
        output.write(_text(connection))
    for broken in found.broken:
        output.spec_error(broken.error)
    if not connections and not found.broken:
        output.say(f"no connector in {folders(given.environ)[0]}/")


def _text(plain: dict[str, Any]) -> str:
    lines = [
        f"{plain['id']}  {plain['displayName']}  ({plain['source'] or 'plugin'})",
        f"  streams: {', '.join(plain['streams'])}",
    ]
    for title in ("set", "missing", "error"):
        told = plain.get(title)
        if told:
            lines.append(f"  {title}: ".ljust(11) + (told if title == "error" else ", ".join(told)))
    return "\n".join(lines) + "\n"


def _plain(connection: Connection) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "id": connection.id,
        "connector": connection.connector.id,
        "displayName": connection.connector.display_name,
        "source": str(connection.source) if connection.source else None,
        "streams": [],
        "set": [],
        "missing": [],
    }
    try:
        plain["streams"] = [stream.name for stream in connection.streams()]
        plain["set"] = sorted(_given(connection))
        missing = [name for stream in plain["streams"] for name in connection.missing(stream)]
        plain["missing"] = list(dict.fromkeys(missing))
    except ConnectorError as error:
        plain["error"] = str(error)
    return plain


def _given(connection: Connection) -> set[str]:
    """The variables of the environment that hold a value of this connection."""
    from connector_assets.connection import variable_names

    all_needs = [connection.connector.needs(stream) for stream in connection.streams()]
    names = {name for one in all_needs for name in one.config | one.optional | one.known_secrets}
    variables = {one for name in names for one in variable_names(connection.id, name)}
    sources = connection.document.secrets.values() if connection.document else ()
    variables |= {source.env for source in sources if source.env}
    return variables & connection.environ.keys()


def _broken(broken: Broken) -> dict[str, Any]:
    faults = [str(fault) for fault in broken.error.faults]
    return {"id": None, "source": str(broken.path), "faults": faults}
