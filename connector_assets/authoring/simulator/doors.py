"""What lets a request in: a fixed credential, a signature, or a token that was obtained here."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus, urlsplit

from connector_assets.authoring.simulator.aws_signature import AwsKey
from connector_assets.authoring.simulator.documents import put, steps_of
from connector_assets.authoring.simulator.patterns import Known, filled
from connector_assets.authoring.simulator.wire import ApiReply, ApiRequest, refused
from connector_assets.spec.auth.auth import Auth
from connector_assets.spec.auth.auth_parts import Placed
from connector_assets.spec.auth.digest import DigestAuth
from connector_assets.spec.auth.fixed import ApiKeyAuth, BasicAuth, BearerAuth, NoAuth
from connector_assets.spec.auth.jwt import JwtAuth
from connector_assets.spec.auth.oauth import OAuth2Auth
from connector_assets.spec.auth.session_tokens import SessionAuth
from connector_assets.spec.auth.sigv4 import AwsSigV4Auth

_LIFETIME_S = 3_600
_NONCE = "c2ltdWxhdGVk"
_REALM = "simulator"


@dataclass
class Door:
    """One auth of a spec, as a server keeps it; `known` are config and secrets by template name."""

    auth: Auth
    known: Known
    valid: set[str] = field(default_factory=set)
    refresh: str | None = None
    renewed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.auth, OAuth2Auth):
            self.refresh = self.secret(self.auth.refresh_token_ref)
            given = self.secret(self.auth.access_token_ref)
            self.valid |= {given} if given else set()

    def secret(self, template: Any) -> str | None:
        """What a template of the auth gives; None where a secret in it was not given."""
        if template is None or not set(template.names) <= self.known.keys():
            return None
        return filled(template.source, self.known)

    @property
    def gives_tokens(self) -> bool:
        """Whether a token is obtained from this server."""
        is_given = isinstance(self.auth, OAuth2Auth) and self.auth.token_url is None
        return isinstance(self.auth, OAuth2Auth | SessionAuth) and not is_given

    def revoke(self) -> None:
        """Every token that was given is refused from now on."""
        self.valid.clear()

    def opens(self, asked: ApiRequest) -> bool:
        """Whether the request may pass."""
        return _CHECKS[type(self.auth)](self, asked)

    def params(self) -> set[str]:
        """The query parameters that the credential itself takes."""
        auth = self.auth
        return {auth.name} if isinstance(auth, Placed) and auth.in_ == "query" else set()

    def token(self, asked: ApiRequest) -> ApiReply | None:
        """The answer to a request for a token; None where it is none."""
        auth = self.auth
        if isinstance(auth, OAuth2Auth) and auth.token_url is not None:
            at = urlsplit(filled(auth.token_url.source, self.known)).path
            return _granted(self, auth, asked) if asked.segments == (at or "/") else None
        if isinstance(auth, SessionAuth):
            at = urlsplit(filled(auth.login.url.source, self.known)).path
            same = asked.segments == (at or "/") and asked.method == auth.login.method
            return _session(self, auth, asked) if same else None
        return None

    def new_token(self) -> str:
        """A token that is let in from now on."""
        self.renewed += 1
        token = (
            f"sim-token-{self.renewed}-{hashlib.sha256(str(id(self)).encode()).hexdigest()[:12]}"
        )
        self.valid.add(token)
        return token


def _placed(auth: Placed, asked: ApiRequest) -> str | None:
    """The credential where the auth says that it is put, without its prefix."""
    value: str | None
    if auth.in_ == "header":
        value = asked.headers.get(auth.name.lower())
    elif auth.in_ == "query":
        value = asked.param(auth.name)
    elif auth.in_ == "cookie":
        value = asked.cookies.get(auth.name)
    else:
        found = asked.json.get(auth.name) if isinstance(asked.json, dict) else None
        value = found if found is not None else dict(asked.form).get(auth.name)
    return value


def _token_opens(door: Door, asked: ApiRequest) -> bool:
    assert isinstance(door.auth, Placed)
    value, before = _placed(door.auth, asked), _before(door.auth)
    return value is not None and value.startswith(before) and value[len(before) :] in door.valid


def _before(auth: Placed) -> str:
    usual = "Bearer " if auth.name.lower() == "authorization" else ""
    return usual if auth.prefix is None else auth.prefix


def _key_opens(door: Door, asked: ApiRequest) -> bool:
    assert isinstance(door.auth, ApiKeyAuth)
    wanted = (door.auth.prefix or "") + filled(door.auth.value_ref.source, door.known)
    return _placed(door.auth, asked) == wanted


def _bearer_opens(door: Door, asked: ApiRequest) -> bool:
    assert isinstance(door.auth, BearerAuth)
    wanted = f"Bearer {filled(door.auth.token_ref.source, door.known)}"
    return asked.headers.get("authorization") == wanted


def _basic_opens(door: Door, asked: ApiRequest) -> bool:
    assert isinstance(door.auth, BasicAuth)
    pair = _user_of(asked)
    wanted = (door.auth.username_ref, door.auth.password_ref)
    return pair == tuple(filled(one.source, door.known) for one in wanted)


def _user_of(asked: ApiRequest) -> tuple[str, str] | None:
    kind, _, text = asked.headers.get("authorization", "").partition(" ")
    try:
        name, _, word = base64.b64decode(text).decode().partition(":")
    except ValueError:
        return None
    return (name, word) if kind.lower() == "basic" else None


def _jwt_opens(door: Door, asked: ApiRequest) -> bool:
    import jwt

    auth = door.auth
    assert isinstance(auth, JwtAuth)
    value, before = _placed(auth, asked) or "", _before(auth)
    key = _verifying(filled(auth.key_ref.source, door.known), auth.algorithm)
    try:
        jwt.decode(
            value.removeprefix(before),
            key,
            algorithms=[auth.algorithm],
            options={"verify_aud": False},
        )
    except jwt.PyJWTError:
        return False
    return value.startswith(before)


def _verifying(key: str, algorithm: str) -> Any:
    if algorithm.startswith("HS"):
        return key
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(key.encode(), None).public_key()


def _digest_opens(door: Door, asked: ApiRequest) -> bool:
    """As RFC 7616 has it, with MD5 and qop=auth."""
    auth = door.auth
    assert isinstance(auth, DigestAuth)
    kind, _, text = asked.headers.get("authorization", "").partition(" ")
    given = dict(re.findall(r'(\w+)="?([^",]*)"?', text))
    user, word = (filled(one.source, door.known) for one in (auth.username_ref, auth.password_ref))
    first = _md5(f"{user}:{_REALM}:{word}")
    second = _md5(f"{asked.method}:{given.get('uri', '')}")
    middle = ":".join(given.get(one, "") for one in ("nonce", "nc", "cnonce", "qop"))
    return kind == "Digest" and given.get("response") == _md5(f"{first}:{middle}:{second}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _sigv4_opens(door: Door, asked: ApiRequest) -> bool:
    auth = door.auth
    assert isinstance(auth, AwsSigV4Auth)
    parts = (auth.access_key_id_ref, auth.secret_access_key_ref, auth.region, auth.service)
    name, secret, region, service = (filled(one.source, door.known) for one in parts)
    token = door.secret(auth.session_token_ref) or ""
    return AwsKey(name, secret, region, service, token).signed(asked)


_CHECKS: dict[Any, Callable[[Door, ApiRequest], bool]] = {
    NoAuth: lambda _door, _asked: True,
    ApiKeyAuth: _key_opens,
    BearerAuth: _bearer_opens,
    BasicAuth: _basic_opens,
    JwtAuth: _jwt_opens,
    DigestAuth: _digest_opens,
    AwsSigV4Auth: _sigv4_opens,
    OAuth2Auth: _token_opens,
    SessionAuth: _token_opens,
}


def _granted(door: Door, auth: OAuth2Auth, asked: ApiRequest) -> ApiReply:
    """The answer of a token endpoint (RFC 6749), with its own errors."""
    sent = asked.json if isinstance(asked.json, dict) else dict(asked.form)
    grant = str(sent.get("grant_type", ""))
    if not _is_client(door, auth, asked, sent) and not auth.extra_params:
        return _error("invalid_client", 401)
    if grant == "refresh_token":
        if sent.get("refresh_token") != door.refresh:
            return _error("invalid_grant")
        door.refresh = f"{door.refresh}+"
    elif grant == "password":
        words = (auth.username_ref, auth.password_ref)
        wanted = tuple(filled(one.source, door.known) if one else None for one in words)
        if (sent.get("username"), sent.get("password")) != wanted:
            return _error("invalid_grant")
    elif "jwt-bearer" in grant and str(sent.get("assertion", "")).count(".") != 2:  # noqa: PLR2004 - the parts of a JWT
        return _error("invalid_grant")
    return _handed_over(door, auth)


def _handed_over(door: Door, auth: OAuth2Auth) -> ApiReply:
    token, answer = door.new_token(), {"token_type": "bearer"}
    document: Any = answer
    if auth.token_header is None:
        document = put(document, steps_of(auth.token_path.source), token)
    document = put(document, steps_of(auth.expires_in_path.source), _LIFETIME_S)
    if door.refresh:
        document = {**document, "refresh_token": door.refresh}
    headers = {auth.token_header: token} if auth.token_header else {}
    return ApiReply(
        200, json.dumps(document).encode(), {"content-type": "application/json", **headers}
    )


def _is_client(door: Door, auth: OAuth2Auth, asked: ApiRequest, sent: Mapping[str, Any]) -> bool:
    wanted = tuple(
        filled(one.source, door.known) if one is not None else None
        for one in (auth.client_id_ref, auth.client_secret_ref)
    )
    if auth.client_auth == "basic":
        pair = _user_of(asked)
        return pair is not None and tuple(map(unquote_plus, pair)) == (
            wanted[0] or "",
            wanted[1] or "",
        )
    return (sent.get("client_id"), sent.get("client_secret")) == wanted


def _error(name: str, status: int = 400) -> ApiReply:
    return ApiReply(
        status, json.dumps({"error": name}).encode(), {"content-type": "application/json"}
    )


def _session(door: Door, auth: SessionAuth, asked: ApiRequest) -> ApiReply:
    """The answer of a login, if all secrets that the login reads are in the request."""
    text = asked.body.decode("utf-8", "replace") + str(asked.query) + str(dict(asked.headers))
    plain = unquote_plus(text) + str(_user_of(asked))
    read = {name for name in door.auth.names() if name.startswith("secrets.")}
    missing = [name for name in read if name in door.known and door.known[name] not in plain]
    if missing:
        return refused(401, "the login is not right")
    token, headers = door.new_token(), {"content-type": "application/json"}
    document: Any = {}
    if auth.token_path is not None:
        document = put(document, steps_of(auth.token_path.source), token)
    if auth.token_header:
        headers[auth.token_header] = token
    if auth.token_cookie:
        headers["set-cookie"] = f"{auth.token_cookie}={token}; Path=/"
    return ApiReply(200, json.dumps(document).encode(), headers)


def challenge(door: Door) -> dict[str, str]:
    """The header that asks for a credential."""
    if isinstance(door.auth, DigestAuth):
        return {"www-authenticate": f'Digest realm="{_REALM}", nonce="{_NONCE}", qop="auth"'}
    return {}
