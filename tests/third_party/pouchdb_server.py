"""PouchDB Server, which speaks CouchDB's protocol: skip and limit, or the next key as a cursor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.third_party.environments import npm_environment
from tests.third_party.process import Listing, Server, answering, free_port

ROWS = {"documents": 2_600, "documents_by_key": 2_600, "changes": 2_600}
STYLES = {
    "documents": "`skip` and `limit`, total in the body",
    "documents_by_key": "POST, the last row's key as a cursor in a JSON body",
    "changes": "`since`, the last row's `seq` as a cursor; a short page is the last",
}
LISTINGS = (Listing("pouchdb_server", "pouchdb-server", "none", ROWS, STYLES),)


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    tool, port = npm_environment() / "pouchdb-server", free_port()
    url = f"http://127.0.0.1:{port}"
    command = [tool, "--in-memory", "--no-stdout-logs", "--host", "127.0.0.1", "--port", str(port)]
    with answering(command, url, folder):
        httpx.put(f"{url}/things").raise_for_status()
        documents = [{"_id": f"d{n:05}", "n": n, "even": n % 2 == 0} for n in range(2_600)]
        filled = httpx.post(f"{url}/things/_bulk_docs", json={"docs": documents}, timeout=60)
        filled.raise_for_status()
        yield Server(url, lambda _: _count(url))


def _count(url: str) -> int:
    return int(httpx.get(f"{url}/things").raise_for_status().json()["doc_count"])
