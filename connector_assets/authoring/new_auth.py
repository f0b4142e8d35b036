"""The auth of a new spec, from the few things that somebody has to say of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from connector_assets.errors import ConfigError

AuthKind = Literal["none", "bearer", "basic", "digest", "api_key", "oauth2", "aws_sigv4"]
Grant = Literal["client_credentials", "refresh_token", "password"]
AUTHS: tuple[str, ...] = get_args(AuthKind)
GRANTS: tuple[str, ...] = get_args(Grant)

_ABOUT = {
    "token": "An access token",
    "username": "Name",
    "password": "Password",
    "apiKey": "An API key",
    "clientId": "Id of the client",
    "clientSecret": "Secret of the client",
    "refreshToken": "A refresh token",
    "accessKeyId": "Id of the access key",
    "secretAccessKey": "The secret access key",
}


@dataclass(frozen=True)
class SaidAuth:
    """What somebody says of an API's auth; no value of a secret is in it.

    `header` or `param` is where an API key goes, `token_url`, `grant` and `scopes` are OAuth's, and
    `region` and `service` those that requests to AWS are signed for.
    """

    kind: AuthKind = "none"
    header: str | None = None
    param: str | None = None
    token_url: str | None = None
    grant: Grant = "client_credentials"
    scopes: Sequence[str] = ()
    region: str | None = None
    service: str | None = None

    def spec(self) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """The auth as a spec has it, and its secrets with what they are."""
        if self.kind == "none":
            return [], {}
        told = {"type": self.kind, **_KINDS[self.kind](self)}
        named = [str(one) for name, one in told.items() if name.endswith("Ref")]
        names = [one.removeprefix("{{secrets.").removesuffix("}}") for one in named]
        return [told], {name: _ABOUT[name] for name in names}


NO_AUTH = SaidAuth()


def _ref(name: str) -> str:
    return f"{{{{secrets.{name}}}}}"


def _pair(_: SaidAuth) -> Mapping[str, Any]:
    return {"usernameRef": _ref("username"), "passwordRef": _ref("password")}


def _key(said: SaidAuth) -> Mapping[str, Any]:
    if said.header and said.param:
        raise ConfigError("an API key goes into one of both", where="--header, --key-param")
    place = "query" if said.param else "header"
    name = said.param or said.header or "X-Api-Key"
    return {"in": place, "name": name, "valueRef": _ref("apiKey")}


def _oauth(said: SaidAuth) -> Mapping[str, Any]:
    if not said.token_url:
        raise ConfigError("oauth2 asks for tokens somewhere", where="--token-url", fix="give it")
    more = {
        "client_credentials": {},
        "refresh_token": {"refreshTokenRef": _ref("refreshToken")},
        "password": dict(_pair(said)),
    }[said.grant]
    client = {"clientIdRef": _ref("clientId"), "clientSecretRef": _ref("clientSecret")}
    scopes = {"scopes": list(said.scopes)} if said.scopes else {}
    return {"grant": said.grant, "tokenUrl": said.token_url, **client, **more, **scopes}


def _aws(said: SaidAuth) -> Mapping[str, Any]:
    missing = [f"--{name}" for name in ("region", "service") if not getattr(said, name)]
    if missing:
        what = "requests to AWS are signed for a service in a region"
        raise ConfigError(what, where=", ".join(missing), fix="give it")
    key = {"accessKeyIdRef": _ref("accessKeyId"), "secretAccessKeyRef": _ref("secretAccessKey")}
    return {**key, "region": said.region, "service": said.service}


_KINDS: Mapping[str, Callable[[SaidAuth], Mapping[str, Any]]] = {
    "bearer": lambda _: {"tokenRef": _ref("token")},
    "basic": _pair,
    "digest": _pair,
    "api_key": _key,
    "oauth2": _oauth,
    "aws_sigv4": _aws,
}
