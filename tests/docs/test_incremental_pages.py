"""The pages on incremental streams and on parents: what they say is asked is what is asked."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import yaml

from connector_assets.spec.stream.incremental import _FORMATS
from tests.docs.pages import ROOT, Block, blocks
from tests.timeline import Project

HOW_TO = ROOT / "docs" / "how-to"
INCREMENTAL, PARENTS = HOW_TO / "incremental.md", HOW_TO / "read-for-each-parent.md"


def pairs(page: Path) -> list[tuple[Block, Block]]:
    """Each spec with the requests it is said to make."""
    every = list(blocks(page))
    return [
        (one, then)
        for one, then in pairwise(every)
        if (one.language, then.language) == ("yaml", "text")
    ]


def rows_of(page: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in next(blocks(page, "json")).text.splitlines()]


def project(folder: Path, endpoint: dict[str, Any], stream: dict[str, Any], answer: Any) -> Project:
    origins = [f"https://{host}.example.com" for host in ("api", "eu", "us")]
    spec = {
        "kind": "connector",
        "version": "1.0",
        "id": "shop",
        "displayName": "Shop",
        "auth": [{"type": "none"}],
        "origins": origins,
        "defaults": {"responseRowsPath": "rows"},
        "endpoints": [
            {"id": "accounts", "url": "https://api.example.com/accounts"},
            {"id": "orders", **endpoint},
        ],
        "read": {"streams": [{"name": "accounts"}, {"name": "orders", **stream}]},
    }
    return Project(folder, json.dumps(spec), answer)


@pytest.mark.parametrize(("spec", "said"), pairs(INCREMENTAL), ids=str)
def test_each_run_asks_for_what_the_page_says(tmp_path: Path, spec: Block, said: Block) -> None:
    stream = yaml.safe_load(spec.text)
    params = stream["incremental"]

    def orders(_path: str, query: dict[str, str]) -> Any:
        visible = [r for r in rows_of(INCREMENTAL) if when(r["updated"]) <= shop.clock.now]
        since = query.get(params.get("startParam", ""), "")
        # The server reads every format; here the one text that tells before from after.
        found = [r for r in visible if since.isdigit() or r["updated"] >= since]
        return {
            "sync": f"{shop.clock.now:%Y-%m-%dT%H:%M:%SZ}",
            "rows": sorted(found, key=lambda r: r["updated"], reverse=bool(params.get("order"))),
        }

    shop = project(tmp_path, {"url": "https://api.example.com/orders"}, stream, orders)
    for time, lines in groupby(said.text.splitlines(), key=lambda line: line.split()[0]):
        shop.clock.now = when(time)
        shop.asked.clear()
        shop.load("orders")
        assert sorted(asked(shop)) == sorted(line.split()[1] for line in lines)
    assert shop.cursor("orders")


def asked(shop: Project) -> Iterator[str]:
    for one in shop.asked:
        query = {name: value for name, value in one.items() if name != "path"}
        yield urlencode(query, safe="[]:/") or "nothing"


def when(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


@pytest.mark.parametrize(("spec", "said"), pairs(PARENTS), ids=str)
def test_each_item_is_asked_for_as_the_page_says(tmp_path: Path, spec: Block, said: Block) -> None:
    given = yaml.safe_load(spec.text)
    made: list[str] = []

    def answer(path: str, query: dict[str, str]) -> Any:
        if path == "/accounts":
            return {"rows": rows_of(PARENTS)}
        made.append(f"{path}?{urlencode(query)}".rstrip("?"))
        return {"rows": [{"account": len(made), "id": 1, "updated": "2024-01-02"}]}

    shop = project(tmp_path, given["endpoint"], given["stream"], answer)
    shop.load("accounts")
    shop.load("orders")
    lines = [urlsplit(f"//{line}" if line[0] != "/" else line) for line in said.text.splitlines()]
    assert sorted(made) == sorted(f"{u.path}?{u.query}".rstrip("?") for u in lines)


def test_every_format_has_a_line() -> None:
    page = INCREMENTAL.read_text("utf-8")
    assert [form for form in _FORMATS if f"`{form}`" not in page] == []


def test_the_state_is_looked_at_as_the_page_says(tmp_path: Path) -> None:
    stream = yaml.safe_load(next(blocks(INCREMENTAL, "yaml")).text)
    shop = project(
        tmp_path,
        {"url": "https://api.example.com/orders"},
        stream,
        lambda *_: {"rows": rows_of(INCREMENTAL)},
    )
    shop.clock.now = when("2024-01-07T00:00:00Z")
    shop.load("orders")
    (row,) = shop.table(next(blocks(INCREMENTAL, "sql")).text)
    assert row[:2] == ("shop", "orders")
    assert f"`{json.dumps(json.loads(row[2]))}`" in INCREMENTAL.read_text("utf-8")
