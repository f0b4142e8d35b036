"""One stream as one asset, with an op of its own that syncs it."""

# No `from __future__ import annotations`: Dagster reads the type of `context` as it stands.

from collections.abc import Iterator
from typing import Any

import dagster as dg

from connector_assets.assets import labels
from connector_assets.assets.outcome import check_specs
from connector_assets.assets.source import code_reference, line_of
from connector_assets.assets.step import materialize
from connector_assets.connection import Connection
from connector_assets.load.names import table_name
from connector_assets.spec.connector import Stream

_CONFIG = {
    "full": dg.Field(
        bool,
        default_value=False,
        description="Read everything again: forget the stored cursor and the rows already staged.",
    )
}


def asset_key(connection_id: str, stream: str) -> dg.AssetKey:
    """The key of a stream's asset; its parts are the table's schema and name.

    >>> asset_key("shop", "v1.orders")
    AssetKey(['shop', 'v1_orders'])
    """
    return dg.AssetKey([connection_id, table_name(stream)])


def stream_asset(
    connection: Connection,
    stream: Stream,
    *,
    destination: str,
    storage: str,
    text: str = "",
    cron: str | None = None,
) -> dg.AssetsDefinition:
    """The asset of `stream`.

    `destination` is the key of the resource it loads into, `storage` the kind of store. `text` is
    the file that declares it. With `cron` the asset materialises itself, without a schedule.
    """
    key = asset_key(connection.id, stream.name)
    source = connection.source
    spec = dg.AssetSpec(
        key,
        deps=[asset_key(connection.id, parent) for parent in stream.parents],
        group_name=labels.group(connection, stream),
        description=labels.description(connection, stream),
        kinds={connection.connector.id, storage},
        owners=labels.owners(connection, stream),
        tags=labels.tags(connection, stream),
        code_version=labels.code_version(connection, stream),
        metadata=code_reference(source, line_of(text, stream.name)) if source else None,
        automation_condition=dg.AutomationCondition.on_cron(cron) if cron else None,
    )

    @dg.multi_asset(
        name="__".join(key.path),
        specs=[spec],
        check_specs=check_specs(key, stream),
        required_resource_keys={"http", destination},
        config_schema=_CONFIG,
        pool=connection.document.pool if connection.document else None,
    )
    def op(context: dg.AssetExecutionContext) -> Iterator[Any]:
        yield from materialize(
            context,
            connection,
            stream,
            context.resources.http,
            getattr(context.resources, destination),
            full=context.op_execution_context.op_config["full"],
        )

    return op
