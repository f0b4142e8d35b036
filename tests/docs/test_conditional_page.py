"""The page on lists that have not changed: what it says is asked and answered is so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.docs.pages import ROOT, blocks
from tests.docs.test_incremental_pages import project

PAGE = ROOT / "docs" / "how-to" / "unchanged-lists.md"


def test_a_list_is_loaded_or_unchanged_as_the_page_says(tmp_path: Path) -> None:
    given = yaml.safe_load(next(blocks(PAGE, "yaml")).text)
    said = [line.split() for line in next(blocks(PAGE, "text")).text.splitlines()]
    shop = project(tmp_path, given["endpoint"], given["stream"], lambda *_: None)
    version = 1
    told: list[list[str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked = request.headers.get("if-none-match")
        etag = f'"v{version}"'
        told.append(["If-None-Match", asked] if asked else ["nothing"])
        if asked == etag:
            told[-1].append("304")
            return httpx.Response(304)
        told[-1] += ["200", etag]
        rows: list[dict[str, Any]] = [{"id": n} for n in range(version + 1)]
        return httpx.Response(200, json={"rows": rows}, headers={"ETag": etag})

    shop.connection.connector.runtime._transport.handler = answer
    for line in said:
        version = int(line[line.index("200") + 1].strip('"v')) if "200" in line else version
        synced = shop.load("orders")
        rows = [str(synced.loaded.rows), "rows", "loaded"]
        told[-1] += ["unchanged"] if synced.unchanged else rows
    assert told == said
