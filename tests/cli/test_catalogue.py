"""`search`, `add`, and connectors of the catalogue where a connection or a command names one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from connector_assets.catalogue import proofs, shelf
from connector_assets.catalogue.entries import entries
from connector_assets.catalogue.shelf import file_of
from connector_assets.spec.document import load_connector
from connector_assets.spec.yaml.yaml_source import read_yaml
from connector_assets.spec.yaml.yaml_text import read_file
from tests.loopback import serving

SPEC = """kind: connector
version: "1.0"
id: {id}
displayName: Fish Market
category: commerce
description: What is sold.
docsUrl: https://fish.example/docs
{more}config: {{base: {{description: Where your market is, example: "https://cod.example"}}}}
secrets: {{key: {{description: "Settings, API keys"}}, user: {{}}, password: {{}}}}
auth:
  - {{type: bearer, tokenRef: "{{{{secrets.key}}}}"}}
  - {{type: basic, usernameRef: "{{{{secrets.user}}}}", passwordRef: "{{{{secrets.password}}}}"}}
endpoints: [{{id: list, url: "{{{{base}}}}/{{{{stream}}}}"}}]
read:
  primary: list
  streams: [{{name: fish, primaryKey: [id]}}, {{name: nets, primaryKey: [{key}]}}]
"""


@pytest.fixture
def shipped(tmp_path_factory, monkeypatch):
    """A catalogue of one connector, in two releases."""
    folder = tmp_path_factory.mktemp("catalogue")
    (folder / "previous").mkdir()
    newest = "release: 2\nchanges: [{release: 2, says: nets have numbers}]\n"
    (folder / "fish.yaml").write_text(SPEC.format(id="fish", more=newest, key="number"))
    (folder / "previous" / "fish@1.yaml").write_text(SPEC.format(id="fish", more="", key="id"))
    monkeypatch.setattr(shelf, "folder", lambda: folder)
    return folder


@pytest.fixture
def market(monkeypatch):
    with serving(lambda asked: [{"id": 1, "number": 7, "at": asked.path}]) as server:
        monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", server.host)
        monkeypatch.setenv("FISH__BASE", server.origin)
        monkeypatch.setenv("FISH__KEY", "fish-key-17d2")
        yield server


def test_add_writes_a_connection_that_loads(cli, shipped, project, market):
    done = cli("add", "fish")
    assert (done.code, done.out) == (0, "connections/fish.yaml: written\n")
    written = (project / "connections" / "fish.yaml").read_text()
    assert "connector: fish@2\n" in written
    head, secrets = (
        "# https://fish.example/docs\n# Set before the first load:\n",
        (
            "#   FISH__KEY: Settings, API keys\n"
            "# Or, in their place, set:\n#   FISH__PASSWORD\n#   FISH__USER\n"
        ),
    )
    config = "#   FISH__BASE: Where your market is, as https://cod.example\n"
    assert head + secrets in written
    assert config in written
    assert "FISH__KEY: Settings, API keys" in done.err
    assert cli("validate", "connections").code == 0
    assert cli("load", "fish").code == 0
    assert "/nets" in cli("query", 'select "at" from fish.nets').out
    again = cli("add", "fish")
    assert (again.code, written) == (2, (project / "connections" / "fish.yaml").read_text())
    assert "--replace" in again.err
    assert cli("add", "fish", "--id", "second", "--stream", "fish", "--json").code == 0
    listed = json.loads(cli("list", "--json").out)
    assert {one["id"]: one["streams"] for one in listed} == {
        "fish": ["fish", "nets"],
        "second": ["fish"],
    }


def test_a_connection_stays_with_the_release_it_names(cli, shipped, project, market):
    assert cli("add", "fish@1").code == 0
    (listed,) = json.loads(cli("list", "--json").out)
    assert listed["newer"] == "fish@2"
    told = cli("diff", "fish@1", "fish", "--level", "warning")
    assert told.code == 1
    assert "nets.primaryKey (id → number)" in told.out
    assert "rows may be others: nets;" in told.out
    absent = cli("add", "fish@3")
    assert absent.code == 1
    assert "has no release 3 in this build; the newest is fish@2" in absent.err


def test_the_projects_own_file_goes_first_and_a_broken_one_is_not_stood_in_for(
    cli, shipped, project, market
):
    assert cli("add", "fish", "--id", "mine").code == 0
    connection = project / "connections" / "mine.yaml"
    connection.write_text(connection.read_text().replace("fish@2", "fish"))
    (project / "specs").mkdir()
    own = project / "specs" / "fish.yaml"
    own.write_text(SPEC.format(id="fish", more="", key="id").replace("name: nets", "name: boats"))
    assert json.loads(cli("list", "--json").out)[0]["streams"] == ["fish", "boats"]
    own.write_text("kind: connector\nid: fish\n")
    assert '"fish" is not a connector' in cli("list").err
    assert cli("read", "fish", "fish").code != 0
    own.write_text(SPEC.format(id="fish", more="", key="id"))
    (project / "specs" / "other.yaml").write_text(SPEC.format(id="fish", more="", key="id"))
    assert "is the id of" in cli("list").err


def test_commands_take_its_names(cli, shipped, market):
    read = cli("read", "fish", "nets", "--format", "jsonl")
    assert json.loads(read.out) == {"id": 1, "number": 7, "at": "/nets"}
    assert cli("check", "fish").code == 0


def test_search_finds_what_all_words_fit(cli, shipped):
    assert cli("search", "FISH", "commerce").out == (
        "fish  Fish Market  (commerce, 2 streams)\n  What is sold.\n"
    )
    assert cli("search", "nets", "--json").out == cli("list", "--catalogue", "--json").out
    none = cli("search", "fish", "crm")
    assert (none.code, none.out) == (1, "")
    assert "no connector of the catalogue has fish and crm" in none.err


@pytest.mark.parametrize(
    "name", ["../fish", "fish/../fish", "FISH", "fish@", "fish@01", "fi sh", ""]
)
def test_no_name_leads_out_of_the_catalogue(cli, shipped, name):
    (shipped.parent / "fish.yaml").write_text("secret: 1")
    assert shelf.file_of(name) is None
    done = cli("add", name)
    assert done.code == 1
    assert "is no connector of the catalogue" in done.err


def test_an_id_that_is_none_and_a_stream_that_is_none_write_nothing(cli, shipped, project):
    assert cli("add", "fish", "--id", "../out").code != 0
    assert "is no stream of fish; use fish, nets" in cli("add", "fish", "--stream", "boats").err
    assert not (project / "connections").exists()


def test_a_look_at_the_catalogue_validates_nothing_and_loading_reads_one(project):
    code = (
        "import sys; from connector_assets.catalogue.entries import entries; list(entries());"
        "print([name for name in sys.modules if name.split('.')[0] in ('pydantic', 'dagster')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("entry", list(entries()), ids=lambda entry: entry.id)
def test_every_entry_is_what_its_spec_says(entry):
    spec = load_connector(entry.path)
    assert entry.path == Path(shelf.folder()) / f"{spec.id}.yaml"
    assert (entry.id, entry.display_name, entry.release) == (
        spec.id,
        spec.display_name,
        spec.release,
    )
    assert list(entry.streams) == [one.name for one in spec.streams]
    assert entry.docs_url
    assert entry.description
    assert entry.category != "other"


def test_no_proof_is_older_than_its_spec():
    stale = {
        name
        for name, found in proofs.written().items()
        for how in ("simulated", "compared", "server")
        if any(one["how"] == how for one in found)
        and not proofs.holding(read_yaml(read_file(file_of(name))).data, found, (how,))
    }
    assert not stale
