"""The registry: each id once, nothing invalid, and only what is named is imported."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from connector_assets.errors import ConfigError, SpecError
from connector_assets.plugins.define import define_connector
from connector_assets.plugins.registry import (
    ConnectorRegistry,
)
from tests.shop import shop_spec

SPEC = shop_spec("""
endpoints: [{id: items, url: "https://api.example.com/items"}]
read: {primary: items}
""")


def plugin(connector_id):
    return define_connector(id=connector_id, display_name="It", read=lambda _: iter(()))


@pytest.fixture
def registry():
    return ConnectorRegistry()


def test_plugins_and_specs_are_found_by_id(registry):
    kafka = registry.register_plugin(plugin("kafka"))
    spec = registry.register_yaml(SPEC)
    assert registry.ids() == ("kafka", "shop")
    assert registry.get("kafka") is kafka
    assert registry.get("shop") is spec
    assert "shop" in registry
    assert repr(registry) == "ConnectorRegistry(kafka, shop)"


def test_an_unknown_id_lists_those_there_are(registry):
    registry.register_plugin(plugin("kafka"))
    with pytest.raises(ConfigError, match='"kafak" is not registered; known are: kafka'):
        registry.get("kafak")


def test_an_id_is_taken_once(registry):
    kafka = registry.register_plugin(plugin("kafka"))
    registry.register_plugin(kafka)
    with pytest.raises(SpecError, match='id: "kafka" is registered already'):
        registry.register_plugin(plugin("kafka"))
    registry.register_plugin(plugin("shop"))
    for replace in (False, True):
        with pytest.raises(SpecError, match='id: "shop" is registered already'):
            registry.register_yaml(SPEC, replace=replace)


def test_a_spec_may_be_replaced_if_that_is_asked_for(registry):
    registry.register_yaml(SPEC)
    registry.register_yaml(SPEC)
    other = SPEC.replace("Shop", "Other")
    with pytest.raises(SpecError, match="registered already"):
        registry.register_yaml(other)
    assert registry.register_yaml(other, replace=True).display_name == "Other"
    assert registry.get("shop").display_name == "Other"


def test_what_is_invalid_never_enters(registry):
    with pytest.raises(SpecError) as raised:
        registry.register_yaml(SPEC.replace("https://", "ftp://"), replace=True)
    assert raised.value.faults[0].path == "endpoints.0.url"
    assert registry.ids() == ()
    registry.register_yaml(SPEC)
    with pytest.raises(SpecError):
        registry.register_yaml(SPEC.replace("primary: items", "primary: itms"), replace=True)
    assert registry.get("shop").read.primary == "items"


def test_the_version_grows_with_what_changes_and_with_nothing_else(registry):
    seen = [registry.version]

    def changed():
        seen.append(registry.version)
        return seen[-1] != seen[-2]

    registry.register_yaml(SPEC)
    assert changed()
    registry.register_yaml(SPEC, replace=True)
    assert not changed()
    registry.register_yaml(SPEC.replace("Shop", "Other"), replace=True)
    assert changed()
    registry.register_yaml(SPEC.replace("Shop", "Other"), source="specs/shop.yaml")
    assert changed()
    for text in (SPEC.replace("https://", "ftp://"), SPEC):
        with pytest.raises(SpecError):
            registry.register_yaml(text)
        assert not changed()
    registry.unregister("shop")
    assert changed()
    registry.unregister("shop")
    assert not changed()


def test_threads_share_a_registry(registry):
    """Of many that want one id, one gets it; whoever looks meanwhile sees whole connectors only."""
    texts = [SPEC.replace("Shop", f"Shop {n}") for n in range(20)]
    begin = Barrier(20)

    def register(text):
        begin.wait()
        for _ in range(20):
            assert all(one in registry for one in registry.ids())
        try:
            return registry.register_yaml(text).display_name
        except SpecError:
            return None

    with ThreadPoolExecutor(20) as threads:
        names = [name for name in threads.map(register, texts) if name]
    assert names == [registry.get("shop").display_name]
    assert registry.version == 1
    with ThreadPoolExecutor(20) as threads:
        made = list(threads.map(lambda one: registry.register_yaml(one, replace=True), texts))
    assert registry.get("shop") in made
    assert registry.ids() == ("shop",)


def test_what_is_unregistered_is_gone_and_may_come_again(registry):
    registry.register_plugin(plugin("kafka"))
    registry.unregister("kafka")
    registry.unregister("kafka")
    assert registry.ids() == ()
    registry.register_plugin(plugin("kafka"))


def test_connectors_are_ready_to_read_but_files_are_left_to_their_folder(registry):
    registry.register_plugin(plugin("kafka"))
    registry.register_yaml(SPEC)
    registry.register_yaml(SPEC.replace("id: shop", "id: filed"), source="specs/filed.yaml")
    connectors = registry.connectors()
    assert list(connectors) == ["kafka", "shop"]
    assert [stream.name for stream in connectors["shop"].streams()] == ["items"]
