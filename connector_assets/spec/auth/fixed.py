"""Auths that put the same on every request: nothing, a key, a password, a token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import model_validator

from connector_assets.spec.auth.auth_parts import AuthModel, Placed
from connector_assets.spec.auth.credentials import AuthContext, BasicFlow, FixedFlow
from connector_assets.spec.names.model import fault
from connector_assets.spec.templates.refs import Line, NameRef, SecretRef, read_secrets
from connector_assets.spec.templates.template import Template


class NoAuth(AuthModel):
    """No credentials."""

    type: Literal["none"]
    """No credentials."""

    def flow(self, context: AuthContext) -> None:
        """Nothing: requests go as they are."""


class ApiKeyAuth(Placed):
    """A key in a header, the query, a cookie or the body."""

    type: Literal["api_key"]
    """A key in a header, the query, a cookie or the body."""
    name: Line
    """Name of the header, parameter, cookie or body key, as X-Api-Key."""
    value_ref: SecretRef
    """The key, as "{{secrets.apiKey}}"."""

    def sent(self) -> frozenset[str]:
        return read_secrets(self.value_ref)

    def flow(self, context: AuthContext) -> FixedFlow:
        value = (self.prefix or "") + context.text(self.value_ref)
        return FixedFlow(self.in_, self.name, value)


class BasicAuth(AuthModel):
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
        """The secrets to use where all are given; one of the two may be empty."""
        (both,) = self.ways()
        some = not both or any(secrets.get(name) for name in both)
        return both if both <= secrets.keys() and some else None

    def sent(self) -> frozenset[str]:
        return read_secrets(self.username_ref, self.password_ref)

    def flow(self, context: AuthContext) -> BasicFlow:
        return BasicFlow(*context.user(self.username_ref, self.password_ref))


class BearerAuth(AuthModel):
    """A token in the Authorization header."""

    type: Literal["bearer"]
    """A token in the Authorization header."""
    token_ref: SecretRef
    """The token without the word Bearer, as "{{secrets.token}}"; it is never renewed."""

    def sent(self) -> frozenset[str]:
        return read_secrets(self.token_ref)

    def flow(self, context: AuthContext) -> FixedFlow:
        return FixedFlow("header", "Authorization", f"Bearer {context.text(self.token_ref)}")
