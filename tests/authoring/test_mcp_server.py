"""The MCP server with a real client, over stdio, as an assistant uses it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import anyio
import duckdb
import pytest
from mcp import Client, StdioServerParameters

from tests.loopback import serving

BIN = Path(sys.executable).parent
SHOP = """
kind: connector
version: "1.0"
id: shop
displayName: The Shop
category: crm
auth: [{type: none}]
endpoints:
  - id: items
    url: "{{base_url}}/items"
    pagination: {type: offset, pageSize: 2}
read: {primary: items}
"""


def items(request):
    offset = int(request.query["offset"])
    return [{"id": n} for n in range(offset, min(offset + 2, 5))]


@pytest.fixture
def api():
    with serving(items) as server:
        yield server


@pytest.fixture
def environ(tmp_path, api):
    unwanted = ("CONNECTOR_ASSETS_", "DAGSTER_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return {
        **kept,
        "DAGSTER_HOME": str(tmp_path),
        "SHOP__BASE_URL": api.origin,
        "CONNECTOR_ASSETS_ALLOW_PRIVATE": api.host,
    }


@pytest.fixture
def ask(tmp_path, environ):
    """Calls tools of one server process, one after another; what each answered."""

    def call(*calls, mode="auto"):
        server = StdioServerParameters(
            command=str(BIN / "connector-assets"), args=["mcp"], env=environ, cwd=tmp_path
        )

        async def main():
            async with Client(server, mode=mode) as client:
                return [await client.call_tool(name, given) for name, given in calls]

        return [plain(result) for result in anyio.run(main)]

    return call


def plain(result):
    """The object of an answer, after making sure that both its forms are that object."""
    (content,) = result.content
    assert not result.is_error, content.text
    assert json.loads(content.text) == result.structured_content
    return result.structured_content


def create(yaml, **given):
    return ("create_yaml_connector", {"yaml": yaml, **given})


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_answers_are_exactly_these(ask, tmp_path, mode):
    bad = SHOP.replace("{type: none}", "{type: oauth2, tokenUrl: http://login.example.com/token}")
    refused, created = ask(create(bad), create(SHOP), mode=mode)
    assert refused == {"ok": False, "errors": ["auth.0.tokenUrl: must be https://"]}
    assert created == {"ok": True, "id": "shop", "displayName": "The Shop"}
    assert [file.name for file in (tmp_path / "specs").iterdir()] == ["shop.yaml"]
    assert (tmp_path / "specs" / "shop.yaml").read_text() == SHOP


def test_a_created_connector_loads_and_materializes(ask, tmp_path, environ):
    assert ask(create(SHOP))[0]["ok"]
    load = [BIN / "connector-assets", "load", "shop", "--to", "duckdb:///cli.duckdb"]
    dagster = [BIN / "dagster", "asset", "materialize", "-m", "connector_assets.definitions"]
    for command in (load, [*dagster, "--select", 'key:"shop/items"']):
        done = subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, done.stderr
    for file in ("cli.duckdb", "data.duckdb"):
        with duckdb.connect(str(tmp_path / file), read_only=True) as tables:
            assert tables.execute("select count(*) from shop.items").fetchall() == [(5,)]


def test_what_is_invalid_is_neither_registered_nor_written(ask, tmp_path):
    answers = ask(
        create("kind: [\n"),
        create("a: &a [*a]\n"),
        create(""),
        create(SHOP.replace("id: shop", "id: ../../shop")),
        ("list_connectors", {}),
    )
    assert [answer["ok"] for answer in answers[:4]] == [False] * 4
    assert all(answer["errors"] for answer in answers[:4])
    assert answers[4] == {"connectors": [], "broken": []}
    assert not (tmp_path / "specs").exists()
    assert not list(tmp_path.parent.glob("shop*"))


def test_another_connector_of_the_same_id_is_kept_unless_it_is_to_be_overwritten(ask, tmp_path):
    other = SHOP.replace("The Shop", "Other Shop")
    first, again, refused, replaced = ask(
        create(SHOP), create(SHOP), create(other), create(other, overwrite=True)
    )
    assert first == again == {"ok": True, "id": "shop", "displayName": "The Shop"}
    assert refused == {
        "ok": False,
        "errors": ['id: "shop" is taken by shop.yaml; choose another id, or pass overwrite'],
    }
    assert replaced == {**first, "displayName": "Other Shop"}
    assert (tmp_path / "specs" / "shop.yaml").read_text() == other


def test_the_id_of_a_plugin_is_taken(ask, tmp_path, environ):
    (tmp_path / "plugged.py").write_text(
        "from connector_assets import connector_registry, define_connector\n"
        "print('hello from a plugin')\n"
        "connector_registry.register_plugin(\n"
        "    define_connector(id='shop', display_name='It', read=lambda ctx: iter(())))\n"
    )
    environ["CONNECTOR_ASSETS_PLUGINS"] = "plugged"
    (refused,) = ask(create(SHOP, overwrite=True))
    assert refused == {
        "ok": False,
        "errors": ['id: "shop" is taken by a plugin; choose another id'],
    }


def test_the_other_tools_read_only(ask, tmp_path):
    valid, invalid, listing, schema, after = ask(
        ("validate_connector", {"yaml": SHOP}),
        ("validate_connector", {"yaml": SHOP.replace("primary: items", "primary: itms")}),
        ("list_connectors", {}),
        ("get_spec_schema", {}),
        create(SHOP),
    )
    assert valid == after
    assert invalid["errors"][0].startswith("read.primary: ")
    assert listing == {"connectors": [], "broken": []}
    assert "endpoints" in schema["properties"]
    (tmp_path / "specs" / "bad.yaml").write_text("kind: connector\n")
    assert ask(("list_connectors", {}))[0] == {
        "connectors": [
            {"id": "shop", "displayName": "The Shop", "category": "crm", "streams": ["items"]}
        ],
        "broken": [
            {
                "file": "bad.yaml",
                "errors": [
                    f"{key}: is required"
                    for key in ("version", "id", "displayName", "endpoints", "read")
                ],
            }
        ],
    }
