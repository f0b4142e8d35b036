"""Drafts of vendors' documents beside what a careful person wrote for the same lists."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from connector_assets.authoring.imports.importers import import_spec
from connector_assets.authoring.imports.source import open_source
from tests.authoring.imports.scored import Score, score

DOCUMENTS = Path(__file__).parent / "documents"
TRUTH = json.loads((DOCUMENTS / "truth.json").read_text("utf-8"))["documents"]


def drafted(document):
    return import_spec("openapi", open_source(str(DOCUMENTS / document["excerpt"])))


@pytest.fixture(scope="module")
def drafts():
    return {one["name"]: drafted(one) for one in TRUTH}


def test_every_list_is_right_or_asked_about(drafts):
    found = Score()
    for one in TRUTH:
        score(drafts[one["name"]], one, found)
    assert found.wrong == []
    assert found.right == {"pagination": 13, "rows": 13, "key": 13, "parent": 13}
    assert not found.asked


def test_what_is_no_list_is_none(drafts):
    for one in TRUTH:
        drafted_sources = {o.source for o in drafts[one["name"]].outcomes if o.state != "skipped"}
        assert not drafted_sources & {each.partition(" (")[0] for each in one["notLists"]}


@pytest.mark.parametrize("one", TRUTH, ids=lambda one: one["name"])
def test_server_and_auth_are_those_of_the_document(drafts, one):
    data = yaml.safe_load(drafts[one["name"]].text)
    assert data["defaults"]["baseUrl"] == one["baseUrl"]
    assert [auth["type"] for auth in data.get("auth", [])] == [auth["type"] for auth in one["auth"]]
    if not one["auth"]:
        assert "# TODO: the document declares no security scheme" in drafts[one["name"]].text


def test_every_guess_has_its_reason_and_every_question_stands_in_the_draft(drafts):
    for draft in drafts.values():
        told = draft.plain()
        for stream in told["streams"]:
            fields = {one["field"] for one in stream["remarks"]}
            assert {"pagination", "responseRowsPath", "primaryKey"} <= fields
        questions = [r for r in draft.remarks if r.kind == "question"]
        todos = [line for line in draft.text.splitlines() if "# TODO: " in line]
        assert questions
        for one in questions:
            assert any(one.says in line for line in todos), one
