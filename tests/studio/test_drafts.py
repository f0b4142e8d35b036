"""Drafts over HTTP: the answer has five keys, progress comes in lines, nothing is written."""

from __future__ import annotations

import json

from tests.loopback import serving

PAGE = """<h1>Mill</h1><h2>List sacks</h2>
<pre>curl https://api.mill.example/v1/sacks -H "Authorization: Bearer $TOKEN"</pre>
<pre>{"data": [{"id": 1}], "links": {"next": "https://api.mill.example/v1/sacks?page=2"}}</pre>"""
PATH = "ai/generate-yaml-connector"


def test_a_text_gives_a_draft_and_nothing_is_written(studio):
    told = studio.ask(PATH, text=PAGE, wish="sacks")
    assert list(told) == ["ok", "yaml", "provenance", "open_questions", "usage"]
    assert "url: /v1/sacks" in told["yaml"]
    assert told["usage"]["trial"] == "held"
    assert list((studio.folder / "specs").iterdir()) == []


def test_progress_comes_in_lines_and_the_answer_last(studio):
    with serving(
        lambda request: (200 if request.path == "/docs" else 404, PAGE.encode())
    ) as server:
        studio.environ["CONNECTOR_ASSETS_ALLOW_PRIVATE"] = server.host
        body = json.dumps({"url": f"{server.origin}/docs"})
        accept = "application/x-ndjson"
        status, headers, text = studio.send("POST", f"/api/v1/{PATH}", body, Accept=accept)
    lines = [json.loads(line) for line in text.splitlines()]
    assert (status, headers["Content-Type"]) == (200, "application/x-ndjson")
    assert lines[0] == {"progress": f"reading {server.origin}/docs"}
    assert lines[-1]["ok"] is True
    assert lines[-1]["provenance"][0]["url"] == f"{server.origin}/docs"


def test_what_cannot_be_drafted_is_told_with_errors_alone(studio):
    for body in ({}, {"url": "http://127.0.0.1:1/docs"}, {"text": "no list here"}):
        told = studio.ask(PATH, **body)
        assert list(told) == ["ok", "errors"]
        assert told["ok"] is False
    assert studio.ask(PATH, url="x", token="y")["ok"] is False


def test_nobody_drafts_without_the_cookie(studio):
    status, _, _ = studio.send("POST", f"/api/v1/{PATH}", json.dumps({"text": PAGE}), Cookie=None)
    assert status in (401, 403)
