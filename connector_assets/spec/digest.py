"""Digest authentication (RFC 7616): httpx's, made safe for threads and for odd servers."""

from __future__ import annotations

import threading
from collections.abc import Generator

import httpx

from connector_assets.errors import AuthError
from connector_assets.spec.token_answer import where

_UNAUTHORIZED = 401


class Digest(httpx.Auth):
    """Answers a server's challenge, and later requests before they are challenged.

    Each thread has its own challenge: a server may insist that its nonce is counted without gaps.
    """

    def __init__(self, username: str, password: str) -> None:
        self._user = (username, password)
        self._own = threading.local()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if not hasattr(self._own, "auth"):
            self._own.auth = httpx.DigestAuth(*self._user)
        flow = self._own.auth.auth_flow(request)
        response = yield next(flow)
        try:
            answer = flow.send(response)
        except StopIteration:
            return
        except (httpx.ProtocolError, NotImplementedError, KeyError, ValueError):
            # An unknown algorithm, auth-int, or a challenge that cannot be read.
            raise AuthError(
                "the server's digest challenge cannot be answered",
                where=where(request),
                status=_UNAUTHORIZED,
            ) from None
        yield answer
