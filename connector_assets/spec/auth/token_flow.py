"""Tokens that are fetched, kept, and renewed by one at a time: what oauth2 and session share.

A token request is yielded like any other, so it passes the same guard, deadline and log. Whoever
must renew takes the store's lock, looks whether someone else has just done it, and writes what it
got to the store before anything is sent with it: a rotated refresh token is the only key left.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from connector_assets.errors import AuthError, ConfigError
from connector_assets.spec.auth.credentials import AuthContext, CredentialWhere, Flow, put
from connector_assets.spec.auth.token_answer import Tokens, TokenShape, where

if TYPE_CHECKING:
    import httpx

_UNAUTHORIZED = 401
_PASSING = {408, 425, 429}
_NEVER = 501


class TokenSource(Protocol):
    """Where tokens come from: one per auth type and connection."""

    @property
    def key(self) -> str:
        """Changes with every credential, so that a replaced one makes the stored tokens void."""
        ...

    @property
    def shape(self) -> TokenShape: ...

    @property
    def leeway_s(self) -> float: ...

    def given(self) -> Tokens | None:
        """The token the operator gave, if any."""
        ...

    def renewal(self, tokens: Tokens | None) -> httpx.Request | None:
        """The request that gets new tokens; None where there is no way to."""
        ...


class TokenFlow(Flow):
    """Puts a token on each request; renews it before it expires, and once when it is refused."""

    requires_request_body = True

    def __init__(
        self,
        source: TokenSource,
        context: AuthContext,
        where: CredentialWhere,
        name: str,
        prefix: str,
    ) -> None:
        self._source, self._context = source, context
        self._where, self._name, self._prefix = where, name, prefix
        self._tokens: Tokens | None = None
        self._refused: str | None = None

    @property
    def granted(self) -> str | None:
        """The scopes of the present token, where the server tells."""
        return self._tokens.scope if self._tokens else None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        tokens = yield from self._usable(request)
        response = yield self._signed(request, tokens)
        if response.status_code != _UNAUTHORIZED or not self.refuse(tokens.access):
            return
        tokens = yield from self._usable(request)
        yield self._signed(request, tokens)

    def refuse(self, access: str | None = None) -> bool:
        """Use the token (default: the present one) no more: the next request renews it.

        False where there is no way to renew it; it is then kept.
        """
        tokens = self._tokens
        if self._source.renewal(tokens) is None:
            return False
        self._refused = access or (tokens.access if tokens else None)
        return True

    def _signed(self, request: httpx.Request, tokens: Tokens) -> httpx.Request:
        return put(request, self._where, self._name, self._prefix + tokens.access)

    def _usable(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, Tokens]:
        tokens = self._tokens
        if tokens is None or not self._good(tokens):
            with self._context.tokens.lock(self._source.key, self._context.cancel):
                tokens = self._kept()
                if tokens is None or not self._good(tokens):
                    tokens = yield from self._renewed(tokens, request)
            self._use(tokens)
        return tokens

    def _good(self, tokens: Tokens) -> bool:
        fresh = tokens.fresh(self._context.clock(), self._source.leeway_s)
        return fresh and tokens.access != self._refused

    def _kept(self) -> Tokens | None:
        """The newest tokens anyone has: an access token given anew goes before a stored one."""
        stored = Tokens.of(self._context.tokens.read(self._source.key))
        given = self._source.given()
        if stored is None or given is None or stored.given == given.given:
            return stored or given
        return replace(given, refresh=stored.refresh or given.refresh)

    def _renewed(
        self, tokens: Tokens | None, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, Tokens]:
        renewal = self._source.renewal(tokens)
        if renewal is None:
            raise ConfigError(
                "there is no token and no way to get one",
                where="auth",
                fix="give an access token, or a refresh token with its client",
            )
        renewal.extensions = {**request.extensions, "purpose": "token"}
        answer = yield renewal
        if _will_pass(answer.status_code):
            raise _busy(answer)
        fresh = self._source.shape.tokens(answer, self._context.clock())
        given = self._source.given()
        fresh = replace(
            fresh,
            refresh=fresh.refresh or (tokens.refresh if tokens else None),
            given=given.given if given else None,
        )
        self._use(fresh)
        self._context.tokens.write(self._source.key, fresh.record())
        # The same token again is a server's way to say that it is good.
        self._refused = None
        return fresh

    def _use(self, tokens: Tokens) -> None:
        self._context.learn("accessToken", tokens.access)
        if tokens.refresh:
            self._context.learn("refreshToken", tokens.refresh)
        self._tokens = tokens


def _will_pass(status: int) -> bool:
    return status in _PASSING or (status >= 500 and status != _NEVER)  # noqa: PLR2004 - 5xx


def _busy(answer: httpx.Response) -> AuthError:
    """What makes whoever sends the request wait and try again, by the rules of the API itself."""
    return AuthError(
        str(answer.status_code),
        where=where(answer.request),
        fix="the server of the tokens fails; try again later",
        status=answer.status_code,
        retryable=True,
        retry_after=answer.headers.get("retry-after", ""),
    )
