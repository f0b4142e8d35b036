"""Prefect's server: lists are asked for by POST, with an offset or a page number in the body."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.third_party.environments import python_environment
from tests.third_party.process import Listing, Server, answering, free_port

ROWS = {"flow_runs": 1_111, "flow_runs_by_page": 1_111}
STYLES = {
    "flow_runs": "POST, `offset` and `limit` in a JSON body",
    "flow_runs_by_page": "POST, page number in a JSON body, number of pages in the answer",
}
LISTINGS = (Listing("prefect", "prefect", "basic", ROWS, STYLES),)
PASSWORD = "tp-0b77-prefect"


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    port, tool = free_port(), python_environment("prefect") / "prefect"
    url = f"http://127.0.0.1:{port}/api"
    env = {
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_API_AUTH_STRING": f"admin:{PASSWORD}",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    command = [tool, "server", "start", "--no-services", "--host", "127.0.0.1", "--port", str(port)]
    with answering(command, f"{url}/health", folder, env):
        with _client(url) as api:
            _fill(api)
        yield Server(url, lambda _: _count(url), {"USER": "admin", "PASSWORD": PASSWORD})


def _client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, auth=("admin", PASSWORD), timeout=60)


def _fill(api: httpx.Client) -> None:
    flow = api.post("/flows/", json={"name": "tests"}).raise_for_status().json()["id"]

    # One by one: its SQLite answers 503 to two writers.
    for number in range(ROWS["flow_runs"]):
        body = {"flow_id": flow, "name": f"run {number}", "tags": [f"t{number % 3}"]}
        api.post("/flow_runs/", json=body).raise_for_status()


def _count(url: str) -> int:
    with _client(url) as api:
        return int(api.post("/flow_runs/count", json={}).raise_for_status().json())
