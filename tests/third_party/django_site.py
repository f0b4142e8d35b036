"""One Django site with the list APIs of four packages: each has its own way to go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.third_party.environments import HERE, python_environment
from tests.third_party.process import Listing, Server, answering, free_port

# Users fill the last page of `numbered`, so that the page after it, a 404, is asked for.
USERS, PAGES = 2_250, 410
LISTINGS = (
    Listing(
        "drf",
        "djangorestframework",
        "token, with a prefix of its own",
        {"numbered": USERS, "limited": USERS, "cursors": USERS},
        {
            "numbered": "page number, 404 past the end; `page_size` capped at 150 in silence",
            "limited": "`limit` and `offset`, total in the body; capped at 120 in silence",
            "cursors": "URL in the body with an opaque cursor, no total",
        },
    ),
    Listing(
        "graphene",
        "graphene-django",
        "none",
        {"users": USERS},
        {"users": "GraphQL, Relay connection, cursor in the variables"},
    ),
    Listing(
        "tastypie",
        "django-tastypie",
        "user and key in one header",
        {"users": USERS},
        {"users": "path in the body, at `meta.next`; `limit` capped at 140 in silence"},
    ),
    Listing(
        "wagtail",
        "wagtail",
        "none",
        {"pages": PAGES},
        {"pages": "`limit` and `offset`, total in the body; a limit above 20 is refused"},
    ),
)
TOKEN = "tp40e6c2a7djangosite"


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    port, tools = free_port(), python_environment("django")
    url = f"http://127.0.0.1:{port}"
    script = HERE / "sites" / "django_site.py"
    numbers = [str(port), str(USERS), str(PAGES)]
    with answering([tools / "python", script, *numbers, TOKEN], url, folder):
        yield Server(url, lambda stream: _count(url, stream), {"USER": "user0000", "TOKEN": TOKEN})


def _count(url: str, stream: str) -> int:
    if stream == "pages":
        answer = httpx.get(f"{url}/wagtail/pages/?limit=1").raise_for_status()
        return int(answer.json()["meta"]["total_count"])
    headers = {"Authorization": f"Token {TOKEN}"}
    answer = httpx.get(f"{url}/drf/limited?limit=1", headers=headers).raise_for_status()
    return int(answer.json()["count"])
