"""The studio clicked through in a real Chromium: from the catalogue to a connection, from nothing to rows."""

from __future__ import annotations

import json

import duckdb
import pytest

from connector_assets.catalogue import shelf
from connector_assets.cli.app import run
from tests.loopback import serving
from tests.studio.chromium import PROGRAM, browsing
from tests.studio.test_api import FISH

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed"),
]
SPEC = """kind: connector
version: "1.0"
id: harbour
displayName: Harbour
secrets: {key: {description: The harbour master gives it}}
auth: [{type: bearer, tokenRef: "{{secrets.key}}"}]
endpoints:
  - id: boats
    url: "ORIGIN/boats"
    responseRowsPath: boats
    pagination: {type: page, pageSize: 20, stopOn: short, maxPages: 50}
read:
  streams:
    - {name: boats, primaryKey: [id]}
"""
KEY = "harbour-key-88c1"


# What is offered where "|" stands, as far as it is said here.
COMPLETED = {
    "|": ["kind", "version", "id"],
    "kind: |": ["connector"],
    "version: |": ['"1.0"'],
    "auth:\n  - type: |": ["none", "api_key", "basic"],
    "auth:\n- type: bearer\n  |": ["tokenRef"],
    "endpoints:\n  - {id: a, pagination: {type: |}}": ["none", "cursor", "next_url"],
    "endpoints:\n  - id: a\n    pagination:\n      type: offset\n      |": ["offsetParam"],
    "read:\n  streams: [{name: a, writeMode: |": ["append", "replace", "merge", "scd2"],
    "read:\n  streams:\n    - name: a\n      incremental:\n        |\n    - name: b": [
        "cursorField"
    ],
    "secrets: {key: {|": ["description"],
    "# kind: |": [],
    "endpoints:\n  - id: a\n    url: https://a.example/{{|": [],
}
_COMPLETES = """(async () => {
  const { completions } = await import("/static/completion.js");
  const { schema } = await (await fetch("/api/v1/schema")).json();
  window.completes = (marked) => {
    const [before, after] = marked.split("|");
    const row = before.split("\\n").length - 1;
    const column = before.split("\\n").at(-1).length;
    const found = completions(schema, (before + after).split("\\n"), row, column);
    return (found?.options ?? []).map((one) => one.label);
  };
})()"""


def boats(request):
    if request.headers.get("authorization") != f"Bearer {KEY}":
        return 401, {"error": "no"}
    page = int(request.query.get("page", 1))
    rows = [
        {"id": n, "name": f"boat {n}", "arrived": f"2026-11-{n % 28 + 1:02}T08:00:00Z"}
        for n in range((page - 1) * 20, min(page * 20, 50))
    ]
    return {"boats": rows}


def give(monkeypatch, studio, **more):
    studio.environ |= more
    for name, value in studio.environ.items():
        monkeypatch.setenv(name, value)


# Where one types over a selection, a browser gives the new text the looks of the old one by itself;
# the policy refuses that, and the editor shows the text as it shows any.
_BY_THE_BROWSER = "Applying inline style"


def none_left(browser, studio, allowed="422"):
    """No request went elsewhere, no script failed, and nothing was refused by the page's policy."""
    elsewhere = [
        one for one in browser.asked if not one.startswith((studio.origin, "data:", "about:"))
    ]
    assert elsewhere == []
    odd = [one for one in browser.said if "422" not in one and allowed not in one]
    assert odd == []


def test_from_the_catalogue_to_a_connection_that_loads(outside, tmp_path, monkeypatch):
    folder = tmp_path / "catalogue"
    folder.mkdir()
    with serving(lambda asked: [{"id": 1, "asked": asked.path}]) as server, browsing() as browser:
        (folder / "fish.yaml").write_text(FISH.replace("ORIGIN", server.origin))
        monkeypatch.setattr(shelf, "folder", lambda: folder)
        monkeypatch.setattr("connector_assets.catalogue.proofs.folder", lambda: folder)
        give(
            monkeypatch,
            outside,
            CONNECTOR_ASSETS_ALLOW_PRIVATE=server.host,
            FISH__KEY="fish-key-17d2",
        )
        browser.open(outside.link, loads=2)
        browser.wait_for("Is your API here?")
        assert browser.value("location.search") == ""
        browser.press("document.getElementById('q')")
        browser.type("market")
        browser.wait("document.getElementById('count').textContent === '1 connector'")
        browser.click("Fish <b>Market</b>", loads=True)
        browser.press("document.querySelector('input[type=checkbox][value=fish]')")
        browser.click("Show what to set", loads=True)
        browser.wait_for("FISH__KEY")
        assert "streams: [nets]" in browser.shown()
        browser.click("Check", loads=True)
        browser.wait_for("The connection works")
        assert [one.path for one in server.seen] == ["/nets"]
        browser.click("Write the connection", loads=True)
        browser.wait_for("is written")
        browser.click("Open it", loads=True)
        browser.wait_for("All that is needed is set")
        none_left(browser, outside)
        assert run(["load", "fish"]) == 0
    with duckdb.connect(outside.folder / "data.duckdb", read_only=True) as rows:
        assert rows.sql("from fish.nets select asked").fetchall() == [("/nets",)]


def test_from_an_empty_document_to_rows_and_a_file(outside, monkeypatch):
    with serving(boats) as server, browsing() as browser:
        give(monkeypatch, outside, CONNECTOR_ASSETS_ALLOW_PRIVATE=server.host, HARBOUR__KEY=KEY)
        browser.open(outside.link, loads=2)
        browser.wait_for("Is your API here?")
        browser.click("Builder", loads=True)
        browser.wait("document.querySelector('.cm-content')")
        browser.press("document.querySelector('.cm-content')")
        browser.key("a", 65, modifiers=2, commands=("selectAll",))
        browser.key("Delete", 46)
        browser.wait("document.querySelector('.cm-content').innerText.trim() === ''")
        browser.type("kind: connectro\n")
        browser.wait("document.getElementById('state').textContent.includes('fault')")
        browser.wait("document.querySelector('.cm-lintRange-error')")
        browser.key("a", 65, modifiers=2, commands=("selectAll",))
        browser.type(SPEC.replace("ORIGIN", server.origin))
        browser.wait("document.getElementById('name').textContent === 'harbour'")
        browser.wait("document.querySelector('#stream option[value=boats]')")

        browser.click("the simulator")
        browser.click("Load the first page")
        browser.wait_for("1 page, 20 rows; the list goes on")
        assert server.seen == []
        browser.click("the API")
        browser.click("Load the first page")
        browser.wait_for("boat 19")
        browser.click("To the end")
        browser.wait_for("3 pages, 50 rows; this is the whole list")
        assert [one.query["page"] for one in server.seen] == ["1", "2", "3"]
        assert browser.value("document.querySelectorAll('#rows tbody tr').length") == 50
        browser.click("Columns")
        shown = browser.value("document.getElementById('columns').innerText")
        assert "timestamp" in shown
        browser.click("Requests")
        assert f"GET {server.origin}/boats?page=1" in browser.shown()
        browser.click("Answer")
        browser.wait_for('"boat 40"')

        browser.click("Review and save")
        browser.wait_for("harbour is new.")
        browser.click("Save into the project")
        browser.wait_for("Saved as harbour.")
        assert KEY not in browser.value("document.documentElement.outerHTML")
        none_left(browser, outside, _BY_THE_BROWSER)
    file = outside.folder / "specs" / "harbour.yaml"
    assert file.read_text() == SPEC.replace("ORIGIN", server.origin)


_DOCS = """<h1>Mill</h1><h2>List sacks</h2>
<pre>curl https://api.mill.example/v1/sacks -H "Authorization: Bearer $TOKEN"</pre>
<pre>{"data": [{"id": 1}], "links": {"next": "https://api.mill.example/v1/sacks?page=2"}}</pre>"""


def test_documentation_becomes_the_document_beside_and_undo_brings_the_old_one_back(
    outside, monkeypatch
):
    with serving(lambda one: (200 if one.path == "/docs" else 404, _DOCS.encode())) as server:
        give(monkeypatch, outside, CONNECTOR_ASSETS_ALLOW_PRIVATE=server.host)
        with browsing() as browser:
            browser.open(outside.link, loads=2)
            browser.wait_for("Is your API here?")
            browser.click("Builder", loads=True)
            browser.wait("document.querySelector('.cm-content')")
            before = browser.value("document.querySelector('.cm-content').innerText")
            browser.value("document.getElementById('tab-draft').click()")
            browser.press("document.getElementById('docs')")
            browser.type(f"{server.origin}/docs")
            browser.click("Draft it")
            browser.wait("document.getElementById('draft-said').textContent === 'drafted'")
            browser.wait("document.getElementById('name').textContent === 'mill_example'")
            assert "by rules, without a model" in browser.shown()
            assert "trial: held" in browser.shown()
            assert "it sends to https://api.mill.example" in browser.shown()
            browser.value("document.querySelector('.cm-content').focus()")
            browser.key("z", 90, modifiers=2)
            browser.wait(
                f"document.querySelector('.cm-content').innerText === {json.dumps(before)}"
            )
            none_left(browser, outside, _BY_THE_BROWSER)
    assert list((outside.folder / "specs").iterdir()) == []


@pytest.mark.parametrize("width", [1280, 360])
def test_pages_fit_and_every_field_has_a_name(outside, width):
    with browsing(width) as browser:
        browser.open(outside.link, loads=2)
        browser.wait_for("Is your API here?")
        for path in ("/", "/catalogue/stripe", "/builder"):
            browser.open(f"{outside.origin}{path}")
            browser.wait("document.querySelector('h1')")
            extra = browser.value(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert extra == 0, path
            unnamed = browser.value(
                "[...document.querySelectorAll('input, select, textarea, button')].filter((one) =>"
                " !one.labels?.length && !one.ariaLabel && !one.textContent.trim() && !one.ariaHidden)"
                ".map((one) => one.outerHTML)"
            )
            assert unnamed == [], path
        none_left(browser, outside)


def test_tabs_obey_the_keyboard_and_completion_knows_the_schema(outside):
    with browsing() as browser:
        browser.open(outside.link, loads=2)
        browser.wait_for("Is your API here?")
        browser.open(f"{outside.origin}/builder")
        browser.wait("document.querySelector('.cm-content')")
        browser.value("document.getElementById('tab-preview').focus()")
        browser.key("ArrowRight", 39)
        assert browser.value("document.activeElement.id") == "tab-test"
        assert browser.value("document.getElementById('test').hidden") is False
        browser.press("document.querySelector('.cm-content')")
        browser.key("a", 65, modifiers=2, commands=("selectAll",))
        browser.type("kind: connector\nauth:\n  - type: be")
        browser.wait("document.querySelector('.cm-tooltip-autocomplete li')")
        shown = browser.value("document.querySelector('.cm-tooltip-autocomplete').innerText")
        assert json.dumps(shown).count("bearer") == 1
        browser.value(_COMPLETES)
        for text, first in COMPLETED.items():
            assert browser.value(f"completes({json.dumps(text)})")[: len(first)] == first, text
