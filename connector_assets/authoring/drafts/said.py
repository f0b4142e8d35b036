"""What sentences of a documentation say of the whole API: its limit, and where tokens come from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from connector_assets.authoring.drafts.sourced_text import Sourced

LIMIT = re.compile(
    r"\b(?P<count>\d[\d,]*)\s+(?:api\s+)?(?:requests|calls|queries)\s*(?:per|an?|each|every|/)\s*"
    r"(?P<unit>second|minute|hour|day)\b",
    re.IGNORECASE,
)
"""How many requests are allowed in a time."""
_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
_TOKEN_URL = re.compile(r"https://[\w.-]+(?:/[\w./-]*)?/(?:oauth2?/)?(?:access_)?tokens?\b")
_CLIENT = re.compile(r"client[_ -]credentials", re.IGNORECASE)


def limit_of(pages: Sequence[Sourced]) -> float | None:
    """The strictest limit that a sentence names, in requests a second, to three digits."""
    found = (match for one in _sentences(pages) for match in LIMIT.finditer(one))
    rates = [
        int(one["count"].replace(",", "")) / _SECONDS[one["unit"].lower()]
        for one in found
        if int(one["count"].replace(",", ""))
    ]
    return float(f"{min(rates):.3g}") if rates else None


def token_url(pages: Sequence[Sourced], origins: Sequence[str]) -> str:
    """Where tokens are asked for by client credentials; "" where no sentence says so.

    It is of a host that examples send to: a sentence alone takes credentials nowhere else.
    """
    if not any(_CLIENT.search(one) for one in _sentences(pages)):
        return ""
    hosts = {urlsplit(one).netloc for one in origins}
    found = (match[0] for one in _sentences(pages) for match in _TOKEN_URL.finditer(one))
    return next((one for one in found if urlsplit(one).netloc in hosts), "")


def _sentences(pages: Sequence[Sourced]) -> Iterator[str]:
    for page in pages:
        yield from page.sentences
