"""`connector-assets import`: a file written or not, a report for people and for machines."""

from __future__ import annotations

import json

import pytest

from connector_assets.spec.document import load_connector

CONFIG = {
    "client": {
        "base_url": "https://api.example.com",
        "auth": {"type": "bearer", "token": "tok-very-secret-1"},
    },
    "resources": [
        {"name": "items", "endpoint": {"path": "items", "paginator": "single_page"}},
        {"name": "odd", "endpoint": {"path": "odd"}},
    ],
}


@pytest.fixture
def config(project):
    (project / "shop.json").write_text(json.dumps(CONFIG))
    return project


def test_the_draft_goes_into_the_folder_of_specs_and_questions_are_told(cli, config):
    done = cli("import", "dlt", "shop.json")
    assert done.code == 0, done.err
    assert load_connector(config / "specs" / "shop.yaml").id == "shop"
    assert "question: odd.pagination: dlt finds the pagination out" in done.err
    assert "secrets: set SHOP__TOKEN\n" in done.err
    assert "2 lists: 1 drafted, 1 question\n" in done.err
    assert "tok-very-secret-1" not in done.out + done.err


def test_an_edited_file_stays_unless_it_is_to_be_replaced(cli, config):
    cli("import", "dlt", "shop.json", "--out", "mine.yaml")
    edited = (config / "mine.yaml").read_text() + "# edited\n"
    (config / "mine.yaml").write_text(edited)
    again = cli("import", "dlt", "shop.json", "--out", "mine.yaml")
    assert again.code == 1
    assert "-# edited" in again.err
    assert "mine.yaml: is there already, and says something else; pass --replace" in again.err
    assert (config / "mine.yaml").read_text() == edited
    assert cli("import", "dlt", "shop.json", "--out", "mine.yaml", "--replace").code == 0
    assert "# edited" not in (config / "mine.yaml").read_text()


def test_stdout_list_and_json_write_no_file(cli, config):
    assert "\nid: other\n" in cli("import", "dlt", "shop.json", "--out", "-", "--id", "other").out
    listed = cli("import", "dlt", "shop.json", "--list")
    assert (
        listed.out
        == "items  GET items  drafted\nodd  GET odd  question\n2 lists: 1 drafted, 1 question\n"
    )
    told = json.loads(cli("import", "dlt", "shop.json", "--json", "--out", "-").out)
    assert told["streams"][1]["remarks"][0]["field"] == "pagination"
    assert (told["file"], told["id"]) == (None, "shop")
    assert sorted(one.name for one in config.iterdir()) == ["shop.json"]


def test_a_source_that_cannot_be_used_writes_nothing(cli, config):
    (config / "bad.json").write_text('{"client": ')
    done = cli("import", "dlt", "bad.json")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("bad.json:1:12: is not JSON")
    assert not (config / "specs").exists()
