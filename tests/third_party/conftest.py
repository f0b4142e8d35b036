"""A project folder for each server's spec, and the two front doors as users open them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.third_party.process import Server

SPECS = Path(__file__).parent / "specs"


@dataclass(frozen=True)
class Project:
    """A folder with one spec; its values come from the environment."""

    folder: Path
    id: str
    server: Server

    def load(self, *options: str) -> dict[str, dict[str, Any]]:
        """`connector-assets load`: what it tells of each stream."""
        spec = SPECS / f"{self.id}.yaml"
        done = self.run("connector-assets", "load", str(spec), "--json", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        assert not any(secret in done.stdout + done.stderr for secret in self._hidden())
        return {told["stream"]: told for told in map(json.loads, done.stdout.splitlines())}

    def materialize(self, asset: str) -> None:
        module = ("-m", "connector_assets.definitions")
        done = self.run("dagster", "asset", "materialize", *module, "--select", f'key:"{asset}"')
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, tool: str, *args: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name(tool)), *args]
        return subprocess.run(
            command, cwd=self.folder, env=self._environ(), capture_output=True, text=True
        )

    def rows(self, stream: str) -> int:
        return int(self.sql(f"select count(*) from {self.id}.{stream}")[0][0])

    def sql(self, query: str) -> list[Any]:
        with duckdb.connect(str(self.folder / "data.duckdb"), read_only=True) as tables:
            return tables.sql(query).fetchall()

    def _hidden(self) -> list[str]:
        return [value for name, value in self.server.secrets.items() if name != "USER"]

    def _environ(self) -> Mapping[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("CONNECTOR_ASSETS_")}
        inherited.pop("PYTHONDONTWRITEBYTECODE", None)
        host = self.server.base_url.split("/")[2]
        given = {"BASE_URL": self.server.base_url, **self.server.secrets}
        return {
            **inherited,
            **{f"{self.id.upper()}__{name}": value for name, value in given.items()},
            "CONNECTOR_ASSETS_ALLOW_PRIVATE": host,
            "CONNECTOR_ASSETS_DESTINATION": "duckdb:///data.duckdb",
            "DAGSTER_HOME": str(self.folder / "dagster_home"),
        }


@pytest.fixture
def projects(tmp_path):
    """Makes the project of a spec that `server` answers."""

    def make(id_: str, server: Server) -> Project:
        folder = tmp_path / id_
        home, specs = folder / "dagster_home", folder / "specs"
        home.mkdir(parents=True)
        (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        specs.mkdir()
        shutil.copy(SPECS / f"{id_}.yaml", specs)
        return Project(folder, id_, server)

    return make
