"""The example of a plugin as a package, and what `new plugin` writes: tried as their users would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.cli.conftest import cli, project  # noqa: F401 - fixtures

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "custom_plugin"
MAIL = "From ada Wed May  1 12:00:00 2024\nSubject: hello\nMessage-ID: <1@x>\n\nhi\n\n"


def environ(**more):
    kept = {name: value for name, value in os.environ.items() if "CONNECTOR_ASSETS" not in name}
    return {**kept, **more}


def run(*command, cwd, env=None):
    done = subprocess.run(
        [str(one) for one in command],
        cwd=cwd,
        env=env or environ(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def loads_its_messages(python, folder, env):
    """As its README says: from the command line, and as an asset with its sensor."""
    (folder / "inbox.mbox").write_text(MAIL)
    out = run(python, "-m", "connector_assets.cli", "load", "mailbox", cwd=folder, env=env)
    assert "now has 1 row" in out
    with duckdb.connect(str(folder / "data.duckdb"), read_only=True) as tables:
        assert tables.sql("select subject from mailbox.messages").fetchall() == [("hello",)]
    told = (
        "from connector_assets import build_definitions; "
        "print([one.name for one in build_definitions().sensors])"
    )
    assert "mailbox_grows" in run(python, "-c", told, cwd=folder, env=env)


def test_the_example_works_where_its_entry_point_is_seen(tmp_path):
    """As it is installed, but for the installer: its module and its entry point on the path."""
    site = tmp_path / "site"
    site.mkdir()
    shutil.copy(EXAMPLE / "mailbox_plugin.py", site)
    info = site / "connector_assets_mailbox-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: connector-assets-mailbox\nVersion: 0.1.0\n"
    )
    text = (EXAMPLE / "pyproject.toml").read_text()
    assert (
        '[project.entry-points."connector_assets.plugins"]\nmailbox = "mailbox_plugin:plugin"'
        in text
    )
    (info / "entry_points.txt").write_text(
        "[connector_assets.plugins]\nmailbox = mailbox_plugin:plugin\n"
    )
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    env = environ(
        PYTHONPATH=f"{site}{os.pathsep}{ROOT}",
        MAILBOX__PATH=str(tmp_path / "inbox.mbox"),
        DAGSTER_HOME=str(tmp_path),
    )
    loads_its_messages(sys.executable, tmp_path, env)
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    run(*tests, EXAMPLE / "tests", cwd=tmp_path, env=env)


@pytest.mark.slow
def test_the_example_works_in_a_fresh_environment(tmp_path):
    """Installed as a user would, with its entry point as the installer writes it."""
    run(sys.executable, "-m", "uv", "venv", "-q", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    packages = [ROOT, EXAMPLE, "pytest", "pyarrow"]
    run(
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "-q",
        "--python",
        python,
        *packages,
        cwd=tmp_path,
    )
    env = environ(MAILBOX__PATH=str(tmp_path / "inbox.mbox"), DAGSTER_HOME=str(tmp_path))
    env.pop("PYTHONPATH", None)
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    loads_its_messages(python, tmp_path, env)
    # Elsewhere than in the repository, whose settings of pytest are not the example's.
    tests = shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    run(python, "-m", "pytest", "-q", tests, cwd=tmp_path, env=env)


def test_a_new_plugin_has_a_test_that_passes(cli, project):  # noqa: F811 - the fixtures
    done = cli("new", "plugin", "my_source")
    assert done.code == 0
    assert "next: pip install -e 'my_source[test]' and pytest my_source" in done.err
    env = environ(PYTHONPATH=f"{project / 'my_source'}{os.pathsep}{ROOT}")
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    run(*tests, project / "my_source" / "tests", cwd=project, env=env)
    again = cli("new", "plugin", "my_source")
    assert again.code == 1
    assert "my_source_plugin.py" in again.err
    assert "is there already; choose another folder" in again.err


@pytest.mark.parametrize("typed", [("plugin",), ("spec", "x"), ("plugin", "a", "b")])
def test_new_takes_a_plugin_and_its_name(cli, project, typed):  # noqa: F811 - the fixtures
    done = cli("new", *typed)
    assert (done.code, done.err) == (2, "new: takes nothing but options, or: plugin NAME\n")


def test_a_name_that_is_no_id_is_refused(cli, project):  # noqa: F811 - the fixtures
    done = cli("new", "plugin", "My-Source")
    assert done.code == 1
    assert '"My-Source" is no id of a connector; use small letters' in done.err
