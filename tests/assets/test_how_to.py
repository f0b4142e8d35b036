"""docs/how-to/run-in-dagster.md says what is so."""

from __future__ import annotations

import re

import pytest
import yaml

from connector_assets.assets.component import ConnectorComponent
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "how-to" / "run-in-dagster.md"


def test_every_metadata_of_a_materialization_is_explained(shop_project):
    result = shop_project.run("shop/items")
    (event,) = result.get_asset_materialization_events()
    text = PAGE.read_text()
    table = text[text.index("| metadata | says |") : text.index("Numbers are plotted")]
    explained = {
        name
        for row in table.splitlines()
        for name in re.findall(r"`([^`]+)`", row.split("|")[1] if "|" in row else "")
    }
    # Incremental streams have positions, partitions rows of their own; a remark is made where there
    # is something to remark.
    others = {"cursor_before", "cursor_after", "dagster/partition_row_count", "notes", "unchanged"}
    others |= {
        "schema_changes",
        "quota_left",
        "partitions_added",
        "partitions_removed",
        "partitions_left_out",
        "source_state",
    }
    assert set(event.materialization.metadata) | others == explained


def test_the_component_that_is_shown_has_those_attributes():
    (shown,) = (
        shown
        for shown in (yaml.safe_load(block.text) for block in blocks(PAGE, "yaml"))
        if shown.get("type")
    )
    assert set(shown["attributes"]) <= set(ConnectorComponent.model_fields)


def test_the_python_that_is_shown_loads(shop_project):
    python, *_ = blocks(PAGE, "python")
    names = {}
    exec(python.text, names)
    keys = {spec.key.to_user_string() for spec in names["defs"].resolve_all_asset_specs()}
    assert keys == {"apis/shop", "report", "shop/items", "shop/v1_odd_name"}


@pytest.mark.parametrize(
    "check",
    ["complete", "min_rows", "max_rows", "rows_change", "key", "same_columns", "not_null", "fresh"],
)
def test_every_check_is_explained(check):
    assert f"`{check}`" in PAGE.read_text()
