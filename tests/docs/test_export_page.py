"""The page on exports: its spec reads the answers that it shows."""

from __future__ import annotations

import json

from connector_assets import HttpRuntime, parse_connector
from tests.docs.pages import ROOT, blocks
from tests.loopback import serving
from tests.runtime.walk.test_export_job import Ticking

PAGE = ROOT / "docs/how-to/export-jobs.md"


def test_the_export_of_the_page_is_read() -> None:
    [spec] = blocks(PAGE, "yaml")
    [ready] = blocks(PAGE, "json")
    polled = iter([{"state": "running"}, json.loads(ready.text)])
    answers = {
        "/exports": lambda: {"id": "e1", "state": "queued"},
        "/exports/e1": lambda: next(polled),
        "/files/e1.csv": lambda: b"id,total\n1,9.50\n2,3\n",
    }
    with serving(lambda request: answers[request.path]()) as api:
        values = {"params": {"base_url": api.origin}, "secrets": {"token": "t-1234"}}
        with HttpRuntime((api.host,), clock=Ticking()) as runtime:
            rows = list(runtime.rows(parse_connector(spec.text), "orders", **values))
    assert [row["id"] for row in rows] == ["1", "2"]
