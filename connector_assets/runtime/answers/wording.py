"""What an error says of an answer: little, on one line, masked before it is cut."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus

from connector_assets.runtime.answers.rules import Meaning
from connector_assets.runtime.http.exchange import Answer

ADVICE = {
    304: "nothing was asked conditionally; leave out If-* headers",
    400: "check the parameters",
    404: "check the URL; if a page past the end answers so, add an errors rule with action: end",
    405: "check the method",
    422: "check the parameters",
    429: "lower rateLimit.requestsPerSecond",
}
"""What to do about a status, where that can be known."""

_QUOTED, _LOOKED_AT = 200, 64 << 10
_NOT_ONE_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def said(answer: Answer, meaning: Meaning, mask: Callable[[str], str], *, verbose: bool) -> str:
    """The status and a rule's own words; the server's own where `verbose`."""
    # Masked before it is cut: a piece of a secret is not recognised any more.
    message = _NOT_ONE_LINE.sub(" ", mask(meaning.message)).strip()
    if message:
        shown = message if len(message) <= _QUOTED else f"{message[: _QUOTED - 1]}…"
        return f"{answer.status}: {shown}"
    what = str(answer.status)
    if meaning.rule and answer.status < 400:  # noqa: PLR2004 - the status says nothing is wrong
        what += f": {meaning.action} by {meaning.rule} of the endpoint"
    quoted = mask(answer.body[:_LOOKED_AT].decode("utf-8", "replace"))[:_QUOTED]
    return f"{what} {quoted!r}" if verbose else what


def named(status: int) -> str:
    """A status with its name.

    >>> named(429), named(599)
    ('429 Too Many Requests', '599')
    """
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> duration(5400.0)
    '1.5 h'
    """
    if seconds < 120:  # noqa: PLR2004 - two minutes
        return f"{seconds:.0f} s"
    if seconds < 172_800:  # noqa: PLR2004 - two days
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.0f} days" if seconds < 1e9 else "over 30 years"  # noqa: PLR2004
