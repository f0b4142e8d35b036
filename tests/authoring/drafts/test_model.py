"""The model's part, with scripted answers: what our code does with them, not how good a model is."""

from __future__ import annotations

import json
from itertools import chain, repeat

import pytest
from pydantic_ai.messages import ModelResponse, ToolCallPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.usage import RequestUsage

from connector_assets.authoring.drafts.bounds import Bounds, Spent
from connector_assets.errors import Cancelled, ConfigError
from tests.authoring.drafts.documented import drafted, url_of
from tests.loopback import serving

GOOD = """
kind: connector
version: "1.0"
id: harbor_example
displayName: Harbor
secrets: {xApiKey: {description: The key}}
auth: [{type: api_key, name: X-Api-Key, valueRef: "{{secrets.xApiKey}}"}]
defaults: {baseUrl: "https://harbor.example"}
endpoints:
  - id: ships
    url: /api/ships
    responseRowsPath: results
    pagination: {type: offset, offsetParam: offset, limitParam: limit, pageSize: 200,
      totalField: total, maxPages: unlimited}
read: {streams: [{name: ships, primaryKey: [imo]}]}
"""
URL = url_of("offset_key")
KEY = {
    "path": "read.streams.0.primaryKey",
    "url": URL,
    "sentence": '"imo": 9074729,',
}


def scripted(*texts, evidence=(KEY,), questions=()):
    """A model that gives these answers in turn, and the prompts it got."""
    left = chain(texts, repeat(texts[-1]))
    prompts = []

    def answer(messages, info):
        prompts.append(str(messages[-1].parts))
        body = {"yaml": next(left), "evidence": list(evidence), "questions": list(questions)}
        part = ToolCallPart(info.output_tools[0].name, body)
        return ModelResponse([part], usage=RequestUsage(input_tokens=900, output_tokens=100))

    return FunctionModel(answer), prompts


def test_a_draft_of_a_model_has_its_evidence_looked_up():
    model, _ = scripted(GOOD, questions=["Is there a rate limit?"])
    told = drafted("offset_key", model=model)
    rows = {one["path"]: one for one in told["provenance"]}
    assert rows["read.streams.0.primaryKey"]["sentence"] == '"imo": 9074729,'
    assert "Is there a rate limit?" in told["open_questions"]
    assert told["usage"]["rounds"] == 1
    assert told["usage"]["inputTokens"] + told["usage"]["outputTokens"] == 1_000


@pytest.mark.parametrize(
    "claim",
    [
        {**KEY, "sentence": "The field hull identifies a ship."},
        {**KEY, "url": "https://evil.example/"},
        {**KEY, "sentence": "Rows to skip, from 0."},
    ],
)
def test_a_sentence_that_is_not_on_the_page_or_says_something_else_is_no_evidence(claim):
    text = GOOD.replace("[imo]", "[hull]")
    told = drafted("offset_key", model=scripted(text, evidence=[claim])[0])
    line = next(one for one in told["yaml"].splitlines() if "primaryKey" in one)
    assert "UNSOURCED" in line
    assert "ships.primaryKey: no source says it; is it right?" in told["open_questions"]


def test_faults_go_back_to_the_model():
    model, prompts = scripted(GOOD.replace("limitParam", "limitParm"), GOOD)
    told = drafted("offset_key", model=model)
    assert told["usage"]["rounds"] == 2
    assert "limitParm" in prompts[1]


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("https://harbor.example", "https://evil.example", "no example of the pages sends"),
        ("url: /api/ships", "url: https://evil.example/api/ships", "no example of the pages"),
        ("https://harbor.example", "https://{{host}}", "not known|no example of the pages"),
        ("url: /api/ships", 'url: "/api/ships?x={{secrets.awsSecretAccessKey}}"', "secrets"),
        (
            "url: /api/ships",
            'url: /api/ships\n    params: {to: "{{secrets.databasePassword}}"}',
            "secrets",
        ),
        ("{xApiKey: {", "{other: {description: x}, xApiKey: {", "no example is signed with it"),
        ("auth: [", 'auth: [{type: bearer, tokenRef: "{{secrets.githubToken}}"}, ', "secrets"),
        ("id: harbor_example", "id: stripe", "id: must stay harbor_example"),
        ("defaults:", 'network: {proxy: "http://evil.example"}\ndefaults:', "network"),
        ("defaults:", "origins: [https://evil.example]\ndefaults:", "evil.example|origins"),
    ],
)
def test_a_model_that_obeys_a_page_is_stopped(before, after, why):
    assert before in GOOD
    model, prompts = scripted(GOOD.replace(before, after))
    with pytest.raises(ConfigError, match="no draft"):
        drafted("offset_key", model=model, spent=Spent(Bounds(rounds=2)))
    assert any(word in prompts[1] for word in why.split("|"))


def test_tokens_and_rounds_are_bounded():
    model, prompts = scripted(GOOD.replace("limitParam", "limitParm"))
    spent = Spent(Bounds(rounds=10, tokens=2_500))
    with pytest.raises(ConfigError, match="within 2,500 tokens"):
        drafted("offset_key", model=model, spent=spent)
    assert len(prompts) == 3
    assert spent.plain()["inputTokens"] > 0


def test_a_model_is_cancelled_between_its_rounds():
    spent = Spent()
    spent.told = lambda text: spent.cancel.set() if "round 1" in text else None
    model, prompts = scripted(GOOD.replace("limitParam", "limitParm"))
    with pytest.raises(Cancelled):
        drafted("offset_key", model=model, spent=spent)
    assert len(prompts) <= 2


def test_a_server_that_speaks_as_openai_does_drafts(monkeypatch):
    """On the user's own machine: base URL and key by environment, as a person sets them."""
    asked = []

    def answer(request):
        asked.append((request.path, request.headers.get("authorization")))
        arguments = json.dumps({"yaml": GOOD, "evidence": [KEY], "questions": []})
        call = {"name": "final_result", "arguments": arguments}
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": call}],
        }
        choice = {"index": 0, "finish_reason": "tool_calls", "message": message}
        usage = {"prompt_tokens": 500, "completion_tokens": 50, "total_tokens": 550}
        body = {"id": "x", "object": "chat.completion", "created": 1, "model": "tiny"}
        return 200, body | {"choices": [choice], "usage": usage}

    with serving(answer) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.origin}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-tests")
        told = drafted("offset_key", model="openai-chat:tiny")
    assert asked == [("/v1/chat/completions", "Bearer key-of-the-tests")]
    assert told["usage"]["model"] == "tiny"
    assert told["usage"]["inputTokens"] == 500
    assert "key-of-the-tests" not in str(told)


def test_a_model_that_is_not_there_is_an_error():
    with pytest.raises(ConfigError, match="cannot be used"):
        drafted("offset_key", model="nobody:nothing")
