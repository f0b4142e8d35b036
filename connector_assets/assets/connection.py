"""One connection as Dagster definitions: an asset per stream, schedules, resources."""

from __future__ import annotations

from typing import Any

import dagster as dg

from connector_assets.assets.broken import undiscovered_assets
from connector_assets.assets.resources import destination_resource, http_resource
from connector_assets.assets.schedules import schedules
from connector_assets.assets.settings import Settings
from connector_assets.assets.source import Sources
from connector_assets.assets.stream import Planned, asset_spec, stream_asset
from connector_assets.assets.together import streams_asset
from connector_assets.connection import Connection
from connector_assets.errors import Fault, SpecError
from connector_assets.load.names import table_name
from connector_assets.spec.stream import Stream


def connection_definitions(
    connection: Connection, given: Settings, *, by_condition: bool = False
) -> dg.Definitions:
    """`by_condition` makes its crons conditions on the assets instead of schedules.

    A plugin with an asset factory of its own builds its assets itself.
    """
    url = connection.document.destination if connection.document else None
    destination = f"{connection.id}_destination" if url else "destination"
    resources = shared_resources(given)
    if url:
        resources[destination] = destination_resource(url, given.staging)
    factory = getattr(connection.connector, "assets", None)
    if factory is not None:
        return _own_definitions(factory(connection), resources)
    return dg.Definitions(
        assets=_assets(
            connection,
            destination,
            url or given.destination,
            given.timezone if by_condition else None,
        ),
        schedules=None if by_condition else list(schedules(connection, given.timezone)),
        resources=resources,
    )


def shared_resources(given: Settings) -> dict[str, Any]:
    """The resources that every connection may use."""
    return {
        "http": http_resource(given.allow_private, given.state),
        "destination": destination_resource(given.destination, given.staging),
    }


def _assets(
    connection: Connection, destination: str, url: str, timezone: str | None
) -> list[dg.AssetsDefinition]:
    """With a `timezone` the crons become conditions."""
    sources = Sources.of(connection)
    streams = connection.streams()
    undiscovered = undiscovered_assets(connection) if connection.awaits_discovery else []
    _refuse_shared_tables([stream.name for stream in streams])
    specs = [
        asset_spec(
            connection,
            stream,
            storage=url.partition(":")[0],
            source=sources.references(stream.name),
            condition=_condition(connection, stream.name, timezone) if timezone else None,
        )
        for stream in streams
    ]
    planned = [Planned(*one) for one in zip(streams, specs, strict=True)]
    together = [one for one in planned if _is_together(connection, one.stream)]
    alone = [one for one in planned if one not in together]
    shared = [streams_asset(connection, together, destination)] if together else []
    return undiscovered + shared + [stream_asset(connection, one, destination) for one in alone]


def _is_together(connection: Connection, stream: Stream) -> bool:
    """Whether the stream shares a step; partitions differ, and a step has one kind of them."""
    document = connection.document
    shares = document is not None and document.execution == "perConnector"
    return shares and connection.partitions(stream.name) is None


def _condition(
    connection: Connection, stream: str, timezone: str
) -> dg.AutomationCondition[Any] | None:
    cron = connection.document.schedule_of(stream) if connection.document else None
    return dg.AutomationCondition.on_cron(cron, timezone) if cron else None


def _refuse_shared_tables(names: list[str]) -> None:
    """Stores ignore case, and several characters become `_`: two streams must not share a table."""
    tables: dict[str, str] = {}
    for name in names:
        other = tables.setdefault(table_name(name).casefold(), name)
        if other is not name:
            text = f'"{other}" and "{name}" would share a table; rename one'
            raise SpecError([Fault("read.streams", text)])


def _own_definitions(made: Any, resources: dict[str, Any]) -> dg.Definitions:
    """What a plugin's factory made: definitions as they stand, or assets that get our resources."""
    if isinstance(made, dg.Definitions):
        return made
    assets = [made] if isinstance(made, dg.AssetsDefinition | dg.AssetSpec) else list(made)
    return dg.Definitions(assets, resources=resources)
