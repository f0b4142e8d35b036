"""The folder that programs write specs into: whole files, no others, no surprises."""

from __future__ import annotations

import threading

import pytest

from connector_assets.authoring.specs_folder import SpecsFolder
from connector_assets.errors import ConfigError, SpecError
from connector_assets.plugins.define import define_connector
from connector_assets.plugins.registry import ConnectorRegistry
from tests.shop import shop_spec

SPEC = shop_spec("""
endpoints: [{id: items, url: "https://api.example.com/items"}]
read: {primary: items}
""")


@pytest.fixture
def folder(tmp_path):
    return SpecsFolder(tmp_path / "deep" / "specs", ConnectorRegistry())


def files(folder):
    return sorted(path.name for path in folder.path.iterdir())


def test_a_connector_is_written_and_registered(folder):
    assert folder.create(SPEC).id == "shop"
    assert files(folder) == ["shop.yaml"]
    assert folder.registry.ids() == ("shop",)
    assert folder.registry.connectors() == {}  # a project finds it in the folder


def test_an_id_is_taken_by_a_file_of_any_name_and_that_file_is_replaced(folder):
    folder.path.mkdir(parents=True)
    (folder.path / "my-shop.yml").write_text(SPEC)
    other = SPEC.replace("Shop", "Other")
    with pytest.raises(SpecError, match=r'"shop" is taken by my-shop\.yml'):
        folder.create(other)
    folder.create(other, overwrite=True)
    assert files(folder) == ["my-shop.yml"]
    assert (folder.path / "my-shop.yml").read_text() == other


def test_a_broken_file_of_the_name_is_not_lost(folder):
    folder.path.mkdir(parents=True)
    (folder.path / "shop.yaml").write_text("half of a spec")
    with pytest.raises(SpecError, match=r'"shop" is taken by shop\.yaml'):
        folder.create(SPEC)
    assert (folder.path / "shop.yaml").read_text() == "half of a spec"
    assert folder.registry.ids() == ()


def test_the_id_of_a_plugin_is_never_taken(folder):
    plugin = define_connector(id="shop", display_name="It", read=lambda _: iter(()))
    folder.registry.register_plugin(plugin)
    with pytest.raises(SpecError, match="is taken by a plugin"):
        folder.create(SPEC, overwrite=True)
    assert not folder.path.exists()


def test_nothing_outside_the_folder_is_written_through_a_link(folder, tmp_path):
    outside = tmp_path / "outside.yaml"
    outside.write_text(SPEC.replace("Shop", "Mine"))
    folder.path.mkdir(parents=True)
    (folder.path / "shop.yaml").symlink_to(outside)
    with pytest.raises(SpecError):
        folder.create(SPEC)
    folder.create(SPEC, overwrite=True)
    assert "Mine" in outside.read_text()
    assert (folder.path / "shop.yaml").read_text() == SPEC


def test_a_folder_that_cannot_be_written_is_one_line_and_registers_nothing(folder):
    folder.path.parent.mkdir(parents=True)
    folder.path.write_text("a file, not a folder")
    with pytest.raises(ConfigError, match="cannot be written: "):
        folder.create(SPEC)
    assert folder.registry.ids() == ()


def test_half_a_character_is_a_fault_of_the_document(folder):
    with pytest.raises(SpecError, match="half of a surrogate pair"):
        folder.create(SPEC + "# \ud800")


def test_of_many_at_once_with_one_id_one_wins(tmp_path):
    path, outcomes = tmp_path / "specs", []
    start = threading.Barrier(8)

    def create(number):
        own = SpecsFolder(path, ConnectorRegistry())  # as if each were a process of its own
        start.wait()
        try:
            outcomes.append(own.create(SPEC.replace("Shop", f"Shop {number}")).display_name)
        except SpecError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = (one for one in outcomes if isinstance(one, str))
    assert len(outcomes) == 8
    assert [file.name for file in path.iterdir()] == ["shop.yaml"]
    assert f"displayName: {winner}\n" in (path / "shop.yaml").read_text()
