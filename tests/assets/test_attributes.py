"""Each attribute of an asset, said in a connection, in a component, for one stream, and in Python."""

from __future__ import annotations

import datetime as dt
import json

import dagster as dg
import pytest

from connector_assets import ConnectorTranslator
from tests.assets.conftest import SHOP
from tests.assets.test_component import component, dg_project, load  # noqa: F401 - a fixture
from tests.assets.test_definitions import connection

CPU = {"container_config": {"resources": {"limits": {"cpu": "500m"}}}}
POLICY = {"maxRetries": 2, "delay": 30, "backoff": "linear", "jitter": "full"}


def op_of(shown):
    return shown[1].op


ATTRIBUTES = {
    # name: (Dagster's word in a component, what is said, how it is seen, what is seen)
    "group": ("group_name", "sales", lambda s: s[0].group_name, "sales"),
    "owners": ("owners", ["team:data"], lambda s: list(s[0].owners), ["team:data"]),
    "tags": ("tags", {"tier": "gold"}, lambda s: s[0].tags.get("tier"), "gold"),
    "kinds": ("kinds", ["crm"], lambda s: "crm" in s[0].kinds, True),
    "metadata": ("metadata", {"contract": 7}, lambda s: s[0].metadata.get("contract"), 7),
    "automationCondition": (
        "automation_condition",
        "on_missing",
        lambda s: s[0].automation_condition is not None,
        True,
    ),
    "freshWithin": (
        "freshWithin",
        "P1D",
        lambda s: s[0].freshness_policy and s[0].freshness_policy.fail_window.to_timedelta(),
        dt.timedelta(days=1),
    ),
    "deps": (
        "deps",
        ["crm/accounts"],
        lambda s: dg.AssetKey(["crm", "accounts"]) in {one.asset_key for one in s[0].deps},
        True,
    ),
    "opTags": (
        "op_tags",
        {"dagster-k8s/config": CPU},
        lambda s: json.loads(op_of(s).tags.get("dagster-k8s/config", "null")),
        CPU,
    ),
    "retryPolicy": (
        "retry_policy",
        POLICY,
        lambda s: op_of(s).retry_policy,
        dg.RetryPolicy(2, 30, dg.Backoff.LINEAR, dg.Jitter.FULL),
    ),
    "pool": ("pool", "vendor", lambda s: op_of(s).pool, "vendor"),
    "key": ("key", "lake/things", lambda s: s[0].key.to_user_string(), "lake/things"),
    "description": (None, "What is sold.", lambda s: "What is sold" in s[0].description, True),
}
OF_ALL = [name for name in ATTRIBUTES if name not in ("key", "description")]


def shown(definitions, last="items"):
    """The spec and the definition of the asset of `items`, whatever its key is."""
    for one in definitions.assets:
        if isinstance(one, dg.AssetsDefinition):
            (spec,) = one.specs
            if spec.metadata.get("dagster/table_name") == f"eu.{last}":
                return spec, one
    raise AssertionError


def written(said):
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in said.items())


@pytest.fixture
def of(project):
    project.write("specs/shop.yaml", SHOP.replace('owners: ["team:data"]\n', ""))

    def build(said):
        project.write(
            "connections/eu.yaml", connection(f"id: eu\nconnector: shop\n{written(said)}")
        )
        return project.definitions()

    return build


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_stream_of_a_connection_says_it_and_no_other_has_it(of, name):
    _, value, seen, expected = ATTRIBUTES[name]
    definitions = of({"streams": {"items": {name: value}, "v1.odd-name": None}})
    assert seen(shown(definitions)) == expected
    assert seen(shown(definitions, "v1_odd_name")) != expected


@pytest.mark.parametrize("name", OF_ALL)
def test_a_connection_says_it_of_all_its_streams(of, name):
    _, value, seen, expected = ATTRIBUTES[name]
    definitions = of({name: value})
    assert [seen(shown(definitions, one)) for one in ("items", "v1_odd_name")] == [expected] * 2


@pytest.mark.parametrize("name", [*OF_ALL, "keyPrefix"])
def test_a_component_says_it_in_dagsters_words(dg_project, name):  # noqa: F811 - a fixture
    if name == "keyPrefix":
        word, value, seen = "key_prefix", ["raw", "eu"], lambda s: s[0].key.path[:2]
        expected = ["raw", "eu"]
    else:
        word, value, seen, expected = ATTRIBUTES[name]
    text = written({"id": "eu", "connector": "shop", word: value})
    component(dg_project, "eu", "".join(f"  {line}\n" for line in text.splitlines()))
    assert seen(shown(load(dg_project))) == expected


@pytest.mark.parametrize("name", [name for name in ATTRIBUTES if name != "description"])
def test_a_stream_of_a_component_says_it(dg_project, name):  # noqa: F811 - a fixture
    word, value, seen, expected = ATTRIBUTES[name]
    said = {"id": "eu", "connector": "shop", "streams": {"items": {word: value}}}
    component(dg_project, "eu", "".join(f"  {line}\n" for line in written(said).splitlines()))
    assert seen(shown(load(dg_project))) == expected


class Mine(ConnectorTranslator):
    """Says in Python all that an asset's spec has."""

    def get_asset_key(self, connection, stream):
        return dg.AssetKey(["lake", stream.name.replace(".", "_").replace("-", "_")])

    def get_asset_spec(self, connection, stream, spec):
        return spec.replace_attributes(
            group_name="sales",
            owners=["team:data"],
            description="What is sold.",
            automation_condition=dg.AutomationCondition.on_missing(),
            freshness_policy=dg.FreshnessPolicy.time_window(dt.timedelta(days=1)),
        ).merge_attributes(
            tags={"tier": "gold"},
            kinds={"crm"},
            metadata={"contract": 7},
            deps=[dg.AssetKey(["crm", "accounts"])],
        )

    def get_op_tags(self, connection, stream, tags):
        return {**tags, "dagster-k8s/config": CPU}

    def get_retry_policy(self, connection, stream, policy):
        return ATTRIBUTES["retryPolicy"][3]

    def get_pool(self, connection, stream, pool):
        return "vendor"


@pytest.mark.parametrize("name", [name for name in ATTRIBUTES if name != "key"])
def test_a_translator_says_it(of, project, name):
    _, _, seen, expected = ATTRIBUTES[name]
    of({"streams": ["items"]})
    definitions = project.definitions(translator=Mine())
    assert seen(shown(definitions)) == expected
    assert shown(definitions)[0].key == dg.AssetKey(["lake", "items"])
