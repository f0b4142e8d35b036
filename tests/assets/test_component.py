"""A connection as a component of a `dg` project."""

from __future__ import annotations

import sys

import dagster as dg
import pytest

from connector_assets.project import spec_files
from tests.assets.conftest import SECRET, SHOP, Project
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
    broken, *_ = specs_of(load(dg_project)).values()
    assert f"us/defs.yaml:{fault}" in broken.description
    checked = dg_project.tool("connector-assets", "validate", path)
    assert checked.returncode == 1
    assert f"us/defs.yaml:{fault}" in checked.stderr


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        (
            "  id: us\n  connector: shop\n  streams: [itmes]\n",
            "5:13: streams.itmes: is not a stream",
        ),
        (
            "  id: us\n  connector: shop\n  streams:\n    items:\n      partitions: {type: dayly}\n",
            '7:26: streams.items.partitions.type: "dayly" is not known; did you mean "daily"',
        ),
        (
            "  id: us\n  connector: shop\n  schedule: '99 * * * *'\n",
            "5:13: schedule: must have a minute",
        ),
        (
            "  id: us\n  connector: shop\n  secrets: {tokn: {env: US_TOKEN}}\n",
            '5:13: secrets.tokn: is not a secret of shop; did you mean "token"?',
        ),
        ("  id: us\n  connector: nothing\n", '4:14: connector: "nothing" is not a connector'),
        (
            "  id: us\n  connector: shop\n  shedule: daily\n",
            '5:3: shedule: is not a known key; did you mean "schedule"?',
        ),
        ("  id: us\n  connector: shop\n  group: 7\n", "5:10: group: "),
        ("  connector: shop\n", "id: is required"),
        ("  id: us\n  connector: shop\n  pool: '{{ missing }}'\n", "missing"),
    ],
)  # fmt: skip - a table
def test_a_check_fails_at_the_line_and_a_run_keeps_the_location_up(
    dg_project, monkeypatch, attributes, fault
):
    path = component(dg_project, "us", attributes)
    component(dg_project, "eu", "  {id: eu, connector: shop, streams: [items]}\n")
    definitions = load(dg_project)
    assert "eu/items" in keys_of(definitions)
    assert any(fault in spec.description for spec in specs_of(definitions).values())
    monkeypatch.setenv("DAGSTER_IS_DEFS_VALIDATION_CLI", "1")
    with pytest.raises(Exception) as told:  # noqa: PT011 - Dagster's own, around ours
        load(dg_project)
    assert fault in str(told.value.__cause__ or told.value)
    assert str(path) in str(told.value.__cause__ or told.value)


def test_a_faulty_component_keeps_its_keys_schedule_and_job(dg_project):
    component(
        dg_project,
        "us",
        "  {id: us, connector: shop, schedule: '0 3 * * *', secrets: {x: {env: X}}}\n",
    )  # fmt: skip - one document
    definitions = load(dg_project)
    assert keys_of(definitions) == ["us/items", "us/v1_odd_name"]
    assert definitions.resolve_schedule_def("us_schedule").cron_schedule == "0 3 * * *"
    done = definitions.resolve_job_def("us_job").execute_in_process(raise_on_error=False)
    assert len(done.get_step_failure_events()) == 2


def test_a_check_shows_the_faults_of_all_components_at_once(dg_project, monkeypatch):
    component(dg_project, "us", "  {id: us, connector: shop, streams: [itmes]}\n")
    component(dg_project, "asia", "  {id: asia, connector: nothing}\n")
    monkeypatch.setenv("DAGSTER_IS_DEFS_VALIDATION_CLI", "1")
    with pytest.raises(Exception) as told:  # noqa: PT011 - as above
        load(dg_project)
    assert "asia/defs.yaml:3:25: connector:" in str(told.value.__cause__)
    assert "us/defs.yaml:3:39: streams.itmes:" in str(told.value.__cause__)


def test_dg_check_defs_fails_with_file_line_and_caret(dg_project):
    path = component(dg_project, "us", "  id: us\n  connector: shop\n  streams: [itmes]\n")
    checked = dg_project.tool("dg", "check", "defs")
    assert checked.returncode == 1
    shown = checked.stdout + checked.stderr
    assert f"{path}:5:13: streams.itmes: is not a stream" in shown
    assert "      streams: [itmes]\n                ^" in shown


def test_dg_check_yaml_knows_the_attributes(dg_project):
    path = component(dg_project, "us", "  id: us\n  connector: shop\n  shedule: x\n")
    checked = dg_project.tool("dg", "check", "yaml")
    assert checked.returncode == 1
    assert f"{path}:5" in checked.stdout.replace("\x1b[32m", "").replace("\x1b[0m", "")


def test_a_folder_of_specs_is_read_once_for_all_components(dg_project, monkeypatch):
    read, parse = [], spec_files.parse_connector
    monkeypatch.setattr(
        spec_files, "parse_connector", lambda *a, **k: read.append(k) or parse(*a, **k)
    )
    for n in range(5):
        dg_project.write(f"specs/c{n}.yaml", SHOP.replace("id: shop", f"id: c{n}"))
        component(dg_project, f"c{n}", f"  {{id: c{n}, connector: c{n}}}\n")
    first, second = load(dg_project), load(dg_project)
    assert len(read) == 6
    assert len(keys_of(first)) == len(keys_of(second)) == 10
    dg_project.write(
        "specs/c0.yaml", SHOP.replace("id: shop", "id: c0").replace("v1.odd-name", "new")
    )
    assert "c0/new" in keys_of(load(dg_project))
    assert len(read) == 7


def test_a_fault_in_the_second_of_two_components_stands_at_its_line(dg_project):
    head = "type: connector_assets.ConnectorComponent\nattributes:\n"
    text = f"{head}  id: eu\n  connector: shop\n---\n{head}  id: us\n  connector: shp\n"
    dg_project.write("orders_project/defs/all/defs.yaml", text)
    told = specs_of(load(dg_project))[dg.AssetKey(["us", "invalid_spec"])].description
    assert 'all/defs.yaml:9:14: connector: "shp" is not a connector' in told


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


def test_the_command_line_finds_a_components_specs_from_any_folder(dg_project, tmp_path_factory):
    path = component(dg_project, "eu", "  id: eu\n  connector: shop\n  streams: [itmes]\n")
    elsewhere = Project(tmp_path_factory.mktemp("elsewhere"))
    checked = elsewhere.tool("connector-assets", "check", path)
    assert "5:13: streams.itmes: is not a stream; use one of items" in checked.stderr


FAST_DEFINITIONS = """
from functools import cache
from pathlib import Path

import dagster as dg
from connector_assets.assets.executor import executor


@dg.definitions
@cache
def defs():
    return dg.Definitions.merge(
        dg.load_from_defs_folder(path_within_project=Path(__file__).parent),
        dg.Definitions(executor=executor(preload="orders_project.preload")),
    )
"""
PRELOAD = """
from connector_assets.assets.preload import preload
from orders_project.definitions import defs

preload(defs)
"""
COUNTING = """
import os
from pathlib import Path

from connector_assets import ConnectorComponent


class Counting(ConnectorComponent):
    def build_defs(self, context):
        with Path("built").open("a") as file:
            file.write(f"{os.getpid()}\\n")
        return super().build_defs(context)
"""


def test_a_step_of_a_dg_project_builds_no_definitions(dg_project, api, monkeypatch):
    """The recipe of the page: the fork server has built them, and each step is forked from it."""
    dg_project.write("orders_project/definitions.py", FAST_DEFINITIONS)
    dg_project.write("orders_project/preload.py", PRELOAD)
    dg_project.write("orders_project/counting.py", COUNTING)
    text = "type: orders_project.counting.Counting\nattributes: {id: eu, connector: shop}\n"
    dg_project.write("orders_project/defs/eu/defs.yaml", text)
    for name, value in (("BASE_URL", api.origin), ("TOKEN", SECRET)):
        monkeypatch.setenv(f"EU__{name}", value)
    done = dg_project.tool(
        "dagster",
        "asset",
        "materialize",
        "-m",
        "orders_project.definitions",
        "--select",
        'key:"eu/*"',
        timeout=240,
    )  # fmt: skip - one command
    assert done.returncode == 0, done.stderr
    assert len(dg_project.rows("eu.items")) == 12
    # One in the command's process, one in the fork server; none in the two steps.
    assert len((dg_project.root / "built").read_text().split()) == 2


def test_dg_scaffolds_a_component_and_finds_it_good(dg_project):
    component_type = "connector_assets.ConnectorComponent"
    made = dg_project.tool(
        "dg", "scaffold", "defs", component_type, "shop_eu", "--connector", "shop"
    )
    assert made.returncode == 0, made.stdout + made.stderr
    checked = dg_project.tool("dg", "check", "defs")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert keys_of(load(dg_project)) == ["shop_eu/items", "shop_eu/v1_odd_name"]


def test_a_component_takes_dagsters_own_words_and_a_subclass_changes_the_specs(dg_project):
    dg_project.write(
        "orders_project/mine.py",
        """
from connector_assets import ConnectorComponent


class Mine(ConnectorComponent):
    tier: str = "bronze"

    def get_asset_spec(self, connection, stream, spec):
        return spec.merge_attributes(tags={"tier": self.tier})
""",
    )
    text = """
type: orders_project.mine.Mine
attributes:
  id: eu
  connector: shop
  tier: gold
  key_prefix: raw
  group_name: shop_eu
  automation_condition: on_missing
  op_tags: {a: b}
  streams: {items: {retry_policy: {maxRetries: 2}}}
"""
    dg_project.write("orders_project/defs/eu/defs.yaml", text.lstrip())
    (spec,) = specs_of(load(dg_project)).values()
    assert spec.key == dg.AssetKey(["raw", "eu", "items"])
    assert (spec.tags["tier"], spec.group_name) == ("gold", "shop_eu")
    assert spec.automation_condition is not None
    broken = text.lstrip().replace("on_missing", "often")
    dg_project.write("orders_project/defs/eu/defs.yaml", broken)
    told = specs_of(load(dg_project))[dg.AssetKey(["raw", "eu", "items"])].description
    assert "eu/defs.yaml:8:25: automationCondition: must be eager" in told


def test_post_processing_has_the_last_word(dg_project):
    text = """type: connector_assets.ConnectorComponent
attributes: {id: shop, connector: shop, tags: {tier: bronze}}
post_processing:
  assets:
    - target: "key:shop/items"
      attributes: {tags: {tier: gold}}
"""
    dg_project.write("orders_project/defs/shop/defs.yaml", text)
    specs = specs_of(load(dg_project))
    tiers = {key.path[-1]: spec.tags["tier"] for key, spec in specs.items()}
    assert tiers == {"items": "gold", "v1_odd_name": "bronze"}
