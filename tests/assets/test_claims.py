"""Names that Dagster takes once only: two connections that want one do not take the location down."""

from __future__ import annotations

import dagster as dg
import pytest

from connector_assets import ConfigError, ConnectorTranslator, SpecError
from connector_assets.assets.claims import Claims
from tests.assets.test_definitions import connection
from tests.shop import shop_spec

ONE = shop_spec("""
endpoints: [{id: list, url: "https://api.example.com/{{stream}}"}]
read: {primary: list, streams: [{name: items}, {name: orders}]}
""")
HELD = "id: held\nconnector: shop\nstreams: [items]\n"


def of(text):
    return connection(text)


CLASHES = {
    "key of another": (
        ["id: a\nconnector: shop\nstreams: {items: {key: lake/things}}\n"],
        "id: b\nconnector: shop\nstreams: {items: {key: lake/things}}\n",
        'its asset "lake/things" is there also by connection "a"; give one of them another key',
    ),
    "key twice": (
        [],
        "id: b\nconnector: shop\nkey: lake/things\n",
        'its asset "lake/things" is there twice',
    ),
    "step of another": (
        ["id: a\nconnector: shop\nstreams: {items: {key: a/b__c}}\n"],
        "id: b\nconnector: shop\nstreams: {items: {key: a__b/c}}\n",
        'its step "a__b__c" is there also by connection "a"',
    ),
    "step twice": (
        [],
        "id: b\nconnector: shop\nstreams: {items: {key: b__orders}, orders: }\n",
        'its step "b__orders" is there twice',
    ),
    "its own API": (
        [],
        "id: b\nconnector: shop\nstreams: {items: {key: apis/b}}\n",
        'Asset "apis/b" depends on itself',
    ),
    "circle": (
        [],
        "id: b\nconnector: shop\nstreams: {items: {deps: [b/orders]}, orders: {deps: [b/items]}}\n",
        "assets wait for each other: b/",
    ),
    "itself": (
        [],
        "id: b\nconnector: shop\nstreams: {items: {deps: [b/items]}}\n",
        'Asset "b/items" depends on itself',
    ),
}


def loaded(definitions):
    """As a code server does it: the executable assets' descriptions."""
    repository = definitions.get_repository_def()
    repository.load_all_definitions()
    graph = repository.asset_graph
    assets = {key.to_user_string(): graph.get(key) for key in graph.executable_asset_keys}
    return {key: node.description for key, node in assets.items()}


@pytest.mark.parametrize("case", CLASHES)
def test_a_name_that_another_has_is_a_fault_of_the_second(project, case):
    first, second, says = CLASHES[case]
    project.write("specs/shop.yaml", ONE)
    for number, text in enumerate([HELD, *first]):
        project.write(f"connections/a{number}.yaml", of(text))
    project.write("connections/b.yaml", of(second))
    texts = loaded(project.definitions())
    faulty = {key for key, text in texts.items() if "cannot be used" in text}
    assert faulty
    plain = {key: texts[key].replace("\\", "") for key in faulty}
    assert all(says in text for text in plain.values()), plain
    assert "held/items" not in faulty
    assert len(texts) == len(faulty) + 1 + len(first)


def test_a_plugins_schedule_does_not_take_the_place_of_another():
    def made():
        job = dg.define_asset_job("nightly_job", dg.AssetSelection.all())
        return dg.Definitions(schedules=[dg.ScheduleDefinition(job=job, cron_schedule="@daily")])

    claims = Claims()
    claims.take("a", made())
    with pytest.raises(SpecError, match=r'schedule "nightly_job_schedule" is there also by .*"a"'):
        claims.take("b", made())
    assert not claims.is_free(made())


def test_a_check_of_a_plugins_that_an_asset_has_already_is_a_fault():
    def made(asset, op):
        key = dg.AssetKey(asset)

        @dg.multi_asset_check(name=op, specs=[dg.AssetCheckSpec("lag", asset=key)])
        def check():
            yield dg.AssetCheckResult(asset_key=key, check_name="lag", passed=True)

        return dg.Definitions(asset_checks=[check])

    claims = Claims()
    claims.take("a", made("orders", "one"))
    claims.take("b", made("items", "two"))
    with pytest.raises(SpecError, match='check "orders:lag" is there also by connection "a"'):
        claims.take("b", made("orders", "three"))
    with pytest.raises(SpecError, match='step "one" is there also by connection "a"'):
        claims.take("b", made("others", "one"))


def test_a_check_of_a_plugins_that_is_called_like_the_assets_own_is_a_fault():
    spec = dg.AssetCheckSpec("complete", asset="orders")

    @dg.multi_asset(specs=[dg.AssetSpec("orders")], check_specs=[spec])
    def orders():
        yield dg.MaterializeResult(asset_key="orders")

    @dg.multi_asset_check(specs=[spec])
    def again():
        yield dg.AssetCheckResult(asset_key="orders", check_name="complete", passed=True)

    with pytest.raises(SpecError, match='check "orders:complete" is there twice'):
        Claims().take("a", dg.Definitions(assets=[orders], asset_checks=[again]))


def test_a_check_of_the_definitions_shows_it(project, monkeypatch):
    monkeypatch.setenv("DAGSTER_IS_DEFS_VALIDATION_CLI", "1")
    project.write("specs/shop.yaml", ONE)
    project.write("connections/b.yaml", of(CLASHES["key twice"][1]))
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=r"b\.yaml.*lake/things"):
        project.definitions()


class SameKey(ConnectorTranslator):
    def get_asset_key(self, connection, stream):
        return dg.AssetKey(["lake", connection.id])


class OtherKey(ConnectorTranslator):
    def get_asset_spec(self, connection, stream, spec):
        return spec.replace_attributes(key=["lake", stream.name])


class Nothing(ConnectorTranslator):
    def get_asset_spec(self, connection, stream, spec):
        return None


@pytest.mark.parametrize(
    ("translator", "says"),
    [
        (SameKey(), 'its asset "lake/shop" is there twice'),
        (OtherKey(), "get_asset_spec changed the key of items; say it in get_asset_key"),
        (Nothing(), "get_asset_spec gave no AssetSpec for items"),
    ],
)
def test_what_a_translator_must_not_do_is_shown(project, translator, says):
    project.write("specs/shop.yaml", ONE)
    texts = loaded(project.definitions(translator=translator))
    assert all(says in text.replace("\\", "") for text in texts.values()), texts


@pytest.mark.parametrize("name", ["Mars/Olympus", "UTC+2", "europe/madrid", "../etc/passwd"])
def test_a_time_zone_that_is_none_says_which_setting(project, monkeypatch, name):
    project.write("specs/shop.yaml", ONE)
    monkeypatch.setenv("CONNECTOR_ASSETS_TIMEZONE", name)
    with pytest.raises(ConfigError, match=r"CONNECTOR_ASSETS_TIMEZONE: .* is no time zone"):
        project.definitions()
