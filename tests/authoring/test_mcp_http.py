"""The server over HTTP, as a real client reaches it, and as nobody else does."""

from __future__ import annotations

import socket
import threading
from http.client import HTTPConnection

import anyio
import httpx2
import pytest
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from connector_assets.authoring.mcp_http import Address, application, kept_token
from connector_assets.authoring.mcp_server import server
from connector_assets.authoring.spec_reference import EXAMPLE
from connector_assets.authoring.specs_folder import SpecsFolder
from connector_assets.authoring.workbench import Workbench
from connector_assets.plugins.registry import ConnectorRegistry

TOKEN = "a-token-of-the-tests-0123456789"
INITIALIZE = (
    '{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion":'
    ' "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}'
)


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """The port of a server whose folder is empty."""
    folder = SpecsFolder(tmp_path_factory.mktemp("http") / "specs", ConnectorRegistry())
    listening = socket.create_server(("127.0.0.1", 0))
    number = listening.getsockname()[1]
    address = Address(names=("mcp.example:443",))
    app = application(server(Workbench(folder, {}, folder.path)), address, number, TOKEN)
    running = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    yield number
    running.should_exit = True
    thread.join(60)


def call(port, *calls):
    async def main():
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = f"http://127.0.0.1:{port}/mcp"
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            names = {tool.name for tool in (await client.list_tools()).tools}
            return names, [(await client.call_tool(*one)).structured_content for one in calls]

    return anyio.run(main)


def test_a_client_with_the_token_works_as_over_stdio(port):
    names, answers = call(
        port,
        ("createYamlConnector", {"yaml": "kind: ["}),
        ("create_yaml_connector", {}),
        ("create_yaml_connector", {"yaml": EXAMPLE}),
    )
    assert "createYamlConnector" in names
    invalid, wrong, created = answers
    assert invalid["ok"] is False
    assert wrong == {"ok": False, "errors": ["yaml: is required"]}
    assert created == {"ok": True, "id": "shop", "displayName": "The Shop"}


def post(port, body=INITIALIZE, **headers):
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    sent = {
        "Authorization": f"Bearer {TOKEN}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    sent = {name: value for name, value in sent.items() if value is not None}
    connection.request("POST", "/mcp", body, sent)
    response = connection.getresponse()
    text = response.read(10_000).decode()
    connection.close()
    return response.status, text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "mcp.example:443"}, 200),
        ({"Authorization": None}, 401),
        ({"Authorization": TOKEN}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": f"Bearer {TOKEN}x"}, 401),
        ({"Authorization": f"Bearer {TOKEN[:-1]}"}, 401),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": "Bearer \xff\xfe"}, 401),
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example:80"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Content_Type": "text/plain"}, 400),
    ],
    ids=str,
)
def test_only_whoever_may_is_answered(port, headers, status):
    assert post(port, **headers)[0] == status


def test_a_page_of_this_machine_may_ask_with_the_token(port):
    assert post(port, Origin=f"http://localhost:{port}")[0] == 200
    assert post(port, Origin=f"http://localhost:{port}", Authorization=None)[0] == 401


def test_what_is_no_message_is_refused_and_the_server_goes_on(port):
    assert post(port, "{")[0] == 400
    assert post(port, "[" * 100_000)[0] == 400
    assert post(port, "x" * (5 << 20))[0] == 413
    assert post(port)[0] == 200


def test_a_token_is_made_once_and_kept_for_its_owner_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("CONNECTOR_ASSETS_STATE", str(tmp_path / "state"))
    token, path = kept_token()
    assert len(token) >= 32
    assert kept_token() == (token, path)
    assert path.stat().st_mode & 0o077 == 0
