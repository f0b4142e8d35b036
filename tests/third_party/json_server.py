"""json-server: numbered pages or a Link header, and a total in a header."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.third_party.environments import npm_environment
from tests.third_party.process import Listing, Server, answering, free_port

ROWS = {"posts": 3_210, "posts_by_link": 3_210, "authors": 40, "posts_of_authors": 3_210}
STYLES = {
    "posts": "page number, total in a header",
    "posts_by_link": "`Link` header",
    "authors": "one answer",
    "posts_of_authors": "once for each author, a short page is the last",
}
LISTINGS = (Listing("json_server", "json-server", "none", ROWS, STYLES),)


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    tool, port = npm_environment() / "json-server", free_port()
    (folder / "data.json").write_text(json.dumps(_data()))
    url = f"http://127.0.0.1:{port}"
    quiet = ("--quiet", "--host", "127.0.0.1", "--port", str(port))
    with answering([tool, *quiet, folder / "data.json"], url, folder):
        yield Server(url, lambda stream: _count(url, stream))


def _data() -> dict[str, list[dict[str, object]]]:
    authors = ROWS["authors"]
    return {
        "authors": [{"id": n, "name": f"Author {n}"} for n in range(1, authors + 1)],
        "posts": [
            {"id": n, "authorId": n % authors + 1, "title": f"Post {n}", "tags": ["a", "b"]}
            for n in range(1, ROWS["posts"] + 1)
        ],
    }


def _count(url: str, stream: str) -> int:
    resource = "authors" if stream == "authors" else "posts"
    return int(httpx.head(f"{url}/{resource}?_page=1").headers["X-Total-Count"])
