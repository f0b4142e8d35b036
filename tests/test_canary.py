"""Secrets that cry when they get out: every way in, every way out, in the processes that users start.

Each secret has a core that no encoding of text changes, so any form of it is found by pieces of the
core, also where something was cut in its middle; base64 is looked for by itself.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from tests.loopback import Api, Seen, serving

PIECE, PIECE64 = 6, 10
CORES = {
    "apiKey": "Qw7Zk2Vx9Lp4Ts",
    "headerKey": "Hd3Yb8Nc5Rm1Gf",
    "bodyKey": "Bo6Xj4Wq8Ku2Dz",
    "password": "Pa9Ut3Ei7So5Cv",
    "clientSecret": "Cl2Ma6Jy4Fw8Xb",
    "refreshToken": "Re5Vn1Og9Lt7Hq",
}
SECRETS = {name: f"a\"b\\c'd/{core}+e%41&f <{{g}}>" for name, core in CORES.items()}
SECRETS["headerKey"] = f'h/{CORES["headerKey"]}+i%41=j"k\\l'
LEARNED = {"access": "tok-Ac4Zw8Pk2Jd6Ns"}
NEEDLES = {**CORES, **{name: value[4:] for name, value in LEARNED.items()}}

SPEC = """
kind: connector
version: "1.0"
id: canary
displayName: Canary
auth:
  - type: oauth2
    grant: refresh_token
    tokenUrl: "{{base_url}}/token"
    clientIdRef: "{{client}}"
    clientSecretRef: "{{secrets.clientSecret}}"
defaults:
  params: {key: "{{secrets.apiKey}}"}
  headers: {X-Header-Key: "{{secrets.headerKey}}"}
  retry: {maxAttempts: 1}
endpoints:
  - {id: any, url: "{{base_url}}/{{stream}}"}
  - id: pages
    url: "{{base_url}}/pages"
    responseRowsPath: rows
    pagination: {type: next_url, urlField: next}
  - id: keyed
    url: "{{base_url}}/echo"
    auth: [{type: api_key, in: cookie, name: sid, valueRef: "{{ secrets.bodyKey | base64 }}"}]
  - id: basic
    url: "{{base_url}}/echo"
    auth: [{type: basic, usernameRef: "{{secrets.apiKey}}", passwordRef: "{{secrets.password}}"}]
  - id: posted
    method: POST
    url: "{{base_url}}/echo"
    body: {json: {key: "{{secrets.bodyKey}}", nested: {also: "k={{secrets.bodyKey}}"}}}
    errors: [{status: 4xx, action: fail, message: "said {{response.body}} and {{response}}"}]
  - id: form
    method: POST
    url: "{{base_url}}/echo"
    body: {form: {key: "{{secrets.bodyKey}}"}}
  - {id: path, url: "{{base_url}}/keys", responseRowsPath: rows.here}
  - id: segment
    url: "{{base_url}}/bot{{secrets.headerKey}}/{{page.number}}/list"
    responseRowsPath: rows
    pagination: {type: page, in: template}
read:
  primary: any
  streams: [{name: pages, primaryKey: [id]}, {name: keyed}, {name: basic}, {name: posted},
    {name: form}, {name: path}, {name: echo}, {name: elsewhere}, {name: markup}, {name: cut}, {name: segment}]
"""
STREAMS = re.findall(r"name: (\w+)", SPEC.partition("streams:")[2])


def said(request: Seen) -> dict[str, Any]:
    """What came, as servers repeat it: as it was, decoded, and in every way to write it."""
    values = [*SECRETS.values(), *LEARNED.values()]
    forms = [
        [v, quote(v, safe=""), quote(v), quote_plus(v), escape(v), json.dumps(v), repr(v)]
        + [base64.b64encode(f"{pad}{v}".encode()).decode() for pad in ("", "u", "u:")]
        + [json.dumps(json.dumps(v)), quote(quote(v, safe=""), safe="")]
        for v in values
    ]
    body = request.body.decode()
    return {"query": request.query, "headers": request.headers, "body": body, "forms": forms}


COMMANDS: set[bytes] = set()
"""The command lines of all processes that were there while a request was answered."""


def look_at_processes() -> None:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it may have ended
            COMMANDS.add((process / "cmdline").read_bytes())


def answer(request: Seen) -> Any:  # noqa: PLR0911 - one for each path
    look_at_processes()
    key = quote(request.query.get("key", ""), safe="")
    if request.path == "/token":
        return {"access_token": LEARNED["access"], "expires_in": 3600, "you_sent": said(request)}
    if request.path.startswith("/bot") and request.path.endswith("/1/list"):
        return {"rows": [{"id": 1}], "next": request.path, "echo": said(request)}
    if request.path == "/pages":
        page = int(request.query.get("page", 1))
        if page == 3:
            return 502, said(request)
        rows = [{"id": 10 * page + n} for n in range(5)]
        return {"rows": rows, "next": f"/pages?page={page + 1}&key={key}", "echo": said(request)}
    if request.path == "/elsewhere":
        away = f"https://evil.example.com/{quote(SECRETS['apiKey'], safe='')}?key={key}"
        return 302, said(request), {"Location": away}
    if request.path == "/markup":
        return 200, f"<p>{escape(SECRETS['apiKey'])}</p>".encode(), {"X-Echo": key}
    if request.path == "/keys":
        return {f"{'x' * (40 - n)}{SECRETS['apiKey']}": n for n in range(5, 20)}
    if request.path == "/cut":
        return 400, b"x" * (200 - 12) + SECRETS["apiKey"].encode() + b"x" * 100
    return 403, said(request), {"X-Echo": key}


READS = """
import logging, sys
logging.basicConfig(level=logging.DEBUG)
from connector_assets.cli.app import run
for stream in sys.argv[1:]:
    for args in (["-v", "--requests"], ["-v", "--requests", "--format", "jsonl"], []):
        run(["read", "canary", stream, *args])
run(["check", "canary"]), run(["check", "canary", "-v"])
run(["load", "canary"]), run(["load", "canary", "-v", "--json"])
"""

SHOWS = """
import sys, traceback
from connector_assets import HttpRuntime, parse_connector
from connector_assets.project.connection import Connection
from connector_assets.errors import ConnectorError
from connector_assets.reading.yaml_connector import YamlConnector
from pathlib import Path
import os
spec = parse_connector(Path("specs/canary.yaml").read_text())
runtime = HttpRuntime(allow_private=[os.environ["CONNECTOR_ASSETS_ALLOW_PRIVATE"]], verbose=True)
connection = Connection(spec.id, YamlConnector(spec, runtime))
for stream in sys.argv[1:]:
    try:
        reading = connection.open(stream)
        print(repr(connection), repr(reading), repr(runtime), repr(reading.stats), str(reading))
        for batch in connection.connector.read(reading):
            print(repr(batch))
    except ConnectorError as error:
        traceback.print_exc()
        shown = traceback.TracebackException.from_exception(error)
        print(repr(error), error.args, vars(error), *shown.format())
"""


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving(answer) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, api: Api, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose instance keeps the HTTP libraries' log in the event log, at DEBUG."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "canary.yaml").write_text(SPEC)
    (tmp_path / "home").mkdir()
    logs = "{managed_python_loggers: [root, httpx, connector_assets], python_log_level: DEBUG}"
    (tmp_path / "home" / "dagster.yaml").write_text(
        f"telemetry: {{enabled: false}}\npython_logs: {logs}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", api.host)
    monkeypatch.setenv("CANARY__BASE_URL", api.origin)
    monkeypatch.setenv("CANARY__CLIENT", "client-1")
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    for name, value in SECRETS.items():
        monkeypatch.setenv(f"CANARY__{name.upper()}", value)
    return tmp_path


def run(*command: str) -> bytes:
    done = subprocess.run(command, capture_output=True, timeout=300)
    return done.stdout + done.stderr


def python(script: str, *args: str) -> bytes:
    return run(sys.executable, "-c", textwrap.dedent(script), *args)


def leaks(data: bytes) -> list[str]:
    """Where a piece of a secret is, with a little of what is around it."""
    found = []
    for name, core in NEEDLES.items():
        for piece in pieces(core):
            at = data.find(piece)
            if at >= 0:
                around = data[max(0, at - 120) : at + 60]
                found.append(f"{name}: …{around.decode('latin-1')}…")
                break
    return found


def pieces(core: str) -> list[bytes]:
    plain = [core[n : n + PIECE].encode() for n in range(len(core) - PIECE + 1)]
    for offset in range(3):
        whole = base64.b64encode(b"\0" * offset + core.encode())[4:-4]
        plain += [whole[n : n + PIECE64] for n in range(len(whole) - PIECE64 + 1)]
    return plain


def leaking_files(folder: Path) -> dict[str, list[str]]:
    """Files that hold a secret; tokens are kept by design, for their owner alone."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    tokens = [path for path in files if path.parent.name == "tokens"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in tokens)
    found = {str(p.relative_to(folder)): leaks(p.read_bytes()) for p in files if p not in tokens}
    return {name: what for name, what in found.items() if what}


def test_the_canary_is_found_in_every_form() -> None:
    for name, value in SECRETS.items():
        for form in (value, quote(value), json.dumps(value), repr(value), escape(value)):
            assert leaks(f"…{form}…".encode()), (name, form)
        for pad in ("", "u", "us"):
            assert leaks(base64.b64encode(f"{pad}{value}".encode()))
    assert leaks(SECRETS["apiKey"][:18].encode())


def test_no_secret_leaves_by_the_command_line(folder: Path, api: Api) -> None:
    before = len(api.seen)
    printed = python(READS, *STREAMS)
    assert {seen.path for seen in api.seen[before:]} >= {"/token", "/pages", "/echo", "/cut"}
    assert b"DEBUG:connector_assets.http:" in printed, "the log is on"
    assert printed.count(b": 403") >= 4 * len(STREAMS[1:5]), "the server's echoes were met"
    assert leaks(printed) == []
    assert leaking_files(folder) == {}
    assert list(folder.rglob("journal")), "pages that were staged before the fault are kept"


def test_no_secret_leaves_by_a_materialization(folder: Path, api: Api) -> None:
    tool = str(Path(sys.executable).with_name("dagster"))
    select = " or ".join(f'key:"canary/{name}"' for name in STREAMS)
    printed = run(
        tool, "asset", "materialize", "-m", "connector_assets.definitions", "--select", select
    )
    assert b"canary__pages" in printed
    assert leaks(printed) == []
    assert leaking_files(folder) == {}
    assert any(b"dagster" in one for one in COMMANDS) or sys.platform != "linux"
    assert leaks(b"\n".join(COMMANDS)) == [], "the command line of a process is for all to see"
    stored = b"".join(path.read_bytes() for path in (folder / "home").rglob("*.db*"))
    assert b"STEP_FAILURE" in stored, "the event log was searched"


def test_no_secret_is_in_a_traceback_or_a_repr(folder: Path) -> None:
    printed = python(SHOWS, *STREAMS)
    assert printed.count(b"Traceback") >= len(STREAMS) - 1
    assert leaks(printed) == []
