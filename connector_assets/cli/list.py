"""`list`: the connectors of a project, their streams, and the values they still need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector_assets.cli import output
from connector_assets.cli.catalogue import show
from connector_assets.cli.options import Given, JsonOption
from connector_assets.errors import ConnectorError

if TYPE_CHECKING:
    from connector_assets.project.connection import Connection
    from connector_assets.project.project import Broken


_SHOWN = 50
_LISTED = {
    "newer": "newer",
    "sendsTo": "sends to",
    "reads": "reads",
    "set": "set",
    "missing": "missing",
    "error": "error",
}


CatalogueOption = Annotated[
    bool, typer.Option("--catalogue", help="List the connectors that come with this package.")
]


def list_connectors(*, catalogue: CatalogueOption = False, as_json: JsonOption = False) -> None:
    """List the connectors of this project, their streams, and the variables they need.

    Of each it says where its spec may send to, which variables it reads, which of them are set, and
    which are missing.
    They are the files in specs/ and connections/ (CONNECTOR_ASSETS_SPECS and
    CONNECTOR_ASSETS_CONNECTIONS say otherwise) and the plugins of CONNECTOR_ASSETS_PLUGINS.
    """
    if catalogue:
        from connector_assets.catalogue.entries import entries

        show(entries(), as_json=as_json)
        return
    from connector_assets.cli.project import project
    from connector_assets.project.settings import folders

    with Given.of() as given:
        found = project(runtime=given.runtime, environ=given.environ)
        connections = [_plain(one) for one in found.connections]
    if as_json:
        told = connections + [_broken(one) for one in found.broken]
        output.write_json(told, indent=2)
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
        f"  streams:  {_some(plain['streams'])}",
    ]
    for key, title in _LISTED.items():
        told = plain.get(key)
        if told:
            lines.append(
                f"  {title}: ".ljust(12) + (told if isinstance(told, str) else _some(told))
            )
    return "\n".join(lines) + "\n"


def _some(names: list[str]) -> str:
    """As many as a person reads; --json has all."""
    more = f", and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _plain(connection: Connection) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "id": connection.id,
        "connector": connection.connector.id,
        "displayName": connection.connector.display_name,
        "source": str(connection.source) if connection.source else None,
        "streams": [],
        "sendsTo": connection.sends_to(),
        "reads": [],
        "set": [],
        "missing": [],
    }
    if newer := _newer(connection):
        plain["newer"] = newer
    try:
        plain["streams"] = [stream.name for stream in connection.streams()]
        plain["reads"] = connection.reads()
        plain["set"] = sorted(_given(connection))
        plain["missing"] = connection.lacks()
    except ConnectorError as error:
        plain["error"] = str(error)
    return plain


def _newer(connection: Connection) -> str:
    """The release of the catalogue that is newer than the one that the connection stays with."""
    from connector_assets.catalogue.shelf import file_of, release_in

    name, at, pinned = (connection.document.connector if connection.document else "").partition("@")
    newest = file_of(name) if at else None
    number = release_in(newest) if newest else 0
    return f"{name}@{number}" if number > int(pinned or 0) else ""


def _given(connection: Connection) -> set[str]:
    """The variables of the environment that hold a value of this connection."""
    from connector_assets.project.connection import names_of
    from connector_assets.spec.names.names import variable_names

    all_needs = [connection.connector.needs(stream) for stream in connection.streams()]
    names = names_of(all_needs)
    variables = {one for name in names for one in variable_names(connection.id, name)}
    sources = connection.document.secrets.values() if connection.document else ()
    variables |= {source.env for source in sources if source.env}
    return variables & connection.environ.keys()


def _broken(broken: Broken) -> dict[str, Any]:
    faults = [str(fault) for fault in broken.error.faults]
    return {"id": None, "source": str(broken.path), "faults": faults}
