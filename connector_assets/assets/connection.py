"""One connection as Dagster definitions: an asset per stream, schedules, resources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import dagster as dg

from connector_assets.assets.blocks import AssetBlocks, takes_blocks
from connector_assets.assets.broken import undiscovered_assets
from connector_assets.assets.changes import change_sensor
from connector_assets.assets.lineage import Lineage, api_asset, api_key
from connector_assets.assets.resources import ResourceKeys, destination_resource, http_resource
from connector_assets.assets.schedules import schedules
from connector_assets.assets.settings import Settings
from connector_assets.assets.source import Sources
from connector_assets.assets.stream import PlannedAsset, asset_spec, op_settings, stream_asset
from connector_assets.assets.together import streams_asset
from connector_assets.assets.translator import ConnectorTranslator, asset_keys
from connector_assets.errors import ConfigError, Fault, SpecError
from connector_assets.load.files.store_names import table_name
from connector_assets.project.connection import Connection
from connector_assets.spec.stream.stream import Stream


def connection_definitions(
    connection: Connection,
    given: Settings,
    translator: ConnectorTranslator | None = None,
    *,
    by_condition: bool = False,
) -> dg.Definitions:
    """Return the assets, checks, schedules and resources of a connection.

    `by_condition` makes its crons conditions on the assets instead of schedules.

    A plugin with an asset factory of its own builds its assets itself.
    """
    url = connection.document.destination if connection.document else None
    keys, resources = ResourceKeys.of(given), shared_resources(given)
    if url:
        keys = replace(keys, destination=f"{keys.destination}_{connection.id}")
        resources[keys.destination] = destination_resource(url, given.staging)
    factory = connection.connector.assets
    if factory is not None and not takes_blocks(factory):
        return _own_definitions(factory(connection), resources)
    timezone = given.timezone if by_condition else None
    own = translator or ConnectorTranslator()
    lineage = Lineage(connection, api_key(connection), asset_keys(connection, own))
    planned = _planned(connection, lineage, own, url or given.destination, timezone)

    def by_default() -> dg.Definitions:
        crons = () if by_condition else schedules(connection, given.timezone, lineage.keys)
        sensor = change_sensor(connection, lineage.keys, keys)
        return dg.Definitions(
            [*_assets(connection, planned, keys), api_asset(connection, lineage.api)],
            schedules=list(crons),
            sensors=[sensor] if sensor else [],
            resources=resources,
        )

    if factory is None:
        return by_default()
    blocks = AssetBlocks(connection, planned, keys, by_default)
    return _own_definitions(factory(connection, blocks), resources)


def shared_resources(given: Settings) -> dict[str, Any]:
    """The resources that every connection may use."""
    keys = ResourceKeys.of(given)
    return {
        keys.http: http_resource(given.allow_private, given.state),
        keys.destination: destination_resource(given.destination, given.staging),
    }


def _planned(
    connection: Connection,
    lineage: Lineage,
    translator: ConnectorTranslator,
    url: str,
    timezone: str | None,
) -> list[PlannedAsset]:
    """The streams with what Dagster shows of them; with a `timezone` the crons are conditions."""
    sources, streams = Sources.of(connection), connection.streams()
    _refuse_shared_tables([stream.name for stream in streams])
    planned = []
    for stream in streams:
        spec = asset_spec(
            connection,
            stream,
            url=url,
            lineage=lineage,
            source=sources.references(stream.name),
            condition=_condition(connection, stream, lineage, timezone),
        )
        translated = _translated(translator, connection, stream, spec)
        op = _op(connection, stream, translator)
        planned.append(PlannedAsset(stream, translated, lineage, op))
    return planned


def _translated(
    translator: ConnectorTranslator, connection: Connection, stream: Stream, spec: dg.AssetSpec
) -> dg.AssetSpec:
    """What the translator makes of it; the key is known to children and schedules already."""
    found: Any = translator.get_asset_spec(connection, stream, spec)
    if not isinstance(found, dg.AssetSpec):
        raise ConfigError(f"get_asset_spec gave no AssetSpec for {stream.name}; return one")
    if found.key != spec.key:
        raise ConfigError(
            f"get_asset_spec changed the key of {stream.name}; say it in get_asset_key"
        )
    return found


def _op(connection: Connection, stream: Stream, translator: ConnectorTranslator) -> dict[str, Any]:
    """How the stream's step is run."""
    said = op_settings(connection.asset_settings(stream.name))
    policy, pool = said["retry_policy"], said["pool"]
    return {
        "tags": translator.get_op_tags(connection, stream, said["tags"] or {}) or None,
        "retry_policy": translator.get_retry_policy(connection, stream, policy),
        "pool": translator.get_pool(connection, stream, pool),
    }


def _assets(
    connection: Connection, planned: Sequence[PlannedAsset], keys: ResourceKeys
) -> list[dg.AssetsDefinition]:
    undiscovered = undiscovered_assets(connection) if connection.awaits_discovery else []
    together = [one for one in planned if _is_together(connection, one.stream)]
    alone = [one for one in planned if one not in together]
    shared = [streams_asset(connection, together, keys)] if together else []
    return undiscovered + shared + [stream_asset(connection, one, keys) for one in alone]


def _is_together(connection: Connection, stream: Stream) -> bool:
    """Whether the stream shares a step; partitions differ, and a step has one kind of them."""
    document = connection.document
    shares = document is not None and document.execution == "perConnector"
    return shares and connection.partitions(stream.name) is None


def _condition(
    connection: Connection, stream: Stream, lineage: Lineage, timezone: str | None
) -> dg.AutomationCondition[Any] | None:
    """When the asset materializes itself: as it is told, or by its cron, given a `timezone`.

    The API is upstream and never loaded: nothing is to wait for it.
    """
    said = connection.asset_settings(stream.name).automation_condition
    cron = connection.document.schedule_of(stream.name) if connection.document else None
    wanted = said or (cron if timezone else None)
    if wanted is None:
        return None
    if wanted == "eager":
        made = dg.AutomationCondition.eager()
    elif wanted == "on_missing":
        made = dg.AutomationCondition.on_missing()
    else:
        made = dg.AutomationCondition.on_cron(wanted, timezone or "UTC")
    return made if stream.parents else made.ignore(dg.AssetSelection.assets(lineage.api))


def _refuse_shared_tables(names: list[str]) -> None:
    """Stores ignore case, and several characters become `_`: two streams must not share a table."""
    tables: dict[str, str] = {}
    for name in names:
        other = tables.setdefault(table_name(name).casefold(), name)
        if other is not name:
            text = f'"{other}" and "{name}" would share a table; rename one'
            raise SpecError([Fault("read.streams", text)])


def _own_definitions(made: Any, resources: dict[str, Any]) -> dg.Definitions:
    """What a plugin's factory made, definitions or assets, with those of our resources it lacks."""
    if isinstance(made, dg.Definitions):
        lacking = {key: one for key, one in resources.items() if key not in (made.resources or {})}
        return dg.Definitions.merge(made, dg.Definitions(resources=lacking))
    assets = [made] if isinstance(made, dg.AssetsDefinition | dg.AssetSpec) else list(made)
    return dg.Definitions(assets, resources=resources)
