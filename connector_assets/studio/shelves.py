"""What the studio's catalogue shows: connectors of the package, the project's, and plugins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from connector_assets.authoring.workbench import Workbench
from connector_assets.catalogue.entries import Entry, search
from connector_assets.errors import ConnectorError, SpecError
from connector_assets.legible import message
from connector_assets.plugins.shipped import SHIPPED
from connector_assets.project.connection import Connection
from connector_assets.project.project import Project
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.studio.documents import NAMED

Place = Literal["catalogue", "project", "plugin"]
_SHIPPED = {
    "kafka": ("Kafka", "Topics, each message once."),
    "snowflake": ("Snowflake", "Tables, views and queries, read as Arrow."),
    "sql": ("SQL databases", "Tables, views and queries by ADBC or JDBC."),
}


@dataclass(frozen=True)
class Card:
    """A connector at a glance. `state` says of a connection whether its values are there."""

    place: Place
    id: str
    display_name: str
    category: str
    description: str
    streams: int
    proven: tuple[str, ...] = ()
    state: str = ""
    errors: tuple[str, ...] = ()
    page: str = ""
    """The address of its page, "" where it has none."""

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "place": self.place,
            "id": self.id,
            "displayName": self.display_name,
            "category": self.category,
            "description": self.description,
            "streams": self.streams,
            "proven": list(self.proven),
            "state": self.state,
            "errors": list(self.errors),
        }


@dataclass(frozen=True)
class Shelves:
    """The cards of a project, read anew each time: files change beside the studio."""

    bench: Workbench

    def cards(self, words: str = "", category: str = "") -> list[Card]:
        """The project's own first, then the catalogue, best first; as many as answer to all."""
        found = [*self._of_project(words.split()), *map(_of_entry, search(words.split()))]
        return [one for one in found if category in ("", one.category)]

    def _of_project(self, words: list[str]) -> Iterator[Card]:
        found = self.bench.project()
        cards = [*map(_of_connection, found.connections), *_broken(found, self.bench.folder.path)]
        cards += [_of_plugin(name) for name in SHIPPED]
        for card in cards:
            said = f"{card.id} {card.display_name} {card.category} {card.description}".casefold()
            if all(word.casefold() in said for word in words):
                yield card


def _of_entry(entry: Entry) -> Card:
    return Card(
        "catalogue",
        entry.id,
        entry.display_name,
        entry.category,
        entry.description.partition("\n")[0],
        len(entry.streams),
        tuple(map(str, entry.proofs)),
        page=f"/catalogue/{entry.id}",
    )


def _of_connection(one: Connection) -> Card:
    connector = one.connector
    category = connector.spec.category if isinstance(connector, YamlConnector) else "plugin"
    streams, state = 0, ""
    errors: tuple[str, ...] = ()
    try:
        streams = len(one.streams())
        lacking = one.lacks()
        state = f"{len(lacking)} to set" if lacking else "ready"
    except ConnectorError as error:
        state, errors = "broken", (message(str(error)),)
    about = connector.description.partition("\n")[0]
    return Card(
        "project",
        one.id,
        connector.display_name,
        category,
        about,
        streams,
        state=state,
        errors=errors,
        page=f"/project/{one.id}",
    )


def _broken(found: Project, specs: Path) -> Iterator[Card]:
    """Files that cannot be used, with their faults; a spec is mended in the builder."""
    for one in found.broken:
        faults = one.error.faults if isinstance(one.error, SpecError) else [one.error]
        errors = tuple(message(str(fault)) for fault in faults[:5])
        name = one.path.name
        is_spec = one.path == specs / f"{one.path.stem}.yaml" and NAMED.fullmatch(one.path.stem)
        yield Card(
            "project",
            one.id or one.path.stem,
            name,
            "broken",
            "",
            0,
            state="broken",
            errors=errors,
            page=f"/builder?spec={one.path.stem}" if is_spec else "",
        )


def _of_plugin(name: str) -> Card:
    title, about = _SHIPPED.get(name, (name, ""))
    return Card("plugin", name, title, "plugin", about, 0, (), "needs a connection")
