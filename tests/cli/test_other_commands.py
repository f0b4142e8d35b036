"""check, list, schema, docs, and what all commands have in common."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from connector_assets.cli import app as commands
from connector_assets.cli import output
from tests.cli.conftest import SECRET, SHOP, Done

ROOT = Path(__file__).parents[2]


def test_check_asks_for_one_page(cli, shop_project, api):
    done = cli("check", "shop")
    assert (done.code, done.out) == (
        0,
        (
            "shop: reads SHOP__BASE_URL, SHOP__TOKEN; sends to {{base_url}}\n"
            "shop: ok, 3 rows on the first page\n"
        ),
    )
    assert [request.path for request in api.seen] == ["/items"]
    cli("check", "shop", "orders")
    assert api.seen[-1].path == "/orders"


def test_check_says_which_secret_is_wrong(cli, shop_project):
    done = cli("check", "shop", "--secret", "token=wrong-8812")
    assert done.code == 1
    assert 'check secret "token"' in done.err
    assert "wrong-8812" not in done.out + done.err


def test_check_names_what_is_missing_and_what_cannot_be_reached(cli, shop_project, monkeypatch):
    monkeypatch.delenv("SHOP__TOKEN")
    done = cli("check", "shop", "--json")
    assert done.code == 1
    assert json.loads(done.out) == {
        "connection": "shop",
        "ok": False,
        "message": "shop: values are missing; set SHOP__TOKEN",
        "failed": "config",
        "reads": ["SHOP__BASE_URL", "SHOP__TOKEN"],
        "sendsTo": ["{{base_url}}"],
    }


def test_list_shows_streams_and_what_is_still_to_be_set(cli, shop_project, monkeypatch):
    assert cli("list").out == (
        "shop  Shop  (specs/shop.yaml)\n"
        "  streams:  items, orders\n"
        "  sends to: {{base_url}}\n"
        "  reads:    SHOP__BASE_URL, SHOP__TOKEN\n"
        "  set:      SHOP__BASE_URL, SHOP__TOKEN\n"
    )
    monkeypatch.delenv("SHOP__TOKEN")
    assert cli("list").out.endswith("  set:      SHOP__BASE_URL\n  missing:  SHOP__TOKEN\n")


def test_list_for_machines_holds_broken_files_too(cli, shop_project):
    (shop_project / "specs" / "bad.yaml").write_text(SHOP.replace("id: shop", "id: 5"))
    done = cli("list", "--json")
    good, bad = json.loads(done.out)
    assert done.code == 0
    assert good == {
        "id": "shop",
        "connector": "shop",
        "displayName": "Shop",
        "source": "specs/shop.yaml",
        "streams": ["items", "orders"],
        "sendsTo": ["{{base_url}}"],
        "reads": ["SHOP__BASE_URL", "SHOP__TOKEN"],
        "set": ["SHOP__BASE_URL", "SHOP__TOKEN"],
        "missing": [],
    }
    assert bad["source"] == "specs/bad.yaml"
    assert bad["faults"][0].startswith("id: must be text")
    assert "specs/bad.yaml:4:5: id: must be text" in cli("list").err


def test_list_of_an_empty_folder_says_where_it_looked(cli):
    done = cli("list")
    assert (done.code, done.out, done.err) == (0, "", "no connector in specs/\n")


def test_schema_is_a_json_schema_of_either_document(cli):
    connector = json.loads(cli("schema").out)
    connection = json.loads(cli("schema", "connection").out)
    assert connector["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "endpoints" in connector["properties"]
    assert "connector" in connection["properties"]


def test_the_reference_of_the_command_line_is_up_to_date(cli):
    page = (ROOT / "docs/reference/cli.md").read_text()
    assert page == cli("docs", "cli").out, "run: connector-assets docs cli > docs/reference/cli.md"


def test_the_reference_of_the_format_names_every_key(cli):
    reference = cli("docs").out
    schema = json.loads(cli("schema").out)
    mappings = [schema, *schema["$defs"].values()]
    for key in (key for one in mappings for key in one.get("properties", ())):
        assert f"| `{key}` |" in reference


def test_every_command_and_option_is_explained():
    import typer.main

    group = typer.main.get_command(commands.app)
    for command in group.commands.values():
        assert command.help
        for param in command.params:
            assert param.help, f"{command.name} {param.name}"


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["nope"], "connector-assets: no such command 'nope'; see connector-assets --help\n"),
        (
            ["read"],
            "connector-assets read: missing argument 'SPEC'; see connector-assets read --help\n",
        ),
        (["read", "x", "--limit", "-1"], None),
        (["read", "x", "--format", "csv"], None),
        (["load", "x", "--nope"], None),
        ([], None),
    ],
)
def test_wrong_use_is_2(cli, args, error):
    done = cli(*args)
    assert done.code == 2
    assert error is None or done.err == error


def test_help_and_version_are_0(cli):
    assert cli("--help").code == 0
    assert cli("load", "--help").code == 0
    assert cli("--version").out.startswith("connector-assets ")


def test_a_bug_is_one_line_without_its_message(monkeypatch, capsys):
    def broken(**_):
        raise RuntimeError(f"oops {SECRET}")

    monkeypatch.setattr(commands, "app", broken)
    assert commands.run(["list"]) == 1
    shown = Done(1, *capsys.readouterr())
    assert "RuntimeError at test_other_commands.py:" in shown.err
    assert SECRET not in shown.err


def test_a_line_holds_no_control_characters(capsys):
    output.say("a\x1b[31m\u202eb\x9b")
    assert capsys.readouterr().err == "a\\x1b[31m\\u202eb\\x9b\n"


def test_mcp_without_its_package_says_what_to_install(process, project):
    (project / "mcp.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'mcp'\", name='mcp')"
    )
    child = process("mcp", env={**os.environ, "PYTHONPATH": str(project)})
    _, err = child.communicate(timeout=30)
    assert child.returncode == 1
    assert err == (
        'connector-assets mcp: the package "mcp" is not installed; '
        "pip install 'connector-assets[mcp]'\n"
    )
