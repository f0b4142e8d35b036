"""The page of unusual paginations: its requests are those that its answers lead to."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import yaml

from connector_assets import HttpRuntime, parse_connector
from tests.docs.pages import ROOT, Block, blocks

PAGE = ROOT / "docs" / "how-to" / "pagination-examples.md"
EVERY = list(blocks(PAGE))
EXAMPLES = [(EVERY[n], EVERY[n + 1], EVERY[n + 2]) for n in range(0, len(EVERY), 3)]


def shown(request: httpx.Request) -> str:
    line = f"{request.method} {request.url.raw_path.decode()}"
    if not request.content:
        return line
    body = json.loads(request.content)
    if "query" in body and "variables" in body:
        return f"{line} variables={json.dumps(body['variables'], separators=(',', ':'))}"
    return f"{line} {json.dumps(body, separators=(',', ':'))}"


@pytest.mark.parametrize(("endpoint", "answers", "requests"), EXAMPLES, ids=str)
def test_the_requests_are_those_of_the_page(
    endpoint: Block, answers: Block, requests: Block
) -> None:
    assert (endpoint.language, answers.language, requests.language) == ("yaml", "json", "text")
    made: list[str] = []
    given = iter(json.loads(line) for line in answers.text.splitlines())

    def answer(request: httpx.Request) -> httpx.Response:
        made.append(shown(request))
        told: Any = next(given)
        return httpx.Response(told) if isinstance(told, int) else httpx.Response(200, json=told)

    spec = {
        "kind": "connector",
        "version": "1.0",
        "id": "shop",
        "displayName": "Shop",
        "auth": [{"type": "none"}],
        "endpoints": [{"id": "items", **yaml.safe_load(endpoint.text)}],
        "read": {"primary": "items"},
    }
    runtime = HttpRuntime(
        resolver=lambda _: ["93.184.216.34"], transport=httpx.MockTransport(answer)
    )
    with runtime:
        rows = list(runtime.execute_endpoint(parse_connector(json.dumps(spec)), "items").rows)
    assert made == requests.text.splitlines()
    assert rows
    assert list(given) == []
