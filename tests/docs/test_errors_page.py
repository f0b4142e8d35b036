"""The page on errors: each answer in its table is judged as it says."""

from __future__ import annotations

import json
import re
from typing import get_args

import httpx
import pytest
import yaml

from connector_assets.runtime.answers.rules import meaning_of
from connector_assets.runtime.body.to_json import response_of
from connector_assets.runtime.http.exchange import Answer
from connector_assets.spec.endpoint import Endpoint, ErrorRule
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs/how-to/handle-errors.md"
ROW = re.compile(r"^\| (\d+) \| `(.*?)` \| `(.*?)` \| (\w+) \| (.*?) ?\|$", re.MULTILINE)
RULES, RATE = (yaml.safe_load(block.text) for block in blocks(PAGE, "yaml"))
ENDPOINT = Endpoint.model_validate({"id": "e", "url": "https://x.example", **RULES, **RATE})


@pytest.mark.parametrize(
    ("status", "headers", "body", "action", "said"), ROW.findall(PAGE.read_text())
)
def test_an_answer_means_what_the_page_says(status, headers, body, action, said):
    answer = Answer(
        int(status), httpx.Headers(json.loads(headers)), body.encode(), "https://x.example"
    )
    meaning = meaning_of(
        answer, ENDPOINT.errors, {}, response=lambda: response_of(answer, ENDPOINT)
    )
    assert (meaning.action, meaning.message) == (action, said)


def test_every_rule_and_every_action_has_a_line():
    actions = get_args(ErrorRule.model_fields["action"].annotation)
    assert all(f"| `{action}` |" in PAGE.read_text() for action in actions)
    shown = {row[3] for row in ROW.findall(PAGE.read_text())}
    assert {rule.action for rule in ENDPOINT.errors} <= shown


def test_the_default_retries_are_the_codes():
    retry = Endpoint.model_fields["retry"].default
    line = f"retry: {{maxAttempts: {retry.max_attempts}, maxDelaySeconds: {retry.max_delay_seconds:g}}}"
    assert f"`{line}` is the default" in PAGE.read_text()
