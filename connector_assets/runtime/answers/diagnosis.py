"""Which part of a connection an error speaks of: what `check` says first."""

from __future__ import annotations

from typing import Literal

from connector_assets.errors import (
    AuthError,
    BlockedError,
    ConfigError,
    ConnectorError,
    RateLimited,
    RequestError,
    ResponseError,
)

Part = Literal[
    "config", "guard", "dns", "tls", "connection", "auth", "permission", "path", "rate limit",
    "server", "answer", "request", "proxy",
]  # fmt: skip

_SAID: dict[str, Part] = {"dns": "dns", "tls": "tls", "proxy": "proxy"}
_NO_SUCH_PATH = (404, 405, 410)


def part_of(error: ConnectorError) -> Part:
    """The part that failed.

    >>> part_of(RequestError("404", status=404))
    'path'
    """
    if isinstance(error, ConfigError):
        return "config"
    if isinstance(error, BlockedError):
        return "guard"
    if isinstance(error, AuthError):
        return "permission" if error.part == "permission" else "auth"
    if isinstance(error, RateLimited):
        return "rate limit"
    if isinstance(error, RequestError):
        return _of_request(error)
    wrong_path = isinstance(error, ResponseError) and "responseRowsPath" in error.fix
    return "path" if wrong_path else "answer"


def _of_request(error: RequestError) -> Part:
    if error.part in _SAID:
        return _SAID[error.part]
    if error.status is None:
        return "connection"
    if error.status in _NO_SUCH_PATH:
        return "path"
    if error.status == 429:  # noqa: PLR2004 - Too Many Requests
        return "rate limit"
    return "server" if error.status >= 500 else "request"  # noqa: PLR2004
