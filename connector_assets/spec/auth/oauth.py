"""OAuth 2.0 token requests (RFC 6749, RFC 7523): which grant, and what is sent."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import quote_plus, urlencode

import msgspec
from pydantic import Field, field_serializer, field_validator, model_validator
from pydantic.alias_generators import to_camel

from connector_assets.errors import ConfigError
from connector_assets.spec.auth.auth_parts import Placed, Signed
from connector_assets.spec.auth.credentials import AuthContext, BasicFlow, fingerprint
from connector_assets.spec.auth.jwt import Algorithm, signed
from connector_assets.spec.auth.token_answer import Tokens, TokenShape
from connector_assets.spec.auth.token_flow import TokenFlow
from connector_assets.spec.names.model import Many, fault
from connector_assets.spec.names.paths import Path
from connector_assets.spec.templates.plain_data import as_text
from connector_assets.spec.templates.refs import (
    HttpsUrl,
    Leeway,
    Line,
    NameRef,
    SecretRef,
    read_secrets,
    secret_names,
    sources,
    templated,
    templates_in,
)
from connector_assets.spec.templates.template import Template, render

if TYPE_CHECKING:
    import httpx

_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_HEADERS = {
    "accept": "application/json",
    "content-type": "application/x-www-form-urlencoded",
    "user-agent": "connector-assets",
}

_NEEDED = {
    "client_credentials": ("client_id_ref", "client_secret_ref"),
    "password": ("username_ref", "password_ref"),
    "jwt_bearer": ("key_ref",),
}
_OWN_FIELDS = {
    "password": {"username_ref", "password_ref"},
    "jwt_bearer": {"algorithm", "key_ref", "claims", "headers", "lifetime_seconds"},
}


class OAuth2Source:
    """One connection's OAuth client; its values are rendered once, when a read begins."""

    def __init__(self, auth: OAuth2Auth, context: AuthContext) -> None:
        self._auth, self._context = auth, context
        self._client_id = context.optional(auth.client_id_ref)
        self._client_secret = context.optional(auth.client_secret_ref)
        self._access = context.optional(auth.access_token_ref)
        self._refresh = context.optional(auth.refresh_token_ref)
        self.shape = TokenShape(
            None if auth.token_header else auth.token_path,
            auth.expires_in_path,
            token_header=auth.token_header,
            any_type=auth.prefix is not None,
        )
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
        kind, content = self._content(form)
        own = {n: t.header(self._context.scope) for n, t in self._auth.token_headers.items()}
        import httpx

        headers = httpx.Headers({**_HEADERS, "content-type": kind})
        headers.update({name: value for name, value in own.items() if value is not None})
        request = httpx.Request("POST", url, headers=headers, content=content)
        if self._auth.client_auth == "basic" and self._client_id is not None:
            # RFC 6749, 2.3.1: both are form-encoded first.
            pair = (quote_plus(self._client_id), quote_plus(self._client_secret or ""))
            request = next(BasicFlow(*pair).auth_flow(request))
        return request

    def _content(self, form: dict[str, Any]) -> tuple[str, bytes]:
        """The body of a token request, and what it is written in."""
        if self._auth.client_auth == "body":
            client = {"client_id": self._client_id, "client_secret": self._client_secret}
            form = {**form, **{name: value for name, value in client.items() if value}}
        form |= render(self._auth.extra_params, self._context.scope)
        form = {name: value for name, value in form.items() if value is not None}
        if self._auth.token_body == "json":  # noqa: S105 - a format
            return "application/json", msgspec.json.encode(form)
        pairs = [(n, one) for n, v in form.items() for one in (v if isinstance(v, list) else [v])]
        if any(isinstance(value, list | dict) for _, value in pairs):
            raise ConfigError(
                "a parameter is a structure, which no form can hold",
                where="auth.extraParams",
                fix="use tokenBody: json",
            )
        return _HEADERS["content-type"], urlencode([(n, as_text(v)) for n, v in pairs]).encode()

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
        assert self._auth.key_ref is not None
        audience = self._auth.token_url.url(self._context.scope)
        return signed(
            self._auth, self._auth.algorithm, self._auth.key_ref, self._context, aud=audience
        )


class OAuth2Auth(Signed, Placed):
    """An access token, given or obtained from `tokenUrl` and renewed by one process at a time."""

    type: Literal["oauth2"]
    """An access token, given or obtained from `tokenUrl`."""
    grant: Literal[
        "auto", "access_token", "refresh_token", "client_credentials", "password", "jwt_bearer"
    ] = "auto"
    """How a token is obtained. auto: a given access token is used, renewed with the refresh
    token if there is one, else with client id and secret. The others do what they say;
    password and jwt_bearer take the fields of these names below.
    """
    authorize_url: HttpsUrl | None = None
    """Where a user grants access in a browser. Kept for people and tools: nothing is sent
    there, obtain the first refresh token by other means.
    """
    token_url: HttpsUrl | None = None
    """Where tokens are requested; https. Its origin need not be declared; redirects are
    refused.
    """
    scopes: Many[Line] = ()
    """Scopes to ask for; sent with every grant but refresh_token."""
    client_id_ref: NameRef | None = None
    """The client's id, as "{{secrets.clientId}}" or "{{config.clientId}}"."""
    client_secret_ref: SecretRef | None = None
    """The client's secret, as "{{secrets.clientSecret}}"."""
    access_token_ref: SecretRef = Template("{{secrets.accessToken}}")
    """The access token, where one is given."""
    refresh_token_ref: SecretRef = Template("{{secrets.refreshToken}}")
    """The refresh token. A new one that the server gives is stored before it is used, and
    from then on used instead.
    """
    username_ref: NameRef | None = None
    """For grant: password, the user's name."""
    password_ref: SecretRef | None = None
    """For grant: password, the user's password."""
    algorithm: Algorithm = "RS256"
    """For grant: jwt_bearer, how the assertion is signed."""
    key_ref: SecretRef | None = None
    """For grant: jwt_bearer, the private key in PEM, as "{{secrets.privateKey}}". The claim
    `aud` is `tokenUrl` unless `claims` say otherwise.
    """
    client_auth: Literal["body", "basic"] = "body"
    """Whether id and secret of the client go into the body or a Basic header (RFC 6749,
    2.3.1).
    """
    extra_params: dict[str, Any] = Field(default_factory=dict)
    """Further parameters of every token request, such as `audience`, whose texts may be
    templates. One that is called as a usual one (`grant_type`, `client_id`) replaces it, null
    leaves it out. In a form a list repeats the name.
    """
    token_body: Literal["form", "json"] = "form"  # noqa: S105 - a format
    """What token requests are written in."""
    token_headers: dict[str, Template] = Field(default_factory=dict)
    """Further headers of every token request, as {X-Api-Key: "{{secrets.apiKey}}"}."""
    token_path: Path = Path("access_token")
    """Path of the access token in the answer."""
    token_header: Line | None = None
    """Header of the answer that holds the access token, instead of `tokenPath`."""
    expires_in_path: Path = Path("expires_in")
    """Path of its lifetime in seconds in the answer. Where it is absent a token is used
    until the server refuses it.
    """
    leeway_seconds: Leeway = 60.0
    """Renewed so long before it expires, but never before half its life."""

    @field_validator("extra_params")
    @classmethod
    def _templates_in_params(cls, value: dict[str, Any]) -> dict[str, Any]:
        return {name: templated(item, name) for name, item in value.items()}

    @field_serializer("extra_params")
    def _sources(self, value: dict[str, Any]) -> Any:
        return sources(value)

    @model_validator(mode="after")
    def _what_the_grant_takes(self) -> Self:
        given = self.model_fields_set
        if self.token_url is None and self.grant != "access_token":
            raise fault("", 'must have tokenUrl, unless "grant: access_token"')
        for name in _NEEDED.get(self.grant, ()):
            if getattr(self, name) is None:
                raise fault("", f"must have {to_camel(name)} with grant: {self.grant}")
        for grant, names in _OWN_FIELDS.items():
            for name in names & given if grant != self.grant else ():
                raise fault(to_camel(name), f"is only for grant: {grant}")
        if self.client_secret_ref is not None and self.client_id_ref is None:
            raise fault("", "must have clientIdRef beside clientSecretRef")
        return self

    def ways(self) -> tuple[frozenset[str], ...]:
        client = secret_names(self.client_id_ref, self.client_secret_ref)
        always = secret_names(*templates_in([self.extra_params, self.token_headers]))
        access, refresh = secret_names(self.access_token_ref), secret_names(self.refresh_token_ref)
        by_client = (client,) if self.client_secret_ref is not None else ()
        ways = {
            "auto": (access, refresh | client, *by_client),
            "access_token": (access,),
            "refresh_token": (refresh | client,),
            "client_credentials": (client,),
            "password": (client | secret_names(self.username_ref, self.password_ref),),
            "jwt_bearer": (client | secret_names(self.key_ref, *templates_in(self.claims)),),
        }
        return tuple(way | (always if way != access else set()) for way in ways[self.grant])

    def asks(self) -> tuple[str, ...]:
        return self.scopes

    def urls(self) -> tuple[Template, ...]:
        return (self.token_url,) if self.token_url is not None else ()

    def sent(self) -> frozenset[str]:
        given = self.grant in ("auto", "access_token")
        return read_secrets(self.access_token_ref) if given else frozenset()

    def flow(self, context: AuthContext) -> TokenFlow:
        source = OAuth2Source(self, context)
        return TokenFlow(source, context, self.in_, self.name, self.before)
