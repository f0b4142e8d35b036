"""The auth family: each member says which secrets it takes, and puts them on a request.

auth:
  - type: api_key                       # the first whose secrets are all given is used,
    name: X-Api-Key                     # or the one a connection picks by type or position
    valueRef: "{{secrets.apiKey}}"
  - type: none
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

from pydantic import Field

from connector_assets.errors import ConfigError
from connector_assets.spec.auth.credentials import AuthContext, TokenStore
from connector_assets.spec.auth.digest import DigestAuth
from connector_assets.spec.auth.fixed import ApiKeyAuth, BasicAuth, BearerAuth, NoAuth
from connector_assets.spec.auth.jwt import JwtAuth
from connector_assets.spec.auth.oauth import OAuth2Auth
from connector_assets.spec.auth.session_tokens import SessionAuth
from connector_assets.spec.auth.sigv4 import AwsSigV4Auth

__all__ = ["Auth", "AuthContext", "TokenStore", "alternatives", "choose"]

Auth = Annotated[
    NoAuth
    | ApiKeyAuth
    | BasicAuth
    | BearerAuth
    | OAuth2Auth
    | SessionAuth
    | JwtAuth
    | DigestAuth
    | AwsSigV4Auth,
    Field(discriminator="type"),
]


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
