"""Streams of a connection as one op: for many tiny ones, whose steps would cost more than that."""

# No `from __future__ import annotations`: Dagster reads the type of `context` as it stands.

from collections.abc import Iterator, Sequence
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg

from connector_assets.assets.checks import check_specs
from connector_assets.assets.resources import ResourceKeys
from connector_assets.assets.step import attempt, check
from connector_assets.assets.stream import CONFIG, PlannedAsset, op_settings, step_of
from connector_assets.project.connection import Connection
from connector_assets.spec.stream.asset_settings import AssetSettings


def streams_asset(
    connection: Connection, planned: Sequence[PlannedAsset], keys: ResourceKeys
) -> dg.AssetsDefinition:
    """One op for all of `planned`, of which a run may choose some.

    A stream that fails stops only those that read its table; the step fails once all were tried.
    """
    by_key = {one.spec.key: one for one in planned}

    @dg.multi_asset(
        name=connection.id,
        specs=[one.spec for one in planned],
        check_specs=[check for one in planned for check in check_specs(one.spec.key, one.stream)],
        can_subset=True,
        required_resource_keys={keys.http, keys.destination},
        config_schema=CONFIG,
        **_op_settings(connection),
    )
    def compute(context: dg.AssetExecutionContext) -> Iterator[Any]:
        failed: dict[dg.AssetKey, str] = {}
        chosen = {*context.selected_asset_keys}
        for key in {one.asset_key for one in context.selected_asset_check_keys} - chosen:
            yield from check(step_of(context, connection, by_key[key], keys))
        for key in _parents_first(by_key, chosen):
            one = by_key[key]
            stopped = [dep.asset_key for dep in one.spec.deps if dep.asset_key in failed]
            if stopped:
                reason = f"not read, as {stopped[0].to_user_string()} failed"
                failed[key] = f"{key.to_user_string()}: {reason}"
                continue
            problem = yield from attempt(step_of(context, connection, one, keys))
            if problem:
                failed[key] = str(problem)
                context.log.error("%s", problem)
        if failed:
            # No retry by Dagster: it would read those again that went well.
            raise dg.Failure(_told(failed, len(context.selected_asset_keys)), allow_retries=False)

    return compute


def _op_settings(connection: Connection) -> dict[str, Any]:
    """As the decorator takes them: it calls an op's tags otherwise."""
    settings = op_settings(connection.document or AssetSettings())
    return {"op_tags" if name == "tags" else name: one for name, one in settings.items() if one}


def _parents_first(
    planned: dict[dg.AssetKey, PlannedAsset], selected: set[dg.AssetKey]
) -> Iterator[dg.AssetKey]:
    parents = {
        key: [dep.asset_key for dep in one.spec.deps if dep.asset_key in selected]
        for key, one in planned.items()
        if key in selected
    }
    return iter(TopologicalSorter(parents).static_order())


def _told(failed: dict[dg.AssetKey, str], tried: int) -> str:
    """Which streams failed and why, on a line each."""
    lines = [f"- {text}" for text in failed.values()]
    return "\n".join([f"{len(failed)} of {tried} streams failed:", *lines])
