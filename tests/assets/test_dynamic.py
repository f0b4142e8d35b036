"""Discovered streams as assets: from the lock file, and not one without it."""

from __future__ import annotations

import logging

import dagster as dg

from connector_assets import build_definitions
from connector_assets.spec.dynamic import Locked, write_lock
from tests.cli.test_discover import BASE


def keys(folder):
    definitions = build_definitions(specs=folder, connections=folder / "none")
    found = dg.Definitions.merge(definitions).resolve_all_asset_specs()
    return {spec.key.to_user_string() for spec in found}


def test_streams_of_the_lock_are_assets_and_a_new_lock_is_seen(tmp_path, caplog):
    (tmp_path / "base.yaml").write_text(BASE)
    with caplog.at_level(logging.WARNING, "connector_assets"):
        assert keys(tmp_path) == set()
    assert "not discovered yet; run connector-assets discover" in caplog.text
    stream = Locked.model_validate({"name": "Leads", "from": "tables", "vars": {"table": "t1"}})
    write_lock(tmp_path / "base.lock.yaml", "base", [stream])
    assert keys(tmp_path) == {"base/Leads"}
