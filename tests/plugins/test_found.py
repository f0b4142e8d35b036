"""Where plugins come from: modules, a folder, entry points; one that is broken stops no other."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from connector_assets.plugins.found import import_plugins
from connector_assets.plugins.registry import ConnectorRegistry

DEFINES = """
from connector_assets import define_connector
plugin = define_connector(id="{id}", display_name="It", read=lambda ctx: [{{"n": 1}}])
"""
REGISTERS = """
from connector_assets import connector_registry, define_connector
connector_registry.register_plugin(
    define_connector(id="registered", display_name="It", read=lambda ctx: [])
)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(folder, **files):
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def package(folder, name, value, group="connector_assets.plugins"):
    """What an installer leaves of a package with an entry point."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {value}\n")


def found(**environ):
    registry = ConnectorRegistry()
    named = {f"CONNECTOR_ASSETS_{name}": value for name, value in environ.items()}
    broken = import_plugins(named, registry)
    return registry, [str(one.error) for one in broken]


def test_what_a_named_module_defines_is_registered(folder):
    write(folder, one=DEFINES.format(id="one"), two=DEFINES.format(id="two"), three="1 / 0")
    registry, broken = found(PLUGINS=" one ,two,")
    assert (registry.ids(), broken) == (("one", "two"), [])
    assert "three" not in sys.modules
    assert found()[0].ids() == ()


def test_what_the_files_of_a_named_folder_define_is_registered(folder):
    write(folder, plugins__one=DEFINES.format(id="one"), plugins___parts="1 / 0")
    write(folder, plugins__json=DEFINES.format(id="two"))
    registry, broken = found(PLUGINS_FOLDER="plugins")
    assert (registry.ids(), broken) == (("one", "two"), [])
    again, _ = found(PLUGINS_FOLDER="plugins")
    assert again.get("one") is registry.get("one")
    assert found()[0].ids() == ()


def test_what_installed_packages_offer_is_registered(folder):
    write(folder, mine=DEFINES.format(id="one"))
    package(folder, "one", "mine:plugin")
    package(folder, "other", "nowhere:plugin", group="console_scripts")
    assert found()[0].ids() == ("one",)


def test_each_that_is_broken_is_one_fault_and_the_others_stay(folder):
    write(
        folder,
        good=DEFINES.format(id="good"),
        again=DEFINES.format(id="good"),
        odd=DEFINES.format(id="No Good"),
        lacks="import not_there_at_all",
        fails="1 / 0",
        leaves="raise SystemExit(3)",
        typo="def (",
    )
    write(folder, files__bad="raise ValueError('no')", files__fine=DEFINES.format(id="fine"))
    package(folder, "wrong", "good:define_connector")
    package(folder, "other_name", "files_of:plugin")
    write(folder, files_of=DEFINES.format(id="another"))
    registry, broken = found(
        PLUGINS="good,again,odd,lacks,fails,leaves,typo,gone", PLUGINS_FOLDER="files"
    )
    assert registry.ids() == ("fine", "good")
    expected = [
        'PLUGINS: again: id: "good" is registered already; choose another',
        "PLUGINS: odd: id: must be",
        'PLUGINS: lacks: module "not_there_at_all" is not found; install it',
        "PLUGINS: fails: ZeroDivisionError: division by zero",
        "PLUGINS: leaves: SystemExit: 3",
        "PLUGINS: typo: SyntaxError: ",
        'PLUGINS: gone: module "gone" is not found; install it',
        "files/bad.py: ValueError: no",
        'entry point other_name (files_of:plugin): is the connector "another"; give the entry',
        "entry point wrong (good:define_connector): is a function; name what define_connector",
    ]
    for one, told in zip(broken, expected, strict=True):
        assert told in one
    assert (
        "PLUGINS_FOLDER: nowhere: there is no such folder" in found(PLUGINS_FOLDER="nowhere")[1][-3]
    )


def test_a_step_of_a_run_sees_what_its_parent_saw(folder):
    """Each of Dagster's processes finds the three by itself: by module, by file, by package."""
    write(folder, one=DEFINES.format(id="one"), files__two=DEFINES.format(id="two"))
    write(folder, mine=DEFINES.format(id="three"))
    package(folder, "three", "mine:plugin")
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    program = textwrap.dedent("""
        import dagster as dg
        from connector_assets.definitions import defs
        from dagster import reconstructable
        import connector_assets.definitions as module

        if __name__ == "__main__":
            from dagster._core.definitions.reconstruct import (
                build_reconstructable_job, ReconstructableRepository)
            repository = ReconstructableRepository.for_module(
                "connector_assets.definitions", "defs", ".")
            job = repository.get_reconstructable_job("__ASSET_JOB")
            done = dg.execute_job(job, dg.DagsterInstance.get(), asset_selection=[
                dg.AssetKey([name, name]) for name in ("one", "two", "three")])
            print(done.success, len(done.get_asset_materialization_events()))
    """)
    kept = {name: value for name, value in os.environ.items() if "CONNECTOR_ASSETS" not in name}
    environ = {
        **kept,
        "DAGSTER_HOME": str(folder),
        "PYTHONPATH": str(folder),
        "CONNECTOR_ASSETS_PLUGINS": "one",
        "CONNECTOR_ASSETS_PLUGINS_FOLDER": "files",
    }
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environ, capture_output=True, text=True
    )
    assert done.stdout.endswith("True 3\n"), done.stderr[-2000:]
