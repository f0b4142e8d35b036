"""The command line as a user has it: a folder of one's own, and what came of a command."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from connector_assets.cli.app import run
from tests.loopback import serving
from tests.shop import shop_spec

SECRET = "tok-5f1c9a/42"

SHOP = shop_spec("""
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
    - {name: items, primaryKey: [id]}
    - {name: orders, primaryKey: [id]}
""")


@dataclass
class Done:
    code: int
    out: str
    err: str


def shop(pages=4, size=3):
    """Pages of rows under any path, for whoever has the secret."""

    def answer(request):
        if request.headers.get("authorization") != f"Bearer {SECRET}":
            return 401, {"error": "who are you?"}
        page = int(request.query.get("cursor", 0))
        rows = [{"id": page * size + n, "name": f"n{page}"} for n in range(size)]
        return {"rows": rows, "next": str(page + 1) if page + 1 < pages else None}

    return answer


@pytest.fixture
def api():
    with serving(shop()) as server:
        yield server


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty folder as the working directory, and no setting from outside."""
    for name in os.environ:
        if name.startswith("CONNECTOR_ASSETS_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shop_project(project, api, monkeypatch):
    """specs/shop.yaml with its values in the environment, and the server it describes."""
    (project / "specs").mkdir()
    (project / "specs" / "shop.yaml").write_text(SHOP)
    monkeypatch.setenv("SHOP__BASE_URL", api.origin)
    monkeypatch.setenv("SHOP__TOKEN", SECRET)
    monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", api.host)
    return project


@pytest.fixture
def cli(project, capsys):
    """Runs a command in this process; nothing it printed holds a secret."""

    def call(*args):
        capsys.readouterr()
        code = run([str(one) for one in args])
        printed = capsys.readouterr()
        assert SECRET not in printed.out + printed.err
        assert "Traceback" not in printed.err
        return Done(code, printed.out, printed.err)

    return call


@pytest.fixture
def process(project):
    """Starts a command as a process of its own; it is ended with the test."""
    started = []

    def start(*args, **given):
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **given}
        child = subprocess.Popen(command(*args), **given)
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


def command(*args):
    """The command as it is installed."""
    return [str(Path(sys.executable).with_name("connector-assets")), *(str(one) for one in args)]
