"""What members of the auth family have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, field_serializer, field_validator, model_validator

from connector_assets.spec.auth.credentials import AuthContext, CredentialWhere, Flow
from connector_assets.spec.names.model import Model, fault
from connector_assets.spec.templates.refs import (
    Lifetime,
    Line,
    secret_names,
    sources,
    templated,
    templates_in,
)
from connector_assets.spec.templates.template import Scope, Template

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}"  # noqa: S105 - RFC 9110's "token", not a credential
_NOT_FOR_CREDENTIALS = {"host", "content-length", "transfer-encoding", "connection"}


class AuthModel(Model):
    """What every member has; most need no more than a `flow`."""

    def flow(self, context: AuthContext) -> Flow | None:
        """What authenticates requests, safe to use from several threads; None adds nothing."""
        raise NotImplementedError

    def ways(self) -> tuple[frozenset[str], ...]:
        """Sets of secrets, each enough for this auth to work; the first is the usual one."""
        return (secret_names(*templates_in(self)),)

    def way(self, secrets: Mapping[str, str]) -> frozenset[str] | None:
        """The first of `ways` whose secrets are all given; an empty one is not."""
        given = {name for name, value in secrets.items() if value}
        return next((way for way in self.ways() if way <= given), None)

    def required_secrets(self) -> frozenset[str]:
        """The secrets of the usual way."""
        return self.ways()[0]

    def names(self) -> frozenset[str]:
        """Every name its templates read, such as `secrets.apiKey` and `config.domain`."""
        return frozenset().union(*(template.names for template in templates_in(self)))

    def sent(self) -> frozenset[str]:
        """The secrets whose values it puts on requests as they are; never a key that signs."""
        return frozenset()

    def asks(self) -> tuple[str, ...]:
        """The scopes it asks for, which an error names where they were not enough."""
        return ()

    def urls(self) -> tuple[Template, ...]:
        """Where it sends credentials by itself: a token endpoint."""
        return ()

    def origins(self, scope: Scope) -> frozenset[str]:
        """The origins of `urls`, as `https://login.example.com`."""
        return frozenset(_origin(url.url(scope)) for url in self.urls())


class Placed(AuthModel):
    """A credential that may go to several places."""

    in_: CredentialWhere = Field("header", alias="in")
    """Where the credential is put."""
    name: Line = "Authorization"
    """Name of the header, parameter, cookie or body key."""
    prefix: Line | None = None
    """Put before the value as it stands; default `Bearer ` in an Authorization header."""

    @property
    def before(self) -> str:
        usual = "Bearer " if self.name.lower() == "authorization" else ""
        return usual if self.prefix is None else self.prefix

    @model_validator(mode="after")
    def _a_name_where_one_is_needed(self) -> Self:
        fits = self.in_ in ("query", "body") or re.fullmatch(_TOKEN, self.name)
        if not self.name or not fits:
            raise fault("name", f"is not the name of a {self.in_}")
        if self.in_ == "header" and self.name.lower() in _NOT_FOR_CREDENTIALS:
            raise fault("name", "cannot be set; it follows from the request")
        return self


class Signed(Model):
    """The fields of a JSON Web Token (RFC 7519); `iat` and `exp` are added."""

    claims: dict[str, Any] = Field(default_factory=dict)
    """Claims of the token by name; texts may be templates. `iat` and `exp` are added."""
    headers: dict[str, Any] = Field(default_factory=dict)
    """Further header fields of the token, as `kid`; `alg` and `typ` are added."""
    lifetime_seconds: Lifetime = 300.0
    """From `iat` to `exp`, in seconds."""

    @field_validator("claims", "headers")
    @classmethod
    def _templates_within(cls, value: dict[str, Any]) -> dict[str, Any]:
        return {key: templated(item, key) for key, item in value.items()}

    @field_serializer("claims", "headers")
    def _signed_sources(self, value: dict[str, Any]) -> Any:
        return sources(value)


def _origin(url: str) -> str:
    import httpx

    parsed = httpx.URL(url)
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')}"
