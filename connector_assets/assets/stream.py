"""One stream as one asset, with an op of its own that syncs it."""

# No `from __future__ import annotations`: Dagster reads the type of `context` as it stands.

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from connector_assets.assets import labels
from connector_assets.assets.checks import check_specs
from connector_assets.assets.partitions import backfill_policy, partitions_def
from connector_assets.assets.source import Metadata
from connector_assets.assets.step import Step, materialize
from connector_assets.connection import Connection
from connector_assets.load.names import table_name
from connector_assets.spec.stream import Stream

CONFIG = {
    "full": dg.Field(
        bool,
        default_value=False,
        description="Read everything again: forget the cursor and the rows already staged.",
    )
}
_FIELD = dg.Field(CONFIG)  # made once, as all ops have the same


def asset_key(connection_id: str, stream: str) -> dg.AssetKey:
    """The key of a stream's asset; its parts are the table's schema and name.

    >>> asset_key("shop", "v1.orders")
    AssetKey(['shop', 'v1_orders'])
    """
    return dg.AssetKey([connection_id, table_name(stream)])


@dataclass(frozen=True)
class Planned:
    """A stream, and what Dagster shows of it."""

    stream: Stream
    spec: dg.AssetSpec


def stream_asset(connection: Connection, planned: Planned, destination: str) -> dg.AssetsDefinition:
    """The asset of a stream; `destination` is the key of the resource it loads into."""
    stream, key = planned.stream, planned.spec.key
    checks = check_specs(key, stream)

    def compute(context: dg.AssetExecutionContext, _inputs: Mapping[str, Any]) -> Iterator[Any]:
        yield from materialize(step_of(context, connection, planned, destination))

    return one_op_asset(
        planned.spec,
        compute,
        checks=checks,
        backfill_policy=backfill_policy(connection.partitions(stream.name)),
        required_resource_keys={"http", destination},
        config_schema=_FIELD,
        pool=connection.document.pool if connection.document else None,
    )


def step_of(
    context: dg.AssetExecutionContext, connection: Connection, planned: Planned, destination: str
) -> Step:
    """What loading a stream takes, from its op's resources and config."""
    return Step(
        context,
        planned.spec.key,
        connection,
        planned.stream,
        context.resources.http,
        getattr(context.resources, destination),
        full=context.op_execution_context.op_config["full"],
    )


def asset_spec(
    connection: Connection,
    stream: Stream,
    storage: str,
    source: Metadata | None,
    condition: dg.AutomationCondition[Any] | None,
) -> dg.AssetSpec:
    """What Dagster shows of `stream`, also before it ever ran.

    `storage` is the kind of store, `source` links to the lines that name it,
    `condition` says when it materialises itself.
    """
    fresh_for = stream.checks.fresh_for
    return dg.AssetSpec(
        asset_key(connection.id, stream.name),
        deps=[asset_key(connection.id, parent) for parent in stream.parents],
        group_name=labels.group(connection, stream),
        description=labels.description(connection, stream),
        kinds={connection.connector.id, storage},
        owners=labels.owners(connection, stream),
        tags=labels.tags(connection, stream),
        code_version=labels.code_version(connection, stream),
        metadata=source,
        automation_condition=condition,
        partitions_def=partitions_def(connection, stream.name),
        # No check: a step that never runs yields none, and that is what staleness is.
        freshness_policy=dg.FreshnessPolicy.time_window(fresh_for) if fresh_for else None,
    )


def one_op_asset(
    spec: dg.AssetSpec,
    compute: Callable[[dg.AssetExecutionContext, Mapping[str, Any]], Iterator[Any]],
    *,
    checks: Sequence[dg.AssetCheckSpec] = (),
    backfill_policy: dg.BackfillPolicy | None = None,
    **op: Any,
) -> dg.AssetsDefinition:
    """What `@dg.multi_asset(specs=[spec], check_specs=checks, **op)` makes, in a third of the time.

    The decorator inspects a function's signature and types some twenty times, 0.4 ms an asset; here
    all functions are one. A test compares what both make.
    """
    name = spec.key.to_python_identifier()
    outputs = {check.get_python_identifier(): check for check in checks}
    parents = {dep.asset_key.to_python_identifier(): dep.asset_key for dep in spec.deps}
    outs = {name: dg.Out(dg.Nothing, code_version=spec.code_version)}
    return dg.AssetsDefinition(
        keys_by_input_name=parents,
        keys_by_output_name={name: spec.key},
        node_def=dg.OpDefinition(
            compute,
            name,
            ins={parent: dg.In(dg.Nothing) for parent in parents},
            outs=outs | {output: dg.Out() for output in outputs},
            **op,
        ),
        specs=[spec],
        check_specs_by_output_name=outputs,
        backfill_policy=backfill_policy,
    )
