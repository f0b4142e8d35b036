"""What broke an exchange, in our own words; h11's are those of a transport of the caller's."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import httpx

from connector_assets.errors import ConnectorError, RequestError

P = ParamSpec("P")
T = TypeVar("T")


def in_our_words(step: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """What `step` returns; whatever a library raises in it becomes an error of our own."""
    try:
        return step(*given, **named)
    except ConnectorError:
        raise
    except Exception as error:  # noqa: BLE001 - any of them
        raise _broken(error) from None


def _broken(error: Exception) -> RequestError:
    # h11's words quote the server's bytes, so they are not repeated.
    text = str(error)
    # By name: h11's own, raised for a body that misses its length, passes httpcore unmapped.
    if type(error).__name__ == "LocalProtocolError":
        return RequestError("the request is not valid HTTP", fix="check headers and body")
    if isinstance(error, httpx.TimeoutException):
        return RequestError("timed out", retryable=True)
    if text.startswith("peer closed connection"):
        return RequestError("the answer broke off before its end", retryable=True)
    if text.startswith("Server disconnected"):
        return RequestError("the server closed the connection without an answer", retryable=True)
    if isinstance(error, httpx.RemoteProtocolError):
        return RequestError("the answer is not valid HTTP", retryable=True)
    return RequestError(f"the exchange failed ({type(error).__name__})", retryable=True)
