"""`draft` at the command line: the text, the report, the file."""

from __future__ import annotations

import json

import pytest

from connector_assets.cli.app import run
from tests.authoring.drafts.documented import APIS

PAGE = str(APIS / "offset_key" / "index.html")


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_page_becomes_a_draft_with_its_report(capsys):
    assert run(["draft", "--text", PAGE, "--no-test"]) == 0
    told = capsys.readouterr()
    assert "limitParam: limit # the text " in told.out
    assert "question: it sends to https://harbor.example: is that the API?" in told.err
    assert "drafted by rules, without a model; 0 pages; trial: not run" in told.err


def test_json_has_the_answer_and_the_file_is_not_written_over(tmp_path, capsys):
    out = tmp_path / "harbor.yaml"
    assert run(["draft", "--text", PAGE, "--no-test", "-o", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["ok", "yaml", "provenance", "open_questions", "usage"]
    assert out.read_text() == told["yaml"]
    out.write_text("mine")
    assert run(["draft", "--text", PAGE, "--no-test", "-o", str(out)]) == 1
    assert out.read_text() == "mine"


def test_a_url_or_a_text_is_needed(capsys):
    assert run(["draft"]) == 1
    assert "give one of both: url or text" in capsys.readouterr().err
