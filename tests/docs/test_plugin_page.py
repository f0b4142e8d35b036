"""The plugin that the how-to shows, registered and materialized as it says."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import duckdb

from demo.data import build
from tests.docs.pages import ROOT, blocks


def test_the_plugin_of_the_page_materializes_its_tables(tmp_path: Path) -> None:
    (module,) = blocks(ROOT / "docs/how-to/plugin.md", "python")
    (tmp_path / "sqlite_file.py").write_text(module.text)
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    (tmp_path / "home.toml").write_text("[cli.telemetry]\nenabled = false\n")
    build(tmp_path / "flights.db", most=100)
    (shown,) = blocks(ROOT / "docs/how-to/plugin.md", "console")
    *_, typed = shown.text.splitlines()
    program, *rest = shlex.split(typed.removeprefix("$ "))
    command = [str(Path(sys.executable).with_name(program)), *rest]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    with duckdb.connect(str(tmp_path / "data.duckdb"), read_only=True) as tables:
        sql = "select (select count(*) from sqlite_file.airlines), (select count(*) from sqlite_file.planes)"
        assert tables.execute(sql).fetchall() == [(16, 100)]


def environment(folder: Path) -> dict[str, str]:
    unwanted = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "CONNECTOR_ASSETS_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return {
        **kept,
        "DAGSTER_HOME": str(folder),
        "DG_CLI_CONFIG": str(folder / "home.toml"),
        "CONNECTOR_ASSETS_PLUGINS": "sqlite_file",
        "SQLITE_FILE__PATH": str(folder / "flights.db"),
    }
