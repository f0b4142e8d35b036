"""A project folder with a loopback API, and the two ways to run it: in this process, or as users do."""

from __future__ import annotations

import contextvars
import functools
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from connector_assets.assets.factory import build_definitions
from tests.loopback import serving
from tests.shop import shop_spec

SECRET = "canary-4711/x+y"

SHOP = shop_spec("""
tags: {domain: sales}
owners: ["team:data"]
secrets: {token: {description: API token}}
auth: [{type: bearer, tokenRef: "{{secrets.token}}"}]
defaults:
  responseRowsPath: rows
  retry: {maxAttempts: 1}
  pagination: {type: cursor, cursorField: next, maxPages: 10}
endpoints:
  - {id: list, url: "{{base_url}}/{{stream}}"}
read:
  primary: list
  streams:
    - {name: items, primaryKey: [id], description: Everything on sale., checks: {minRows: 10}}
    - {name: v1.odd-name}
""")


def shop(pages=4, size=3):
    """Pages of rows under any path, for whoever has the secret; `/missing` is not there."""

    def answer(request):
        if request.headers.get("authorization") != f"Bearer {SECRET}":
            return 401, {"error": "who are you?"}
        if request.path == "/missing":
            return 404, {"error": SECRET}
        page = int(request.query.get("cursor", 0))
        rows = [{"id": page * size + n, "name": f"n{page}"} for n in range(size)]
        return {"rows": rows, "next": str(page + 1) if page + 1 < pages else None}

    return answer


@pytest.fixture
def api():
    with serving(shop()) as server:
        yield server


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Runs each test in a context of its own, for Dagster keeps its current instance in one.

    What is left to the garbage collector there, as a schedule's context is, would put an instance
    that is gone back in place for whichever test runs then.
    """
    test, context = pyfuncitem.obj, contextvars.copy_context()

    @functools.wraps(test)  # or pytest fails to show how the test failed
    def within(**given):
        context.run(test, **given)

    pyfuncitem.obj = within


@dataclass(frozen=True)
class Project:
    """A folder that holds specs/ and, once something was loaded, data.duckdb."""

    root: Path

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def definitions(self, **given):
        return build_definitions(**given)

    def run(self, *keys, config=None, **given):
        """The implicit job over these keys, in this process."""
        job = build_definitions(**given).resolve_implicit_global_asset_job_def()
        ops = {"ops": {"__".join(key.split("/")): {"config": config} for key in keys}}
        return job.execute_in_process(
            asset_selection=[dg.AssetKey(key.split("/")) for key in keys],
            run_config=ops if config else None,
            raise_on_error=False,
        )

    def rows(self, table):
        import duckdb

        with duckdb.connect(str(self.root / "data.duckdb"), read_only=True) as connection:
            return connection.sql(f"select * from {table} order by all").fetchall()

    def tool(self, *args, **given):
        """One of Dagster's command lines, as a user runs it in the project's folder."""
        name, *rest = args
        command = [str(Path(sys.executable).with_name(name)), *map(str, rest)]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, **given)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project as the working directory, with a Dagster home and nothing set from outside."""
    for name in os.environ:
        if name.startswith("CONNECTOR_ASSETS_"):
            monkeypatch.delenv(name)
    # Set where tests run, it makes every process compile all of its imports.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    home = tmp_path / "dagster_home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


@pytest.fixture
def shop_project(project, api, monkeypatch):
    """A project with the shop's spec, and its values in the environment."""
    project.write("specs/shop.yaml", SHOP)
    monkeypatch.setenv("SHOP__BASE_URL", api.origin)
    monkeypatch.setenv("SHOP__TOKEN", SECRET)
    monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", api.host)
    return project
