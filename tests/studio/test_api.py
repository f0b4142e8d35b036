"""The API over HTTP: documents looked at, previewed, compared and saved, by the project's own code."""

from __future__ import annotations

import json
import threading

import pytest

from connector_assets.authoring.answers import MAX_FAULTS
from connector_assets.catalogue import shelf
from tests.loopback import serving
from tests.shop import shop_spec

SECRET = "tok-5f1c9a/42"
SPEC = shop_spec("""
secrets: {token: {description: API token}}
auth: [{type: bearer, tokenRef: "{{secrets.token}}"}]
defaults:
  responseRowsPath: rows
  pagination: {type: cursor, cursorField: next, maxPages: 10}
endpoints: [{id: items, url: "ORIGIN/items"}]
read: {streams: [{name: items, primaryKey: [id]}]}
""")


def answer(request):
    if request.headers.get("authorization") != f"Bearer {SECRET}":
        return 401, {"error": f"who is {request.headers.get('authorization')}?"}
    page = int(request.query.get("cursor", 0))
    rows = [{"id": page * 3 + n, "echo": f"you sent {SECRET}", "n": 2**60} for n in range(3)]
    return {"rows": rows, "next": str(page + 1) if page < 3 else None, "token": SECRET}


@pytest.fixture
def api(studio):
    """A server that tells back what it was sent, and may be asked."""
    with serving(answer) as server:
        studio.environ["CONNECTOR_ASSETS_ALLOW_PRIVATE"] = server.host
        studio.environ["SHOP__TOKEN"] = SECRET
        yield server


@pytest.fixture
def spec(api):
    return SPEC.replace("ORIGIN", api.origin)


def test_faults_and_remarks_come_with_their_places(studio, spec):
    told = studio.ask("documents/validate", yaml=spec.replace("primaryKey", "primaryKye"))
    assert told["ok"] is False
    assert [(one["level"], one["line"], one["column"]) for one in told["findings"]] == [
        ("error", 12, 32)
    ]
    assert "did you mean" in told["findings"][0]["message"]
    told = studio.ask("documents/validate", yaml=spec)
    assert told["ok"]
    assert told["id"] == "shop"
    assert told["reads"] == ["SHOP__TOKEN"]
    assert told["missing"] == []
    assert [one["name"] for one in told["streams"]] == ["items"]
    assert told["streams"][0]["line"] == 12
    assert all(one["rule"] != "invalid" for one in told["findings"])


@pytest.mark.parametrize("text", ["", "- a\n", "kind: connector", "\x00", "a: &a [*a]", "é" * 9])
def test_anything_that_is_typed_is_answered(studio, text):
    told = studio.ask("documents/validate", yaml=text)
    assert told["ok"] is False
    assert 1 <= len(told["findings"]) <= MAX_FAULTS
    assert all(one["line"] >= 1 and one["column"] >= 1 for one in told["findings"])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{", "body: is no JSON"),
        ("[" * 100_000, "body: is no JSON"),
        ("[]", "arguments:"),
        ("{}", "yaml: is required"),
        ('{"yaml": 1}', "yaml: must be text"),
        ('{"yaml": "", "path": "/etc/passwd"}', "path: "),
    ],
    ids=["cut", "deep", "list", "empty", "number", "more"],
)
def test_a_body_of_another_form_is_refused_with_its_reason(studio, body, said):
    status, _, text = studio.send("POST", "/api/v1/documents/validate", body)
    told = json.loads(text)
    assert (status, told["ok"]) == (400, False)
    assert told["errors"][0].startswith(said)


def test_a_read_goes_on_page_by_page_to_its_end_and_asks_for_none_twice(studio, api, spec):
    page = studio.ask("previews", yaml=spec, stream="items")
    assert (page["ok"], page["page"], page["rowsSoFar"], page["done"]) == (True, 1, 3, False)
    pages = [page]
    while not pages[-1]["done"]:
        pages.append(studio.ask(f"previews/{page['preview']}/next"))
    assert [one["page"] for one in pages] == [1, 2, 3, 4]
    assert [row["id"] for one in pages for row in one["rows"]] == list(range(12))
    assert pages[-1]["isWhole"]
    assert pages[-1]["columns"][:2] == [
        {"name": "id", "type": "bigint", "isKey": "key"},
        {"name": "echo", "type": "text", "isKey": ""},
    ]
    assert page["rows"][0]["n"] == str(2**60)  # a browser would round the number
    assert len(api.seen) == 4
    told = studio.ask(f"previews/{page['preview']}/next")
    assert told == {"ok": False, "errors": ["this read is not open any more; begin it again"]}


def test_a_secret_is_in_no_answer_not_even_where_the_server_tells_it_back(studio, api, spec):
    (studio.folder / "specs" / "shop.yaml").write_text(spec)
    page = studio.ask("previews", yaml=spec)
    assert page["answers"][0]["status"] == 200
    assert "[secret:token]" in page["answers"][0]["text"]
    assert page["rows"][0]["echo"] == "you sent [secret:token]"
    calls = [
        page,
        studio.ask(f"previews/{page['preview']}/next"),
        studio.ask("documents/validate", yaml=spec),
        studio.ask("documents/plan", yaml=spec, probe=True),
        studio.ask("documents/diff", yaml=spec),
        studio.ask("specs/shop", "GET"),
        studio.ask("catalogue", "GET"),
        *(studio.send("GET", path)[2] for path in ("/", "/project/shop", "/builder?spec=shop")),
        studio.send("POST", "/project/shop", "action=check&stream=items")[2],
    ]
    assert "The connection works" in calls[-1]
    studio.environ["SHOP__TOKEN"] = wrong = "wrong-one/7b"
    calls += [studio.ask("previews", yaml=spec)]
    assert calls[-1]["ok"] is False
    assert "SHOP__TOKEN" in calls[-1]["errors"][0] or "token" in calls[-1]["errors"][0]
    for told in calls:
        text = told if isinstance(told, str) else json.dumps(told)
        assert SECRET not in text
        assert SECRET.replace("/", "\\/") not in text
        assert wrong not in text


def test_a_preview_is_guarded_as_any_request_is(studio, spec):
    refused = {
        "http://169.254.169.254": "which no connector may read",
        "http://localhost:1": "plain http would show credentials",
        "https://localhost": "a name for the inside of a network",
        "https://10.0.0.1": "the address 10.0.0.1 is private",
    }
    for origin, said in refused.items():
        text = SPEC.replace("ORIGIN", origin)
        told = studio.ask("previews", yaml=text)
        assert told["ok"] is False
        assert said in told["errors"][0]
    told = studio.ask("documents/import", url="http://169.254.169.254/latest/meta-data")
    assert told["ok"] is False
    told = studio.ask("documents/import", url="file:///etc/passwd")
    assert told["errors"] == ["url: is no http:// or https:// address; paste the text"]


def test_a_draft_cannot_take_the_values_of_a_connection_elsewhere(studio, api, spec):
    (studio.folder / "specs" / "shop.yaml").write_text(spec)
    (studio.folder / "connections").mkdir()
    (studio.folder / "connections" / "shop.yaml").write_text(
        'kind: connection\nversion: "1.0"\nid: shop\nconnector: shop\nstreams: [items]\n'
    )
    assert studio.ask("previews", yaml=spec)["ok"]
    more = spec.replace("items, primaryKey: [id]}", "items}, {name: others, endpoint: items}")
    assert studio.ask("previews", yaml=more, stream="others")["ok"]
    before = len(api.seen)
    with serving(answer) as other:
        studio.environ["CONNECTOR_ASSETS_ALLOW_PRIVATE"] += f",{other.host}"
        moved = SPEC.replace("ORIGIN", other.origin)
        told = studio.ask("previews", yaml=moved)
        assert f"would go to {other.origin} too" in told["errors"][0]
        assert other.seen == []
    assert len(api.seen) == before


def test_nor_those_of_a_connector_of_the_catalogue(studio, fish):
    studio.environ["FISH__KEY"] = "fish-key-17d2"
    own = FISH.replace("ORIGIN", fish.origin)
    assert studio.ask("previews", yaml=own)["ok"]
    with serving(lambda asked: []) as other:
        studio.environ["CONNECTOR_ASSETS_ALLOW_PRIVATE"] += f",{other.host}"
        moved = FISH.replace("ORIGIN", other.origin)
        for path, more in (("previews", {}), ("documents/save", {"seen": ""})):
            told = studio.ask(path, yaml=moved, **more)
            says = f'the values of "fish" of the catalogue would go to {other.origin} too'
            assert told["errors"] == [f"id: {says}; choose another id"]
        assert other.seen == []
    assert studio.ask("documents/save", yaml=own)["ok"]


def test_nor_where_the_studio_wrote_the_connector_itself(studio, api, spec):
    assert studio.ask("documents/save", yaml=spec)["ok"]
    (studio.folder / "connections").mkdir()
    (studio.folder / "connections" / "shop.yaml").write_text(
        'kind: connection\nversion: "1.0"\nid: shop\nconnector: shop\n'
    )
    told = studio.ask("previews", yaml=SPEC.replace("ORIGIN", "https://other.example"))
    assert "would go to https://other.example too" in told["errors"][0]


def test_the_simulator_answers_with_the_faults_that_were_planned(studio, spec):
    page = studio.ask("previews", yaml=spec, source="simulated", faults=["429@2", "drift@3"])
    assert page["page"] == 1
    pages = [page]
    while not pages[-1]["done"]:
        pages.append(studio.ask(f"previews/{page['preview']}/next"))
    assert pages[-1]["isWhole"], pages[-1]
    assert pages[-1]["faults"] == ["429", "drift"]
    requests = [one for told in pages for one in told["requests"]]
    assert len(requests) == len(pages) + 1  # one was refused, and asked for again
    told = studio.ask("previews", yaml=spec, source="simulated", faults=["no@1"])
    assert told["errors"][0].startswith('faults: "no" is no fault')


def test_reads_that_nobody_goes_on_with_are_closed(studio, spec):
    first = studio.ask("previews", yaml=spec)["preview"]
    for _ in range(8):
        last = studio.ask("previews", yaml=spec)["preview"]
    assert studio.ask(f"previews/{first}/next")["ok"] is False
    assert studio.ask(f"previews/{last}/next")["ok"]
    assert studio.ask(f"previews/{last}", "DELETE") == {"ok": True}
    assert studio.ask(f"previews/{last}/next")["ok"] is False


def test_two_tabs_ask_for_the_next_page_at_once_and_each_page_comes_once(studio, spec):
    name = studio.ask("previews", yaml=spec)["preview"]
    told = []
    tabs = [
        threading.Thread(target=lambda: told.append(studio.ask(f"previews/{name}/next")))
        for _ in range(2)
    ]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert sorted(one["page"] for one in told) == [2, 3]
    assert sorted(row["id"] for one in told for row in one["rows"]) == list(range(3, 9))


def test_saving_shows_the_difference_and_never_writes_over_another_tab(studio, spec):
    told = studio.ask("documents/diff", yaml=spec)
    assert told["isNew"]
    assert told["seen"] == ""
    assert all(one["kind"] in ("added", "gap") for one in told["lines"])
    saved = studio.ask("documents/save", yaml=spec, seen="")
    file = studio.folder / "specs" / "shop.yaml"
    assert saved["ok"]
    assert file.read_text() == spec
    opened = studio.ask("specs/shop", "GET")
    assert (opened["yaml"], opened["seen"]) == (spec, saved["seen"])
    changed = spec.replace("primaryKey: [id]", "primaryKey: [number]")
    told = studio.ask("documents/diff", yaml=changed)
    assert {"removed", "added"} <= {one["kind"] for one in told["lines"]}
    assert told["level"] == "warning"
    assert any("key" in one["says"] or one["path"] == "primaryKey" for one in told["changes"])
    assert studio.ask("documents/save", yaml=changed, seen=opened["seen"])["ok"]
    late = studio.ask("documents/save", yaml=spec, seen=opened["seen"])
    assert late["errors"] == [
        "shop: was changed since it was opened here; look at the difference first"
    ]
    assert file.read_text() == changed
    assert list(studio.folder.rglob("*.tmp")) == []


def test_a_broken_file_is_opened_mended_and_saved(studio, spec):
    file = studio.folder / "specs" / "shop.yaml"
    file.write_text(spec.replace("primaryKey", "primaryKye"))
    home = studio.send("GET", "/")[2]
    assert '<a href="/builder?spec=shop">shop.yaml</a>' in home
    assert "did you mean" in home
    opened = studio.ask("specs/shop", "GET")
    assert "primaryKye" in opened["yaml"]
    assert studio.ask("documents/save", yaml=spec, seen="")["ok"] is False
    assert studio.ask("documents/save", yaml=spec, seen=opened["seen"])["ok"]
    assert file.read_text() == spec


def test_what_is_not_valid_is_not_saved(studio, spec):
    told = studio.ask("documents/save", yaml=spec.replace("id: shop", "id: ../shop"))
    assert told["ok"] is False
    assert list((studio.folder / "specs").iterdir()) == []


def test_an_import_is_a_draft_with_its_credentials_taken_out(studio):
    command = (
        "curl 'https://api.example.com/v1/orders?limit=5' -H 'Authorization: Bearer abc-123-x'"
    )
    told = studio.ask("documents/import", text=command)
    assert (told["ok"], told["kind"]) == (True, "curl")
    assert "abc-123-x" not in json.dumps(told)
    assert told["secrets"][0]["variable"].endswith("__TOKEN")
    assert studio.ask("documents/validate", yaml=told["yaml"])["ok"]
    told = studio.ask("documents/import", text="what is this")
    assert told["errors"][0].startswith("import: its kind cannot be told; choose one of")
    told = studio.ask("documents/import", text=command, url="https://a.example")
    assert told["ok"] is False


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("  curl -s https://a.example/b", "curl"),
        ('{"openapi": "3.1.0", "paths": {}}', "openapi"),
        ("swagger: '2.0'\npaths: {}", "openapi"),
        ("version: 1\ntype: DeclarativeSource\n", "airbyte"),
        ('{"log": {"version": "1.2", "entries": []}}', "har"),
        ('{"info": {"schema": "https://schema.getpostman.com/json/x"}}', "postman"),
        ('{"client": {"base_url": "x"}, "resources": ["a"]}', "dlt"),
        ("name: x\nendpoints:\n  a: {}\n", "sling"),
    ],
)
def test_the_kind_of_a_document_is_told_by_its_looks(text, kind):
    from connector_assets.studio.imported import kind_of

    assert kind_of(text) == kind


def test_the_cost_is_what_plan_says(studio, api, spec):
    told = studio.ask("documents/plan", yaml=spec)
    assert told["streams"][0]["requests"] == 1
    assert told["isWhole"] is False
    assert api.seen == []


FISH = """kind: connector
version: "1.0"
id: fish
displayName: Fish <b>Market</b>
category: commerce
description: What is sold.
docsUrl: https://fish.example/docs
secrets: {key: {description: "Settings, API keys"}}
auth: [{type: bearer, tokenRef: "{{secrets.key}}"}]
endpoints: [{id: list, url: "ORIGIN/{{stream}}"}]
read:
  primary: list
  streams: [{name: fish, primaryKey: [id]}, {name: nets, primaryKey: [id]}]
"""


@pytest.fixture
def fish(studio, tmp_path, monkeypatch):
    """A catalogue of one connector, and its server."""
    with serving(lambda asked: [{"id": 1}]) as server:
        folder = tmp_path / "catalogue"
        folder.mkdir()
        (folder / "fish.yaml").write_text(FISH.replace("ORIGIN", server.origin))
        monkeypatch.setattr(shelf, "folder", lambda: folder)
        monkeypatch.setattr("connector_assets.catalogue.proofs.folder", lambda: folder)
        studio.environ["CONNECTOR_ASSETS_ALLOW_PRIVATE"] = server.host
        yield server


def test_a_connector_of_the_catalogue_is_named_checked_and_written(studio, fish):
    cards = studio.ask("catalogue?q=fish", "GET")["connectors"]
    assert [(one["place"], one["id"]) for one in cards] == [("catalogue", "fish")]
    drafted = studio.ask("connections/draft", connector="fish", streams=["nets"])
    assert drafted["secrets"] == [
        [
            {
                "variable": "FISH__KEY",
                "description": "Settings, API keys",
                "isSecret": True,
                "isSet": False,
            }
        ]
    ]
    assert drafted["missing"] == ["FISH__KEY"]
    assert "streams: [nets]" in drafted["yaml"]
    checked = studio.ask("connections/check", connector="fish", streams=["nets"])
    assert checked["ok"] is False
    assert "FISH__KEY" in checked["errors"][0]
    assert fish.seen == []
    studio.environ["FISH__KEY"] = "fish-key-17d2"
    assert studio.ask("connections/check", connector="fish", streams=["nets"])["ok"]
    assert [one.path for one in fish.seen] == ["/nets"]
    written = studio.ask("connections", connector="fish", streams=["nets"])
    file = studio.folder / "connections" / "fish.yaml"
    assert (written["ok"], written["path"]) == (True, str(file))
    assert file.read_text() == drafted["yaml"]
    again = studio.ask("connections", connector="fish")
    assert again["errors"] == [f"{file}: is there already; choose another id"]
    page = studio.send("GET", "/project/fish")[2]
    assert "All that is needed is set" in page
    assert "fish-key-17d2" not in page


@pytest.mark.parametrize(
    "own_id", ["../fish", "/tmp/fish", "fish\ndestination: duckdb:///x", "Fish", "a: b", "x" * 99]
)
def test_a_connection_has_a_plain_name_or_none(studio, fish, own_id):
    told = studio.ask("connections", connector="fish", id=own_id)
    assert told["ok"] is False
    assert not (studio.folder / "connections").exists()
    assert {one.name for one in studio.folder.iterdir()} == {"specs"}


def test_pages_say_text_of_others_as_text(studio, fish):
    (studio.folder / "specs" / "bad.yaml").write_text('id: "<script>alert(1)</script>"\n')
    home = studio.send("GET", "/")[2]
    assert "Fish &lt;b&gt;Market&lt;/b&gt;" in home
    assert "<script>alert" not in home
    page = studio.send("POST", "/catalogue/fish", "action=write&id=%3Cscript%3E&stream=fish")[2]
    assert "<script>" not in page.partition("</head>")[2]
    assert "could not" not in page
    assert 'role="alert"' in page
    found = studio.send("GET", "/?q=%22%3E%3Cimg%20src=x%3E")[2]
    assert "<img src=x>" not in found
    assert "None fits" in found


def test_the_editor_gets_a_document_letter_for_letter(studio, spec):
    odd = spec + "# \u200e</textarea><script>&amp; \u202e\n"
    (studio.folder / "specs" / "shop.yaml").write_text(odd)
    page = studio.send("GET", "/builder?spec=shop")[2]
    assert "# \u200e&lt;/textarea&gt;&lt;script&gt;&amp;amp; \u202e\n" in page
    assert studio.ask("specs/shop", "GET")["yaml"] == odd


def test_what_is_no_address_says_so_in_the_form_of_errors(studio):
    told = studio.ask("nothing", "GET")
    assert told["errors"][0].startswith("path: is no address of the studio's API")
    assert studio.send("GET", "/nothing")[0] == 404
    assert studio.send("PUT", "/")[0] == 405
