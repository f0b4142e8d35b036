"""`connector-assets validate`: every fault of every file, at its place."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import SHOP

CORPUS = Path(__file__).parents[1] / "corpus" / "yaml"
BROKEN = SHOP.replace("type: cursor", "type: kursor").replace("id: list", "di: list")


def test_a_valid_file_is_ok(cli, project):
    (project / "shop.yaml").write_text(SHOP)
    done = cli("validate", "shop.yaml")
    assert (done.code, done.out, done.err) == (0, "shop.yaml: ok\n", "")


def test_a_fault_shows_its_place_its_line_and_a_caret(cli, project):
    (project / "shop.yaml").write_text(SHOP.replace("primary: list", "primary: lst"))
    done = cli("validate", "shop.yaml")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("shop.yaml:15:12: read.primary: ")
    assert done.err.endswith("\n      primary: lst\n               ^\n")


def test_the_founding_fault_reads_as_it_always_did(cli, project):
    spec = SHOP.replace(
        'type: bearer, tokenRef: "{{secrets.token}}"',
        "type: oauth2, tokenUrl: http://login.example.com/token",
    )
    (project / "shop.yaml").write_text(spec)
    done = cli("validate", "shop.yaml")
    assert done.err == (
        "shop.yaml:7:33: auth.0.tokenUrl: must be https://\n"
        "    auth: [{type: oauth2, tokenUrl: http://login.example.com/token}]\n"
        "                                    ^\n"
    )


def test_json_lists_all_faults_of_all_files_for_machines(cli, project):
    (project / "a.yaml").write_text(BROKEN)
    (project / "b.yaml").write_text("kind: connector\nkind: connector\n")
    (project / "c.yaml").write_text(SHOP)
    done = cli("validate", "a.yaml", "b.yaml", "c.yaml", "--json")
    faults = json.loads(done.out)
    assert done.code == 1
    assert done.err == ""
    assert {tuple(fault) for fault in faults} == {("file", "path", "message", "line", "column")}
    assert {fault["file"] for fault in faults} == {"a.yaml", "b.yaml"}
    found = {(fault["path"], fault["line"]) for fault in faults if fault["file"] == "a.yaml"}
    assert {("defaults.pagination.type", 11), ("endpoints.0.di", 13)} <= found


def test_json_is_an_empty_list_where_all_is_well(cli, project):
    (project / "shop.yaml").write_text(SHOP)
    done = cli("validate", "shop.yaml", "--json")
    assert (done.code, json.loads(done.out)) == (0, [])


def test_a_folder_is_every_yaml_file_below_it_but_nothing_hidden(cli, project):
    for path in ("specs/a.yaml", "specs/deep/b.yml", "specs/.hidden.yaml", "specs/.git/c.yaml"):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        own = SHOP.replace("id: shop", f"id: {Path(path).stem[0]}")
        (project / path).write_text(own if "/." not in path else "{")
    (project / "specs" / "readme.md").write_text("no yaml")
    done = cli("validate", "specs")
    assert done.out == "specs/a.yaml: ok\nspecs/deep/b.yml: ok\n"


def test_connections_are_checked_as_connections(cli, project):
    (project / "mine.yaml").write_text(
        'kind: connection\nversion: "1.0"\nid: mine\nconnector: shop\nconfg: {a: 1}\n'
    )
    done = cli("validate", "mine.yaml")
    assert done.code == 1
    assert 'mine.yaml:5:1: confg: is not a known key; did you mean "config"?' in done.err


def test_a_connection_that_does_not_fit_its_connector_is_a_fault(cli, project):
    mine = 'kind: connection\nversion: "1.0"\nid: mine\nconnector: shop\nstreams: [items, ordres]\n'
    (project / "mine.yaml").write_text(mine)
    assert cli("validate", "mine.yaml").code == 0  # a connection alone, no connector in sight
    (project / "specs").mkdir()
    (project / "specs" / "shop.yaml").write_text(SHOP)
    done = cli("validate", "mine.yaml", "specs")
    assert done.code == 1
    assert "streams.ordres: is not a stream; use one of items, orders" in done.err
    assert "mine.yaml:5:" in done.err
    (project / "mine.yaml").write_text(mine.replace("connector: shop", "connector: shoop"))
    assert "mine.yaml:4:12: connector: " in cli("validate", "mine.yaml").err


def test_a_path_that_is_not_there_is_wrong_use(cli):
    done = cli("validate", "nowhere.yaml")
    assert (done.code, done.err) == (2, "nowhere.yaml: no such file or folder\n")


def test_a_folder_without_documents_is_never_green(cli, project):
    (project / "specs").mkdir()
    done = cli("validate", "specs")
    assert (done.code, done.err) == (2, "specs: no YAML file in it\n")


def test_no_bad_file_of_the_corpus_brings_it_down(cli):
    expected = json.loads((CORPUS.parent / "yaml_expected.json").read_text())["cases"]
    done = cli("validate", CORPUS, "--json")
    faulty = {Path(fault["file"]).name for fault in json.loads(done.out)}
    accepted = {Path(case["file"]).name for case in expected if case["expect"] == "accept"}
    assert len(faulty) > 70
    assert not accepted & faulty
    assert cli("validate", CORPUS).code == 1
