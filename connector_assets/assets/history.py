"""What earlier materializations of an asset said: for comparing a load with the one before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from connector_assets.assets.checks import Before


def last(instance: dg.DagsterInstance, key: dg.AssetKey, back: int = 0) -> Mapping[str, Any]:
    """The metadata of the latest materialization, or of one further `back`; empty without."""
    records = instance.fetch_materializations(key, limit=back + 1).records
    if len(records) <= back:
        return {}
    found = records[back].asset_materialization
    return {name: one.value for name, one in found.metadata.items()} if found else {}


def loaded_at(instance: dg.DagsterInstance, key: dg.AssetKey) -> float | None:
    """When the latest materialization was recorded, in seconds since 1970; None without one."""
    records = instance.fetch_materializations(key, limit=1).records
    return records[0].timestamp if records else None


def before(instance: dg.DagsterInstance, key: dg.AssetKey, back: int = 0) -> Before:
    """What the table was like then."""
    told = last(instance, key, back)
    schema = told.get("dagster/column_schema")
    columns = {one.name: one.type for one in schema.columns} if schema else None
    rows = told.get("dagster/row_count")
    return Before(rows if isinstance(rows, int) else None, columns)
