"""One stream as one asset, with an op of its own that syncs it."""

# No `from __future__ import annotations`: Dagster reads the type of `context` as it stands.

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from connector_assets.assets import labels, shown
from connector_assets.assets.checks import check_specs
from connector_assets.assets.lineage import Lineage
from connector_assets.assets.partitions import backfill_policy, partitions_def
from connector_assets.assets.resources import ResourceKeys
from connector_assets.assets.source import Metadata
from connector_assets.assets.step import Asked, AssetStep, check, materialize
from connector_assets.project.connection import Connection
from connector_assets.spec.stream.asset_settings import AssetSettings, filled_key
from connector_assets.spec.stream.stream import Stream

CONFIG = {
    "full": dg.Field(
        bool,
        default_value=False,
        description="Read everything again: forget the cursor and the rows already staged.",
    ),
    "limit": dg.Field(
        dg.Noneable(int),
        default_value=None,
        description="Stop after the page that brings so many rows; the cursor stays.",
    ),
    "start": dg.Field(
        dg.Noneable(str),
        default_value=None,
        description="Begin here instead of at the stored cursor, in the form of incremental.start.",
    ),
    "window": dg.Field(
        {"start": str, "end": str},
        is_required=False,
        description="Read this stretch of time again and merge it by key; the cursor stays.",
    ),
}
_MOST_KINDS = 3
# Made once: Dagster looks at the type of each that is made.
_NOTHING, _VERDICT = dg.In(dg.Nothing), dg.Out(is_required=False)
# Made once, as all ops have the same; without a default of its own, which Dagster would resolve and
# write out for each of them.
_FIELD = dg.Field(CONFIG, is_required=False)


def asset_key(connection: Connection, stream: str) -> dg.AssetKey:
    """The key of a stream's asset."""
    return dg.AssetKey(connection.key_of(stream))


@dataclass(frozen=True)
class PlannedAsset:
    """A stream, and what Dagster shows of it."""

    stream: Stream
    spec: dg.AssetSpec
    lineage: Lineage
    op: Mapping[str, Any]
    """How its step is run, where it has one of its own."""


def stream_asset(
    connection: Connection, planned: PlannedAsset, keys: ResourceKeys
) -> dg.AssetsDefinition:
    """The asset of a stream; `keys` name the resources that its step uses."""
    stream, key = planned.stream, planned.spec.key
    checks = check_specs(key, stream)

    def compute(context: dg.AssetExecutionContext, _inputs: Mapping[str, Any]) -> Iterator[Any]:
        step = step_of(context, connection, planned, keys)
        yield from materialize(step) if step.loads else check(step)

    return one_op_asset(
        planned.spec,
        compute,
        checks=checks,
        backfill_policy=backfill_policy(connection.partitions(stream.name)),
        required_resource_keys={keys.http, keys.destination},
        config_schema=_FIELD,
        **planned.op,
    )


def step_of(
    context: dg.AssetExecutionContext,
    connection: Connection,
    planned: PlannedAsset,
    keys: ResourceKeys,
) -> AssetStep:
    """What loading a stream takes, from its op's resources and config."""
    return AssetStep(
        context,
        planned.spec.key,
        connection,
        planned.stream,
        getattr(context.resources, keys.http),
        getattr(context.resources, keys.destination),
        planned.lineage,
        Asked.of(context.op_execution_context.op_config),
    )


def asset_spec(
    connection: Connection,
    stream: Stream,
    *,
    url: str,
    lineage: Lineage,
    source: Metadata | None,
    condition: dg.AutomationCondition[Any] | None,
) -> dg.AssetSpec:
    """What Dagster shows of `stream`, also before it ever ran.

    `url` is the destination's, `source` links to the lines that name the stream, `condition` says
    when it materialises itself.
    """
    said, fresh_for = connection.asset_settings(stream.name), stream.checks.fresh_for
    parents = [lineage.keys[parent] for parent in stream.parents] or [lineage.api]
    return dg.AssetSpec(
        lineage.keys[stream.name],
        deps=[*parents, *(dg.AssetKey(filled_key(key, {})) for key in said.deps)],
        group_name=labels.group(connection, stream),
        description=labels.description(connection, stream),
        kinds=kinds(connection, url.partition(":")[0], said.kinds),
        owners=labels.owners(connection, stream),
        tags=labels.tags(connection, stream),
        code_version=labels.code_version(connection, stream),
        metadata={**shown.metadata(connection, stream, url, lineage), **(source or {})},
        automation_condition=condition,
        partitions_def=partitions_def(connection, stream),
        # Beside the check: a step that never runs yields none, and that is what staleness is.
        freshness_policy=dg.FreshnessPolicy.time_window(fresh_for) if fresh_for else None,
    )


def kinds(connection: Connection, storage: str, more: Sequence[str]) -> set[str]:
    """At most the three that Dagster takes: what is asked for first, the store, the connector."""
    return set(list(dict.fromkeys((*more, storage, connection.connector.id)))[:_MOST_KINDS])


def op_settings(said: AssetSettings) -> dict[str, Any]:
    """How a step is run, as an op takes it."""
    retry = said.retry_policy
    return {
        "pool": said.pool,
        "tags": said.op_tags or None,
        "retry_policy": dg.RetryPolicy(
            max_retries=retry.max_retries,
            delay=retry.delay,
            backoff=dg.Backoff(retry.backoff.upper()) if retry.backoff else None,
            jitter=dg.Jitter(retry.jitter.upper()) if retry.jitter else None,
        )
        if retry
        else None,
    }


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
    outs = {name: dg.Out(dg.Nothing, is_required=False, code_version=spec.code_version)}
    return dg.AssetsDefinition(
        keys_by_input_name=parents,
        keys_by_output_name={name: spec.key},
        node_def=dg.OpDefinition(
            compute,
            name,
            ins=dict.fromkeys(parents, _NOTHING),
            outs=outs | dict.fromkeys(outputs, _VERDICT),
            **op,
        ),
        specs=[spec],
        check_specs_by_output_name=outputs,
        backfill_policy=backfill_policy,
        can_subset=bool(checks),
    )
