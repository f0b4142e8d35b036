"""JSON Web Tokens signed here (RFC 7519), by PyJWT."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Literal

from connector_assets.errors import ConfigError
from connector_assets.spec.auth.auth_parts import Placed, Signed
from connector_assets.spec.auth.credentials import AuthContext, Flow, put
from connector_assets.spec.templates.refs import SecretRef
from connector_assets.spec.templates.template import Template, render

if TYPE_CHECKING:
    import httpx

Algorithm = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
    "ES256", "ES384", "ES512", "EdDSA",
]  # fmt: skip


def signed(
    fields: Signed, algorithm: Algorithm, key_ref: Template, context: AuthContext, **claims: Any
) -> str:
    """A token as `fields` say; `claims` are those the document need not give."""
    import jwt

    now = int(context.clock())
    times = {"iat": now, "exp": now + max(1, int(fields.lifetime_seconds))}
    key = _pem(context.text(key_ref))
    payload = {**times, **claims, **render(fields.claims, context.scope)}
    headers = render(fields.headers, context.scope)
    try:
        with warnings.catch_warnings():
            # A key as short as the vendor made it is the vendor's business.
            warnings.simplefilter("ignore", jwt.warnings.InsecureKeyLengthWarning)
            return jwt.encode(payload, key, algorithm, headers)
    except (jwt.PyJWTError, ValueError, TypeError, NotImplementedError):
        raise ConfigError(
            f"the key cannot sign with {algorithm}",
            where=key_ref.source,
            fix="give a PEM private key that fits, or text for HS256",
        ) from None


class JwtFlow(Flow):
    """Signs a token, and another before the first expires."""

    requires_request_body = True

    def __init__(self, auth: JwtAuth, context: AuthContext) -> None:
        self._auth, self._context = auth, context
        self._lock = threading.Lock()
        self._token, self._until = "", 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        value = self._auth.before + self._current()
        yield put(request, self._auth.in_, self._auth.name, value)

    def _current(self) -> str:
        with self._lock:
            now = self._context.clock()
            if now >= self._until:
                self._token = signed(
                    self._auth, self._auth.algorithm, self._auth.key_ref, self._context
                )
                self._context.learn("jwt", self._token)
                # A tenth of its life is left for the way there and for a clock that differs.
                self._until = now + self._auth.lifetime_seconds * 0.9
            return self._token


def _pem(key: str) -> str:
    """A PEM key that came through an environment variable may have lost its line breaks."""
    return key.replace("\\n", "\n") if key.startswith("-----BEGIN") else key


class JwtAuth(Signed, Placed):
    """A token signed here for each `lifetimeSeconds`, sent with every request."""

    type: Literal["jwt"]
    """A token signed here and sent with every request."""
    algorithm: Algorithm
    """How it is signed (RFC 7518): HS with a shared text, the others with a private key."""
    key_ref: SecretRef
    """The key: text for HS, PEM for the others, where `\\n` may stand for line breaks."""

    def flow(self, context: AuthContext) -> JwtFlow:
        return JwtFlow(self, context)
