"""A session: a token from a login request."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from connector_assets.spec.auth.auth_parts import Placed
from connector_assets.spec.auth.credentials import AuthContext, fingerprint
from connector_assets.spec.auth.token_answer import Tokens, TokenShape
from connector_assets.spec.auth.token_flow import TokenFlow
from connector_assets.spec.names.model import Model, fault
from connector_assets.spec.names.paths import Path
from connector_assets.spec.request.body import Body, Value
from connector_assets.spec.templates.refs import HttpsUrl, Lifetime, Line
from connector_assets.spec.templates.template import Template

if TYPE_CHECKING:
    import httpx


class SessionSource:
    """One connection's session."""

    leeway_s = 60.0

    def __init__(self, auth: SessionAuth, context: AuthContext) -> None:
        self._auth, self._context = auth, context
        self.shape = TokenShape(
            auth.token_path,
            lifetime_s=auth.expires_seconds,
            token_header=auth.token_header,
            token_cookie=auth.token_cookie,
        )

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


class Login(Model):
    """The request that opens a session."""

    method: Literal["GET", "POST", "PUT"] = "POST"
    """HTTP method of the login."""
    url: HttpsUrl
    """Absolute URL of the login; https. Redirects are refused."""
    params: dict[str, Value] = Field(default_factory=dict)
    """Query parameters, as those of an endpoint."""
    headers: dict[str, Template] = Field(default_factory=dict)
    """Request headers, as those of an endpoint."""
    body: Body | None = None
    """The request's body, which may read secrets."""
    base_url: None = None
    """Never given: the URL of a login is absolute."""


class SessionAuth(Placed):
    """A token from a login request; renewed when it expires and when it is refused."""

    type: Literal["session"]
    """A token from a login request."""
    login: Login
    """The request that opens a session, when the first request is made."""
    token_path: Path | None = None
    """Path of the token in the login's answer. Exactly one of tokenPath, tokenHeader and
    tokenCookie is given.
    """
    token_header: Line | None = None
    """Header of the login's answer that holds the token, as X-Auth-Token."""
    token_cookie: Line | None = None
    """Cookie that the login's answer sets, and that holds the token."""
    expires_seconds: Lifetime | None = None
    """How long the token is good; default until the server refuses it."""

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        given = [self.token_path, self.token_header, self.token_cookie]
        if sum(one is not None for one in given) != 1:
            raise fault("tokenPath", "is required; give one of tokenPath, tokenHeader, tokenCookie")
        return self

    def urls(self) -> tuple[Template, ...]:
        return (self.login.url,)

    def flow(self, context: AuthContext) -> TokenFlow:
        return TokenFlow(SessionSource(self, context), context, self.in_, self.name, self.before)
