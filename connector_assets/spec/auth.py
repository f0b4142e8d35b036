"""The auth family: each member says which secrets it takes, and puts them on a request.

auth:
  - type: api_key                       # the first whose secrets are all given is used,
    name: X-Api-Key                     # or the one a connection picks by type or position
    valueRef: "{{secrets.apiKey}}"
  - type: none
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal, Self

import httpx
from pydantic import Field, model_validator

from connector_assets.errors import ConfigError
from connector_assets.spec.auth_parts import AuthModel, Placed, Signed
from connector_assets.spec.body import Body, Value
from connector_assets.spec.credentials import AuthContext, Credential, Plain, TokenStore
from connector_assets.spec.digest import Digest
from connector_assets.spec.jwt import Algorithm, JwtCredential
from connector_assets.spec.model import Many, Model, fault
from connector_assets.spec.oauth import OAuthTokens
from connector_assets.spec.paths import Path
from connector_assets.spec.refs import (
    HttpsUrl,
    Leeway,
    Lifetime,
    Line,
    NameRef,
    SecretRef,
    secret_names,
    templates_in,
)
from connector_assets.spec.session_tokens import SessionTokens
from connector_assets.spec.sigv4 import SigV4
from connector_assets.spec.template import Template
from connector_assets.spec.token_flow import TokenFlow

__all__ = ["Auth", "AuthContext", "TokenStore", "alternatives", "choose"]


class NoAuth(AuthModel):
    """No credentials."""

    type: Literal["none"]
    """No credentials."""

    def flow(self, context: AuthContext) -> httpx.Auth:
        del context
        return httpx.Auth()


class ApiKey(Placed):
    """A key in a header, the query, a cookie or the body."""

    type: Literal["api_key"]
    """A key in a header, the query, a cookie or the body."""
    name: Line
    """Name of the header, parameter, cookie or body key, as X-Api-Key."""
    value_ref: SecretRef
    """The key, as "{{secrets.apiKey}}"."""

    def flow(self, context: AuthContext) -> httpx.Auth:
        value = (self.prefix or "") + context.text(self.value_ref)
        return Credential(self.in_, self.name, value)


class Basic(AuthModel):
    """User name and password; either may be empty, as where a key stands for both."""

    type: Literal["basic"]
    """User name and password (RFC 7617)."""
    username_ref: NameRef = Template("")
    """The user name, as "{{secrets.username}}" or "{{config.username}}"; default empty."""
    password_ref: NameRef = Template("")
    """The password, as "{{secrets.password}}"; default empty. At least one of the two reads
    secrets.
    """

    @model_validator(mode="after")
    def _someone(self) -> Self:
        if not (self.username_ref.source or self.password_ref.source):
            raise fault("", "must have usernameRef or passwordRef")
        if not (self.username_ref.uses_secrets or self.password_ref.uses_secrets):
            at = "passwordRef" if self.password_ref.source else "usernameRef"
            raise fault(at, "must be a template that reads secrets, like {{secrets.apiKey}}")
        return self

    def way(self, secrets: Mapping[str, str]) -> frozenset[str] | None:
        """As ever, but one of the two may be given empty."""
        (both,) = self.ways()
        some = not both or any(secrets.get(name) for name in both)
        return both if both <= secrets.keys() and some else None

    def flow(self, context: AuthContext) -> httpx.Auth:
        return Plain(*context.user(self.username_ref, self.password_ref))


class Bearer(AuthModel):
    """A token in the Authorization header."""

    type: Literal["bearer"]
    """A token in the Authorization header."""
    token_ref: SecretRef
    """The token without the word Bearer, as "{{secrets.token}}"; it is never renewed."""

    def flow(self, context: AuthContext) -> httpx.Auth:
        return Credential("header", "Authorization", f"Bearer {context.text(self.token_ref)}")


class DigestAuth(AuthModel):
    """User name and password, proven without sending them (RFC 7616)."""

    type: Literal["digest"]
    """User name and password, proven without sending them (RFC 7616)."""
    username_ref: NameRef
    """The user name, as "{{secrets.username}}" or "{{config.username}}"."""
    password_ref: SecretRef
    """The password, as "{{secrets.password}}"."""

    def flow(self, context: AuthContext) -> httpx.Auth:
        return Digest(*context.user(self.username_ref, self.password_ref))


class Jwt(Signed, Placed):
    """A token signed here for each `lifetimeSeconds`, sent with every request."""

    type: Literal["jwt"]
    """A token signed here and sent with every request."""
    algorithm: Algorithm
    """How it is signed (RFC 7518): HS with a shared text, the others with a private key."""
    key_ref: SecretRef
    """The key: text for HS, PEM for the others, where `\\n` may stand for line breaks."""

    def flow(self, context: AuthContext) -> httpx.Auth:
        return JwtCredential(self, context)


class OAuth2(Signed, AuthModel):
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
    extra_params: dict[str, Template] = Field(default_factory=dict)
    """Further parameters of every token request, such as `audience`."""
    token_path: Path = Path("access_token")
    """Path of the access token in the answer."""
    expires_in_path: Path = Path("expires_in")
    """Path of its lifetime in seconds in the answer. Where it is absent a token is used
    until the server refuses it.
    """
    leeway_seconds: Leeway = 60.0
    """Renewed so long before it expires, but never before half its life."""

    @model_validator(mode="after")
    def _what_the_grant_takes(self) -> Self:
        given = self.model_fields_set
        if self.token_url is None and self.grant != "access_token":
            raise fault("", 'must have tokenUrl, unless "grant: access_token"')
        for name in _NEEDED.get(self.grant, ()):
            if getattr(self, name) is None:
                raise fault("", f"must have {_camel(name)} with grant: {self.grant}")
        for grant, names in _OWN_FIELDS.items():
            for name in names & given if grant != self.grant else ():
                raise fault(_camel(name), f"is only for grant: {grant}")
        if self.client_secret_ref is not None and self.client_id_ref is None:
            raise fault("", "must have clientIdRef beside clientSecretRef")
        return self

    def ways(self) -> tuple[frozenset[str], ...]:
        client = secret_names(self.client_id_ref, self.client_secret_ref)
        always = secret_names(*self.extra_params.values())
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

    def urls(self) -> tuple[Template, ...]:
        return (self.token_url,) if self.token_url is not None else ()

    def flow(self, context: AuthContext) -> httpx.Auth:
        return TokenFlow(OAuthTokens(self, context), context, "header", "Authorization", "Bearer ")


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
    token_path: Path
    """Path of the token in the login's answer."""
    expires_seconds: Lifetime | None = None
    """How long the token is good; default until the server refuses it."""

    def urls(self) -> tuple[Template, ...]:
        return (self.login.url,)

    def flow(self, context: AuthContext) -> httpx.Auth:
        return TokenFlow(SessionTokens(self, context), context, self.in_, self.name, self.before)


class AwsSigV4(AuthModel):
    """Requests signed with an AWS key, for one service in one region."""

    type: Literal["aws_sigv4"]
    """Requests signed with an AWS key; needs `pip install 'connector-assets[aws]'`."""
    access_key_id_ref: NameRef
    """The access key's id, as "{{secrets.accessKeyId}}"."""
    secret_access_key_ref: SecretRef
    """The secret access key, as "{{secrets.secretAccessKey}}"; it is never sent."""
    session_token_ref: SecretRef | None = None
    """The session token of temporary credentials; may be left without a value."""
    region: Template
    """Region the request is signed for, as eu-central-1; may be a template."""
    service: Template
    """Service the request is signed for, as execute-api; may be a template."""

    def ways(self) -> tuple[frozenset[str], ...]:
        """The session token, which temporary credentials have, may be left out."""
        whole = secret_names(*templates_in(self))
        return (whole - secret_names(self.session_token_ref), whole)

    def flow(self, context: AuthContext) -> httpx.Auth:
        return SigV4(self, context)


Auth = Annotated[
    NoAuth | ApiKey | Basic | Bearer | OAuth2 | SessionAuth | Jwt | DigestAuth | AwsSigV4,
    Field(discriminator="type"),
]

_NEEDED = {
    "client_credentials": ("client_id_ref", "client_secret_ref"),
    "password": ("username_ref", "password_ref"),
    "jwt_bearer": ("key_ref",),
}
_OWN_FIELDS = {
    "password": {"username_ref", "password_ref"},
    "jwt_bearer": {"algorithm", "key_ref", "claims", "headers", "lifetime_seconds"},
}


def alternatives(auths: Sequence[Auth], pick: str | int | None = None) -> tuple[Auth, ...]:
    """The auths a connection may use: all, or what `pick` (a type, or a position from 0) names."""
    every = tuple(auths) or (NoAuth(type="none"),)
    if pick is None:
        return every
    if isinstance(pick, str) and pick.isdecimal():
        pick = int(pick)
    if isinstance(pick, int):
        found = every[pick : pick + 1] if pick >= 0 else ()
    else:
        found = tuple(auth for auth in every if auth.type == pick)
    if not found:
        known = ", ".join(f"{at} ({auth.type})" for at, auth in enumerate(every))
        raise ConfigError(f'"{pick}" is none of the auths', fix=f"use one of {known}")
    return found


def choose(
    auths: Sequence[Auth],
    pick: str | int | None,
    secrets: Mapping[str, str],
    *,
    variable: Callable[[str], str] = "secrets.{}".format,
) -> Auth:
    """The first auth whose secrets are all given, among those `pick` leaves.

    Raises ConfigError naming, for each alternative, what is missing; `variable(name)` is how the
    caller's user gives that secret.
    """
    left = alternatives(auths, pick)
    for auth in left:
        if auth.way(secrets) is not None:
            return auth
    missing = [f"{auth.type}: set {_missing(auth, secrets, variable)}" for auth in left]
    raise ConfigError("no auth has all its secrets", fix=", or ".join(missing))


def _missing(auth: Auth, secrets: Mapping[str, str], variable: Callable[[str], str]) -> str:
    given = {name for name, value in secrets.items() if value}
    lacks = [sorted(way - given) for way in auth.ways()]
    fewest = min(lacks, key=len)
    return " and ".join(variable(name) for name in fewest)


def _camel(name: str) -> str:
    from pydantic.alias_generators import to_camel

    return to_camel(name)
