"""A session: a token from a login request."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import httpx

from connector_assets.spec.credentials import AuthContext, fingerprint
from connector_assets.spec.token_answer import Tokens, TokenShape

if TYPE_CHECKING:
    from connector_assets.spec.auth import SessionAuth


class SessionTokens:
    """One connection's session."""

    leeway_s = 60.0

    def __init__(self, auth: SessionAuth, context: AuthContext) -> None:
        self._auth, self._context = auth, context
        self.shape = TokenShape(auth.token_path, lifetime_s=auth.expires_seconds)

    @cached_property
    def key(self) -> str:
        # Of what goes into the login, not of the login: that may hold the time.
        given = self._context.values(self._auth.names())
        rest = self._auth.model_dump_json(by_alias=True)
        return fingerprint(self._context.connection, given, rest)

    def given(self) -> Tokens | None:
        return None

    def renewal(self, tokens: Tokens | None) -> httpx.Request:  # noqa: ARG002 - nothing is refreshed
        return self._request()

    def _request(self) -> httpx.Request:
        request = self._context.request(self._auth.login)
        self._context.https(str(request.url))
        return request
