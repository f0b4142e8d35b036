"""The page of examples: each is read from a server on loopback, which answers as the page says."""

from __future__ import annotations

import json
import re
import threading

import pytest
import yaml

from connector_assets.project.connection import Connection
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import parse_connector
from tests.docs.pages import ROOT, blocks
from tests.loopback import Seen, serving
from tests.timeline import Now

PAGE = ROOT / "docs" / "reference" / "examples.md"
EVERY = list(blocks(PAGE))
PARTS = ("yaml", "json", "text", "jsonl")
EXAMPLES = [EVERY[n : n + 4] for n in range(0, len(EVERY), 4)]
TITLES = re.findall(r"^## (.+)$", PAGE.read_text("utf-8"), re.MULTILINE)
# What every request says, and what the length of its body says already.
_USUAL = {
    "host",
    "accept",
    "accept-encoding",
    "user-agent",
    "content-length",
    "content-type",
    "connection",
}
_ANSWER = re.compile(r"(?:(\d{3}) (\{.*?\}) )?(.*)")


def shown(seen: Seen) -> str:
    """A request as the page writes it: its line, its own headers, its body."""
    own = [f"{name}={value}" for name, value in sorted(seen.headers.items()) if name not in _USUAL]
    return " ".join(filter(None, [f"{seen.method} {seen.target}", *own, seen.body.decode()]))


def told(line: str, origin: str):
    """A line of answers: a body, which may have a status and headers before it."""
    status, headers, body = _ANSWER.fullmatch(line.replace("ORIGIN", origin)).groups()
    body = body.replace("\\n", "\n").encode() if body[:1] not in "[{" else json.loads(body)
    return (int(status or 200), body, json.loads(headers or "{}"))


def document(text: str, origin: str) -> str:
    """The page's piece of a connector, with the rest of one."""
    piece = yaml.safe_load(text.replace("ORIGIN", origin))
    piece.setdefault("auth", [{"type": "none"}])
    piece.setdefault("read", {"primary": "items"})
    defaults = {"baseUrl": origin, "rateLimit": {"concurrency": 1}, **piece.pop("defaults", {})}
    head = {"kind": "connector", "version": "1.0", "id": "shop", "displayName": "Shop"}
    return json.dumps({**head, "defaults": defaults, **piece})


@pytest.mark.parametrize("parts", EXAMPLES, ids=TITLES)
def test_an_example_makes_the_requests_and_the_rows_of_the_page(parts) -> None:
    assert tuple(part.language for part in parts) == PARTS
    piece, answers, requests, rows = (part.text for part in parts)
    lines, lock = iter(answers.splitlines()), threading.Lock()

    def answer(_seen: Seen):
        with lock:
            return told(next(lines), api.origin)

    with serving(answer) as api, HttpRuntime([api.host], clock=Now()) as runtime:
        spec = parse_connector(document(piece, api.origin))
        environ = {f"SHOP__{name.upper()}": f"7:{name}" for name in spec.secrets}
        connection = Connection(spec.id, YamlConnector(spec, runtime), environ=environ)
        found = []
        for batch in connection.connector.read(
            connection.open(spec.streams[-1].name, preview=True)
        ):
            found += [json.loads(line) for line in batch.rows.splitlines()]
    assert [shown(seen).replace(api.origin, "ORIGIN") for seen in api.seen] == requests.splitlines()
    assert found == [json.loads(line) for line in rows.splitlines()]
    assert list(lines) == []


def test_every_example_has_its_four_parts() -> None:
    assert len(TITLES) == len(EXAMPLES)
