"""What an auth needs to act: secrets, a place for tokens, a clock; and how a credential is put on.

The protocols are here so that the models know no runtime: files, servers, sockets and clocks come
in through `AuthContext`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import quote, unquote_plus

import msgspec

from connector_assets.errors import ConfigError
from connector_assets.redact import Secrets
from connector_assets.spec.request.body import Requestable
from connector_assets.spec.templates.template import Template

if TYPE_CHECKING:
    import httpx

CredentialWhere = Literal["header", "query", "body", "cookie"]

# Visible ASCII and inner spaces: what any server reads the same way in a header (RFC 9110, 5.5).
_HEADER_SAFE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_COOKIE_SAFE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+")


class TokenStore(Protocol):
    """Where tokens outlive a process, and where one process waits for another's renewal."""

    def lock(self, key: str, cancel: threading.Event) -> AbstractContextManager[None]:
        """Alone with `key`, among threads, processes and (with a server) machines."""
        ...

    def read(self, key: str) -> Mapping[str, Any] | None:
        """The record last written, None without one."""
        ...

    def write(self, key: str, record: Mapping[str, Any]) -> None:
        """Keep `record`; it is safe on disk when this returns."""
        ...


def _no_login(_login: Requestable) -> httpx.Request:
    raise ConfigError("a session needs a runtime that renders its login")


@dataclass(frozen=True)
class AuthContext:
    """All that an auth may know and do; one per connection and read.

    `scope` is what templates see (`secrets` and `config` among it). `clock` gives seconds since the
    epoch. `learn(name, value)` adds a token obtained on the way to what is masked.
    `plain_http(url)` says whether the operator allows http to this private host. `request(login)`
    renders a session's login.
    """

    connection: str
    secrets: Secrets
    scope: Mapping[str, Any] = field(repr=False)
    tokens: TokenStore
    clock: Callable[[], float] = time.time
    cancel: threading.Event = field(default_factory=threading.Event)
    learn: Callable[[str, str], None] = lambda _name, _value: None
    plain_http: Callable[[httpx.URL], bool] = lambda _url: False
    request: Callable[[Requestable], httpx.Request] = _no_login

    def text(self, template: Template) -> str:
        """The rendered text, which must not be empty: never `Bearer ` with nothing behind it."""
        value = template.text(self.scope)
        if not value:
            label = ", ".join(sorted(template.names)) or "auth"
            raise ConfigError("is empty", where=label, fix="give it a value")
        return value

    def optional(self, template: Template | None) -> str | None:
        """The rendered text, None where its secrets are not given or empty."""
        if template is None:
            return None
        secrets = (name for name in template.required if name.startswith("secrets."))
        given = all(self.secrets.get(name.split(".")[1]) for name in secrets)
        return self.text(template) if given else None

    def values(self, names: Iterable[str]) -> dict[str, Any]:
        """The values of template names, in order of name; None for one that has none."""
        return {name: _value(self.scope, name) for name in sorted(names)}

    def user(self, username: Template, password: Template) -> tuple[str, str]:
        """User name and password; one of them may be empty."""
        name, word = (t.text(self.scope, allow_empty=True) or "" for t in (username, password))
        if not (name or word):
            raise ConfigError("user name and password are both empty", fix="give one a value")
        if ":" in name:
            raise ConfigError("a user name cannot hold a colon", where=username.source)
        return name, word

    def https(self, url: str) -> httpx.URL:
        """`url` if credentials may be sent there."""
        import httpx

        parsed = httpx.URL(url)
        if parsed.scheme == "https" or (parsed.scheme == "http" and self.plain_http(parsed)):
            return parsed
        raise ConfigError(
            "a token URL must be https://",
            where=f"{parsed.host}{parsed.path}",
            fix="or allow its host as private",
        )


class Flow:
    """An auth at work: what it does to requests, and what may be asked of it beside.

    It is asked as an `httpx.Auth` is, and is none: who reads a document needs no httpx.
    """

    requires_request_body = False

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Yield the request with credentials, and any that have to be answered before."""
        yield request

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """The same, with the request's body read first if it is needed."""
        if self.requires_request_body:
            request.read()
        yield from self.auth_flow(request)

    @property
    def granted(self) -> str | None:
        """The scopes of its present token, where the server tells."""
        return None

    def refuse(self, access: str | None = None) -> bool:
        """Get other credentials before the next request; False where there are none to get."""
        del access
        return False


class FixedFlow(Flow):
    """One fixed value at one place."""

    requires_request_body = True

    def __init__(self, where: CredentialWhere, name: str, value: str) -> None:
        self._where, self._name, self._value = where, name, value

    def header(self) -> tuple[str, str] | None:
        """The header it is, for who has no use for a flow; None where it goes elsewhere."""
        return (self._name, _header(self._name, self._value)) if self._where == "header" else None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        yield put(request, self._where, self._name, self._value)


class BasicFlow(FixedFlow):
    """Basic authentication (RFC 7617), in UTF-8."""

    def __init__(self, username: str, password: str) -> None:
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        super().__init__("header", "Authorization", f"Basic {pair}")


def _value(scope: Any, name: str) -> Any:
    for key in name.split("."):
        scope = scope.get(key) if isinstance(scope, Mapping) else None
    return scope


def check_header(value: str, what: str) -> str:
    """`value` if a header can carry it; the usual culprit is a line break read from a file."""
    if not _HEADER_SAFE.fullmatch(value):
        raise ConfigError(
            f"{what} holds a character that a header cannot carry",
            fix="look for a line break, a space at an end, or a letter outside ASCII",
        )
    return value


def put(request: httpx.Request, where: CredentialWhere, name: str, value: str) -> httpx.Request:
    """`request` with the credential at `name`, instead of one that is there already."""
    if where == "header":
        request.headers[name] = _header(name, value)
    elif where == "cookie":
        request.headers["cookie"] = _cookie(request.headers.get("cookie", ""), name, value)
    elif where == "query":
        query = _pairs(request.url.query, name, value)
        request.url = request.url.copy_with(query=query)
    else:
        return _with_body(request, name, value)
    return request


def _header(name: str, value: str) -> str:
    return check_header(value, f'the value of header "{name}"')


def _cookie(cookies: str, name: str, value: str) -> str:
    if not _COOKIE_SAFE.fullmatch(value):
        raise ConfigError(
            f'the value of cookie "{name}" holds a character that no cookie can carry'
        )
    others = [pair.strip() for pair in cookies.split(";")]
    kept = [pair for pair in others if pair and pair.partition("=")[0] != name]
    return "; ".join([*kept, f"{name}={value}"])


def _pairs(encoded: bytes, name: str, value: str) -> bytes:
    """`encoded` with `name` set; all other pairs stay as they are, byte for byte."""
    pairs = encoded.decode("ascii", "surrogateescape").split("&")
    kept = [pair for pair in pairs if pair and unquote_plus(pair.partition("=")[0]) != name]
    text = "&".join([*kept, f"{quote(name, safe='')}={quote(value, safe='')}"])
    return text.encode("ascii", "surrogateescape")


def _with_body(request: httpx.Request, name: str, value: str) -> httpx.Request:
    content = request.read()
    if "form" in request.headers.get("content-type", ""):
        return with_content(request, _pairs(content, name, value))
    try:
        # Raw: what is not touched is sent on byte for byte, a 70-bit integer too.
        fields = msgspec.json.decode(content or b"{}", type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        raise ConfigError(
            "the credential goes into the body, and this body is neither a JSON object nor a form",
            fix='use "in: header" or "in: query"',
        ) from None
    fields[name] = msgspec.Raw(msgspec.json.encode(value))
    return with_content(request, msgspec.json.encode(fields))


def with_content(request: httpx.Request, content: bytes) -> httpx.Request:
    """The same request with another body."""
    import httpx

    headers = request.headers.copy()
    headers.pop("content-length", None)
    headers.setdefault("content-type", "application/json")
    return httpx.Request(
        request.method,
        request.url,
        headers=headers,
        content=content,
        extensions=request.extensions,
    )


def fingerprint(*parts: object) -> str:
    """A name for a set of credentials that tells nothing about them."""
    text = json.dumps(parts, default=str).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()
