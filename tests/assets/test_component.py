"""A connection as a component of a `dg` project."""

from __future__ import annotations

import sys

import dagster as dg
import pytest

from tests.assets.conftest import SECRET
from tests.assets.test_definitions import keys_of, specs_of

PYPROJECT = """
[project]
name = "orders_project"
version = "0"
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "orders_project"
"""
DEFINITIONS = """
from pathlib import Path

import dagster as dg


@dg.definitions
def defs():
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
"""


@pytest.fixture
def dg_project(shop_project, monkeypatch):
    shop_project.write("pyproject.toml", PYPROJECT)
    shop_project.write("orders_project/__init__.py", "")
    shop_project.write("orders_project/definitions.py", DEFINITIONS)
    shop_project.write("orders_project/defs/__init__.py", "")
    shop_project.write(
        "home.toml",
        "[cli]\nsuppress_warnings = ['create_dagster_outdated']\n[cli.telemetry]\nenabled = false\n",
    )  # fmt: skip - a file's lines
    monkeypatch.setenv("DG_CLI_CONFIG", str(shop_project.root / "home.toml"))
    monkeypatch.syspath_prepend(shop_project.root)
    yield shop_project
    for name in [name for name in sys.modules if name.startswith("orders_project")]:
        del sys.modules[name]


def component(project, folder, attributes):
    text = f"type: connector_assets.ConnectorComponent\nattributes:\n{attributes}"
    return project.write(f"orders_project/defs/{folder}/defs.yaml", text)


def load(project):
    return dg.load_from_defs_folder(path_within_project=project.root)


def test_components_are_connections_with_schedules_and_resources(dg_project):
    component(dg_project, "eu", "  id: eu\n  connector: shop\n  schedule: '0 3 * * *'\n")
    component(
        dg_project, "us", "  {id: us, connector: shop, streams: [items], tags: {tier: gold}}\n"
    )
    definitions = load(dg_project)
    assert keys_of(definitions) == ["eu/items", "eu/v1_odd_name", "us/items"]
    assert specs_of(definitions)[dg.AssetKey(["us", "items"])].tags["tier"] == "gold"
    assert [schedule.name for schedule in definitions.schedules] == ["eu_schedule"]


def test_a_component_materialises_with_secrets_and_templates_of_its_own(
    dg_project, api, monkeypatch
):
    monkeypatch.setenv("EU_TOKEN", SECRET)
    component(
        dg_project,
        "eu",
        "  id: eu\n  connector: ../../../specs/shop.yaml\n  secrets: {token: {env: EU_TOKEN}}\n"
        f"  config: {{base_url: {api.origin}}}\n"
        "  vars: {unused: '{% raw %}{{stream}}{% endraw %}'}\n",
    )
    job = load(dg_project).resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(asset_selection=[dg.AssetKey(["eu", "items"])]).success
    assert len(dg_project.rows("eu.items")) == 12


def test_a_component_with_faults_is_in_sight_and_stops_no_other(dg_project):
    component(dg_project, "eu", "  {id: eu, connector: shop, streams: [items]}\n")
    component(dg_project, "us", "  {id: us, connector: shop, streams: [itmes]}\n")
    component(dg_project, "asia", "  {id: asia, connector: nothing}\n")
    specs = specs_of(load(dg_project))
    assert dg.AssetKey(["eu", "items"]) in specs
    assert (
        "itmes: is not a stream; use one of items, v1.odd-name"
        in specs[dg.AssetKey(["us", "itmes"])].description
    )  # fmt: skip - one assertion
    assert (
        '"nothing" is not a connector' in specs[dg.AssetKey(["asia", "invalid_spec"])].description
    )  # fmt: skip - one assertion


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        (
            "  id: us\n  connector: shop\n  streams: [itmes]\n",
            "5:13: streams.itmes: is not a stream",
        ),
        ("  id: us\n  connector: shop\n  schedule: daily\n", "5:13: schedule: must be a cron"),
        ("  id: us\n  connector: nothing\n", '4:14: connector: "nothing" is not a connector'),
    ],
)  # fmt: skip - a table
def test_a_fault_of_a_component_stands_at_its_line_in_defs_yaml(dg_project, attributes, fault):
    path = component(dg_project, "us", attributes)
    (broken,) = specs_of(load(dg_project)).values()
    assert f"us/defs.yaml:{fault}" in broken.description
    checked = dg_project.tool("connector-assets", "validate", path)
    assert checked.returncode == 1
    assert f"us/defs.yaml:{fault}" in checked.stderr


def test_several_components_may_share_a_file(dg_project):
    head = "type: connector_assets.ConnectorComponent\nattributes: "
    both = [f"{head}{{id: {name}, connector: shop, streams: [items]}}" for name in ("eu", "us")]
    dg_project.write("orders_project/defs/all/defs.yaml", "\n---\n".join(both))
    assert keys_of(load(dg_project)) == ["eu/items", "us/items"]


def test_the_command_line_reads_a_component_as_the_connection_it_is(dg_project, api):
    path = component(
        dg_project,
        "eu",
        "  id: eu\n  connector: shop\n  streams: [items]\n"
        f"  config: {{base_url: {api.origin}}}\n  secrets: {{token: {{env: SHOP__TOKEN}}}}\n"
        "  vars: {unused: '{% raw %}{{stream}}{% endraw %}'}\n",
    )
    done = dg_project.tool("connector-assets", "load", path)
    assert done.returncode == 0, done.stderr
    assert len(dg_project.rows("eu.items")) == 12


def test_dg_scaffolds_a_component_and_finds_it_good(dg_project):
    component_type = "connector_assets.ConnectorComponent"
    made = dg_project.tool(
        "dg", "scaffold", "defs", component_type, "shop_eu", "--connector", "shop"
    )
    assert made.returncode == 0, made.stdout + made.stderr
    checked = dg_project.tool("dg", "check", "defs")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert keys_of(load(dg_project)) == ["shop_eu/items", "shop_eu/v1_odd_name"]
