"""What a database or its driver complains of, as errors that say which part is wrong.

A driver's text is quoted by its first line and masked: never the statement, never a URI.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from connector_assets.errors import AuthError, Cancelled, ConfigError, ConnectorError, RequestError

_LONGEST = 300
CANCELLED = "57014"
_DATA, _UNREACHED = "22", "08"
"""Classes of SQLSTATE: a value is wrong; there is no connection, for whatever reason."""


class DatabaseError(Exception):
    """What a driver said, and the SQLSTATE where it gave one."""

    def __init__(self, text: str, state: str = "") -> None:
        self.text, self.state = text, state
        super().__init__(text)


@dataclass(frozen=True)
class _Cause:
    """A pattern of drivers' words, or the beginning of a SQLSTATE, and what it means."""

    part: str
    states: tuple[str, ...]
    words: str
    fix: str


# In order: a refused certificate is a failed connection too, and who is not let in reads of SSL.
_CAUSES = (
    _Cause(
        "dns",
        (),
        r"could not translate host name|name or service not known|UnknownHost|no such host"
        r"|name resolution",
        "check the host in uri",
    ),
    _Cause(
        "auth",
        ("28",),
        r"password authentication failed|access denied for user|no password supplied"
        r"|authentication failed|role .* does not exist|pg_hba",
        'check the user in uri and the secret "password"',
    ),
    _Cause(
        "tls", (), r"\bssl\b|\btls\b|certificate|\bPKIX\b", "check sslmode and the certificates"
    ),
    _Cause(
        "database",
        ("3D",),
        r"unknown database|database .* does not exist",
        "check the database in uri",
    ),
    _Cause(
        "permission",
        ("42501",),
        r"permission denied|command denied|insufficient privilege|not authorized",
        "grant the user SELECT on it",
    ),
    _Cause(
        "table",
        ("42P01", "42S02"),
        r"no such table|relation .* does not exist|table .* does(n't| not) exist",
        "run connector-assets discover, or check the name",
    ),
    _Cause(
        "connection",
        ("08",),
        r"connection refused|could not connect|connection to server|timed? ?out|unreachable"
        r"|no suitable driver|unable to open database|connection (was )?(closed|lost|reset)"
        r"|server closed the connection|terminating connection|socket",
        "check that the database is up, and its host and port in uri",
    ),
)


def told(error: DatabaseError, where: str, mask: Callable[[str], str]) -> ConnectorError:
    """The error for a user: where, what the database said, and what to do."""
    if error.state == CANCELLED or "cancel" in error.text.lower():
        return Cancelled("cancelled at the database", where=where)
    what = mask(_first_line(error.text))
    if error.state.startswith(_DATA):
        what = re.sub(r'"[^"]*"|\'[^\']*\'', '"…"', what)  # a value of a row
    cause = _cause_of(error)
    if cause is None:
        return RequestError(what, where=where, part="server", fix=_state(error.state))
    if cause.part in ("auth", "permission"):
        return AuthError(what, where=where, fix=cause.fix, part=cause.part)
    if cause.part in ("table", "database"):
        return ConfigError(what, where=where, fix=cause.fix)
    retryable = cause.part == "connection"
    return RequestError(what, where=where, fix=cause.fix, part=cause.part, retryable=retryable)


@contextmanager
def blaming(where: str, mask: Callable[[str], str]) -> Iterator[None]:
    """Raise what the database says as an error for a user."""
    try:
        yield
    except DatabaseError as error:
        raise told(error, where, mask) from None


def _cause_of(error: DatabaseError) -> _Cause | None:
    for cause in _CAUSES if not error.state.startswith(_UNREACHED) else ():
        if error.state and error.state.startswith(cause.states or ("-",)):
            return cause
    for cause in _CAUSES:
        if re.search(cause.words, error.text, re.IGNORECASE):
            return cause
    return _CAUSES[-1] if error.state.startswith(_UNREACHED) else None


def _first_line(text: str) -> str:
    """The line that says what is wrong, without what drivers put before it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = next(
        (one for one in lines if "ERROR" in one or "FATAL" in one), (lines or ["failed"])[0]
    )
    line = re.sub(r"^.*?\b(ERROR|FATAL):\s*", "", line)
    line = re.sub(r"\b[\w+:]+://\S+", "…", line)  # a URI may hold anything
    return line[:_LONGEST]


def _state(state: str) -> str:
    return f"its SQLSTATE is {state}" if state else ""


def host_of(uri: str) -> str:
    """Where a database is, as messages name it: the host and port, or the file.

    >>> host_of("postgresql://me@db.example.com:5433/shop?sslmode=require")
    'db.example.com:5433'
    """
    parts = urlsplit(uri.removeprefix("jdbc:"))
    return parts.netloc.rpartition("@")[2] or parts.path.rpartition("/")[2] or parts.scheme
