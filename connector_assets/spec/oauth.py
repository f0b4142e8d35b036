"""OAuth 2.0 token requests (RFC 6749, RFC 7523): which grant, and what is sent."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, urlencode

import httpx

from connector_assets.errors import ConfigError
from connector_assets.spec.credentials import AuthContext, Plain, fingerprint
from connector_assets.spec.jwt import signed
from connector_assets.spec.token_answer import Tokens, TokenShape

if TYPE_CHECKING:
    from connector_assets.spec.auth import OAuth2

_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_HEADERS = {
    "accept": "application/json",
    "content-type": "application/x-www-form-urlencoded",
    "user-agent": "connector-assets",
}


class OAuthTokens:
    """One connection's OAuth client; its values are rendered once, when a read begins."""

    def __init__(self, auth: OAuth2, context: AuthContext) -> None:
        self._auth, self._context = auth, context
        self._client_id = context.optional(auth.client_id_ref)
        self._client_secret = context.optional(auth.client_secret_ref)
        self._access = context.optional(auth.access_token_ref)
        self._refresh = context.optional(auth.refresh_token_ref)
        self.shape = TokenShape(auth.token_path, auth.expires_in_path)
        self.leeway_s = auth.leeway_seconds

    @cached_property
    def key(self) -> str:
        given = self._context.values(self._auth.names() - self._auth.access_token_ref.names)
        url = self._auth.token_url.source if self._auth.token_url else None
        # An edited spec must not lose a rotated refresh token: no other copy of it exists.
        rest = None if self._refresh else self._auth.model_dump_json(by_alias=True)
        return fingerprint(self._context.connection, url, given, rest)

    def given(self) -> Tokens | None:
        if self._auth.grant not in ("auto", "access_token") or self._access is None:
            return None
        mark = hashlib.sha256(self._access.encode()).hexdigest()
        return Tokens(self._access, refresh=self._refresh, given=mark)

    def renewal(self, tokens: Tokens | None) -> httpx.Request | None:
        form = self._form((tokens and tokens.refresh) or self._refresh)
        if form is None:
            return None
        assert self._auth.token_url is not None
        url = self._context.https(self._auth.token_url.url(self._context.scope))
        extra = {n: t.text(self._context.scope) for n, t in self._auth.extra_params.items()}
        form |= {name: value for name, value in extra.items() if value is not None}
        request = httpx.Request("POST", url, headers=_HEADERS, content=self._signed_form(form))
        if self._auth.client_auth == "basic" and self._client_id is not None:
            # RFC 6749, 2.3.1: both are form-encoded first.
            pair = (quote_plus(self._client_id), quote_plus(self._client_secret or ""))
            request = next(Plain(*pair).auth_flow(request))
        return request

    def _signed_form(self, form: dict[str, str]) -> bytes:
        if self._auth.client_auth == "body":
            client = {"client_id": self._client_id, "client_secret": self._client_secret}
            form = {**form, **{name: value for name, value in client.items() if value}}
        return urlencode(form).encode()

    def _form(self, refresh: str | None) -> dict[str, str] | None:
        """The grant's own parameters; None where there is nothing to ask with."""
        scope = {"scope": " ".join(self._auth.scopes)} if self._auth.scopes else {}
        match self._grant(refresh):
            case "refresh_token":
                if refresh is None:
                    raise ConfigError("there is no refresh token", fix="give secrets.refreshToken")
                # No scope: RFC 6749, 6 keeps what was granted, and many servers refuse any.
                return {"grant_type": "refresh_token", "refresh_token": refresh}
            case "client_credentials":
                return {"grant_type": "client_credentials", **scope}
            case "password":
                name, word = self._auth.username_ref, self._auth.password_ref
                assert name is not None
                assert word is not None
                user = {"username": self._context.text(name), "password": self._context.text(word)}
                return {"grant_type": "password", **user, **scope}
            case "jwt_bearer":
                return {"grant_type": _JWT_BEARER, "assertion": self._assertion(), **scope}
        return None

    def _grant(self, refresh: str | None) -> str:
        if self._auth.grant == "password" and refresh is not None:
            return "refresh_token"
        if self._auth.grant != "auto":
            return self._auth.grant
        if refresh is not None:
            return "refresh_token"
        return "client_credentials" if self._client_id and self._client_secret else "access_token"

    def _assertion(self) -> str:
        assert self._auth.token_url is not None
        audience = self._auth.token_url.url(self._context.scope)
        return signed(self._auth, self._context, aud=audience)
