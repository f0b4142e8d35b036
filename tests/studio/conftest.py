"""A studio over a project of its own, served as the command serves it."""

from __future__ import annotations

import json
import socket
import threading
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from connector_assets.authoring.specs_folder import SpecsFolder
from connector_assets.authoring.workbench import Workbench
from connector_assets.plugins.registry import ConnectorRegistry
from connector_assets.studio.server import guarded

TOKEN = "a-token-of-the-tests-0123456789"


@dataclass
class Studio:
    """The server's port, its project, and the cookie of the browser that came by the link."""

    port: int
    folder: Path
    environ: dict[str, str]
    cookie: str = ""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def link(self) -> str:
        return f"{self.origin}/?token={TOKEN}"

    def send(self, method: str, path: str, body: bytes | str | None = None, **headers: Any):
        """One request; a header that is None is left out. Gives status, headers and text."""
        sent = {"Host": f"127.0.0.1:{self.port}", "Cookie": self.cookie or None}
        if method not in ("GET", "HEAD"):
            sent |= {"Origin": self.origin, "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        raw = body.encode() if isinstance(body, str) else body
        if raw is not None:
            sent.setdefault("Content-Length", str(len(raw)))
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(raw)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, answer.headers, text

    def enter(self) -> None:
        """Come by the link."""
        _, headers, _ = self.send("GET", f"/?token={TOKEN}")
        self.cookie = headers["Set-Cookie"].partition(";")[0]

    def ask(self, path: str, method: str = "POST", **body: Any) -> dict[str, Any]:
        """What the API answers."""
        raw = json.dumps(body) if method == "POST" else None
        _, headers, text = self.send(method, f"/api/v1/{path}", raw)
        assert headers["Content-Type"] == "application/json"
        return json.loads(text)


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A studio that nobody has entered yet."""
    folder = tmp_path / "project"
    (folder / "specs").mkdir(parents=True)
    environ = {
        "CONNECTOR_ASSETS_SPECS": str(folder / "specs"),
        "CONNECTOR_ASSETS_CONNECTIONS": str(folder / "connections"),
        "CONNECTOR_ASSETS_STATE": str(tmp_path / "state"),
        "CONNECTOR_ASSETS_DESTINATION": f"duckdb:///{folder}/data.duckdb",
    }
    monkeypatch.chdir(folder)
    bench = Workbench(SpecsFolder(folder / "specs", ConnectorRegistry()), environ, folder)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    app = guarded(bench, port, TOKEN)
    running = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    yield Studio(port, folder, environ)
    running.should_exit = True
    thread.join(60)


@pytest.fixture
def studio(outside):
    """A studio that a browser has entered by the link."""
    outside.enter()
    return outside
