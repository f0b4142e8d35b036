"""What a token endpoint said, judged strictly: a token that any API can be sent, or an error.

An error shows the status and the server's error code (`invalid_grant`), never its other words: they
may repeat what was sent.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import msgspec

from connector_assets.errors import AuthError
from connector_assets.spec.names.paths import Path

if TYPE_CHECKING:
    import httpx

MAX_ANSWER_BYTES = 1 << 20
MAX_TOKEN_CHARS = 64 << 10
# A token said to live longer is believed for this long, in seconds.
_LONGEST_LIFE_S = 366 * 86_400.0
_TOKEN = re.compile(r"[\x21-\x7e]+")
_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
# Sent as a bearer token all the same: Apigee says "BearerToken", Slack "bot" and "user".
_BEARER_TYPES = {"bearer", "bearertoken", "bot", "user"}


@dataclass(frozen=True, slots=True)
class Tokens:
    """What is kept between runs; `expires_at` is in seconds since the epoch, None: unknown.

    `given` is a digest of the access token the operator had given when this was obtained, `scope`
    what the server says it may do.
    """

    access: str
    refresh: str | None = None
    obtained_at: float = 0.0
    expires_at: float | None = None
    given: str | None = None
    scope: str | None = None

    def __repr__(self) -> str:
        return f"Tokens(obtained_at={self.obtained_at}, expires_at={self.expires_at})"

    def record(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, record: Mapping[str, Any] | None) -> Self | None:
        """The tokens in a stored record; None where it is missing, damaged or of another form."""
        try:
            tokens = msgspec.convert(asdict(cls(**record)), cls) if record else None
        except (TypeError, msgspec.ValidationError):
            return None
        return tokens if tokens and _can_be(tokens) else None

    def fresh(self, now: float, leeway_s: float) -> bool:
        """Whether to use it as it is; a short life is used up to its half, whatever the leeway."""
        if self.expires_at is None:
            return True
        life = self.expires_at - self.obtained_at
        return now < self.expires_at - min(leeway_s, life / 2)


def where(request: httpx.Request) -> str:
    return f"{request.method} {request.url.host}{request.url.path}"


@dataclass(frozen=True, slots=True)
class TokenShape:
    """Where an answer holds what: paths, and a lifetime where the answer says none.

    With `token_header` or `token_cookie` the token is there, and the body may be anything.
    `any_type` takes tokens that say they are of another type than bearer.
    """

    token_path: Path | None
    expires_in_path: Path | None = None
    lifetime_s: float | None = None
    token_header: str | None = None
    token_cookie: str | None = None
    any_type: bool = False

    def tokens(self, response: httpx.Response, now: float) -> Tokens:
        """The tokens in a good answer; raises AuthError for any other."""
        request = response.request
        body = _json(response, needed=self.token_path is not None)
        if not response.is_success:
            raise refused(response, body)
        if not isinstance(body, dict):
            if self.token_path is not None:
                raise _wrong(request, "answered with something that is not a JSON object")
            body = {}
        access, where_it_is = self._access(response, body)
        if access is None and body.get("error"):
            raise refused(response, body)
        kind = body.get("token_type")
        if isinstance(kind, str) and kind.lower() not in _BEARER_TYPES and not self.any_type:
            raise _wrong(
                request, f'gave a token of type "{_code(kind)}"', fix="only bearer is known"
            )
        refresh = body.get("refresh_token")
        return Tokens(
            access=_token(access, request, where_it_is),
            refresh=None if refresh is None else _token(refresh, request, "refresh_token"),
            obtained_at=now,
            expires_at=self._expiry(body, now),
            scope=scope if isinstance(scope := body.get("scope"), str) else None,
        )

    def _access(self, response: httpx.Response, body: Any) -> tuple[Any, str]:
        """The token, and where it was looked for."""
        if self.token_header:
            return response.headers.get(self.token_header), self.token_header
        if self.token_cookie:
            return _cookie(response, self.token_cookie), self.token_cookie
        assert self.token_path is not None
        return self.token_path.get(body), str(self.token_path)

    def _expiry(self, body: Any, now: float) -> float | None:
        given = self.expires_in_path.get(body) if self.expires_in_path else None
        life = seconds(given) or self.lifetime_s
        return None if life is None else now + life


def seconds(value: Any) -> float | None:
    """A lifetime as servers write it; None where it says nothing usable: 0, -1, null, "soon".

    >>> seconds("3600"), seconds(-1), seconds(None)
    (3600.0, None, None)
    """
    if isinstance(value, bool):
        return None
    try:
        life = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if math.isnan(life) or life <= 0:
        return None
    return min(life, _LONGEST_LIFE_S)


def refused(response: httpx.Response, body: Any) -> AuthError:
    """The error for an answer that is none; only a server's fault is worth another try."""
    status = response.status_code
    if response.is_redirect:
        return _wrong(
            response.request, f"{status}, a redirect", fix="set tokenUrl to where it leads"
        )
    code = body.get("error") if isinstance(body, dict) else None
    # Slack, Google: {"error": {"status": "INVALID_ARGUMENT"}} has no code to quote.
    said = f" {_code(code)}" if isinstance(code, str) else ""
    return AuthError(
        f"{status}{said}",
        where=where(response.request),
        fix="check the client's credentials, and that the refresh token is the newest",
        status=status,
    )


def _cookie(response: httpx.Response, name: str) -> str | None:
    """The value of the cookie that the answer sets last under `name`."""
    pairs = (text.partition(";")[0] for text in response.headers.get_list("set-cookie"))
    named = [pair.partition("=")[2].strip() for pair in pairs if pair.split("=")[0].strip() == name]
    return named[-1] if named else None


def _json(response: httpx.Response, *, needed: bool) -> Any:
    try:
        content = response.read()
        if len(content) > MAX_ANSWER_BYTES:
            raise _wrong(response.request, "answered with more than 1 MiB")
        return json.loads(content)
    except (ValueError, RecursionError):
        if response.is_success and needed:
            raise _wrong(response.request, "answered with something that is not JSON") from None
        return None


def _token(value: Any, request: httpx.Request, path: str) -> str:
    if value is None or value == "":
        raise _wrong(request, f'answered without a token at "{path}"')
    if not isinstance(value, str):
        raise _wrong(request, f'answered with "{path}" that is not text')
    if not _is_token(value):
        raise _wrong(request, f'answered with "{path}" that no header can carry')
    return value


def _can_be(tokens: Tokens) -> bool:
    times = (tokens.obtained_at, tokens.expires_at or 0.0)
    texts = (tokens.access, "-" if tokens.refresh is None else tokens.refresh)
    return all(map(math.isfinite, times)) and all(map(_is_token, texts))


def _is_token(text: str) -> bool:
    return len(text) <= MAX_TOKEN_CHARS and bool(_TOKEN.fullmatch(text))


def _code(text: str) -> str:
    return text if _CODE.fullmatch(text) else "(unreadable)"


def _wrong(request: httpx.Request, what: str, fix: str = "") -> AuthError:
    return AuthError(what, where=where(request), fix=fix or "check the token URL")
