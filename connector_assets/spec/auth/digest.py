"""Digest authentication (RFC 7616): httpx's, made safe for threads and for odd servers."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import TYPE_CHECKING, Literal

from connector_assets.errors import AuthError
from connector_assets.spec.auth.auth_parts import AuthModel
from connector_assets.spec.auth.credentials import AuthContext, Flow
from connector_assets.spec.auth.token_answer import where
from connector_assets.spec.templates.refs import NameRef, SecretRef, read_secrets

if TYPE_CHECKING:
    import httpx

_UNAUTHORIZED = 401


class DigestFlow(Flow):
    """Answers a server's challenge, and later requests before they are challenged.

    Each thread has its own challenge: a server may insist that its nonce is counted without gaps.
    """

    def __init__(self, username: str, password: str) -> None:
        self._user = (username, password)
        self._own = threading.local()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        import httpx

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


class DigestAuth(AuthModel):
    """User name and password, proven without sending them (RFC 7616)."""

    type: Literal["digest"]
    """User name and password, proven without sending them (RFC 7616)."""
    username_ref: NameRef
    """The user name, as "{{secrets.username}}" or "{{config.username}}"."""
    password_ref: SecretRef
    """The password, as "{{secrets.password}}"."""

    def sent(self) -> frozenset[str]:
        return read_secrets(self.username_ref)

    def flow(self, context: AuthContext) -> DigestFlow:
        return DigestFlow(*context.user(self.username_ref, self.password_ref))
