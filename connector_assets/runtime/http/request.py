"""A request as it goes out: what `httpx.Request` is, without reading its whole URL for each page.

The pages of a list differ in their queries. httpx takes 15 µs to read a URL, and as long again to
make a request of it, so what comes before the query is read once (ADR 14). An auth, and a transport
of the caller's, still get an `httpx.Request`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import httpx
from msgspec import Struct
from msgspec.structs import replace

from connector_assets.errors import RequestError
from connector_assets.runtime.http.decode import ACCEPT_ENCODING

DEFAULT_HEADERS = {
    b"accept": b"application/json",
    b"accept-encoding": ACCEPT_ENCODING.encode(),
    b"user-agent": b"connector-assets",
}
"""What a request says unless it says otherwise."""
_PLAIN_HEADERS = (b"host", b"accept", b"accept-encoding", b"user-agent")
_PORTS = {"http": 80, "https": 443}
_LONGEST_PATH, _LONGEST_URL = 200, 1 << 15
# What httpx, too, sends on as it stands.
_PLAIN_QUERY = re.compile(r"(?:[A-Za-z0-9._~!$&()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*+")


class Origin(NamedTuple):
    """Where a connection leads; two names on one address share none."""

    scheme: str
    host: str
    port: int


class Resource(NamedTuple):
    """All of a URL but its query, in ASCII. `authority` is what the Host header says."""

    origin: Origin
    authority: str
    path: str
    has_user: bool


class Request(Struct, frozen=True):
    """Immutable, so that an auth can sign the same one anew.

    `query` is None where the URL has no question mark. `is_token` says that it asks for a token.
    """

    method: str
    resource: Resource
    query: str | None
    headers: tuple[tuple[bytes, bytes], ...]
    content: bytes = b""
    is_token: bool = False

    @classmethod
    def get(cls, url: str, headers: Mapping[bytes, bytes]) -> Request:
        """A GET of `url`; RequestError for one that is none."""
        resource, query = _read(url)
        host = (b"Host", resource.authority.encode())
        return cls("GET", resource, query, (host, *headers.items()))

    @classmethod
    def of(cls, request: httpx.Request) -> Request:
        """What httpx, or an auth, made."""
        is_token = request.extensions.get("purpose") == "token"
        headers = tuple(request.headers.raw)
        return cls(request.method, *_parts(request.url), headers, request.read(), is_token)

    def to_httpx(self, extensions: Mapping[str, Any] | None = None) -> httpx.Request:
        """The same for httpx."""
        stream = httpx.ByteStream(self.content)
        given = dict(extensions or {})
        request = httpx.Request(
            self.method, self.url, headers=self.headers, stream=stream, extensions=given
        )
        request.read()
        return request

    def at(self, url: str) -> Request:
        """The same request of another URL."""
        resource, query = _read(url)
        others = [pair for pair in self.headers if pair[0].lower() != b"host"]
        headers = ((b"Host", resource.authority.encode()), *others)
        return replace(self, resource=resource, query=query, headers=headers)

    def bare(self) -> Request:
        """The same request without the headers that say who asks."""
        kept = tuple(pair for pair in self.headers if pair[0].lower() in _PLAIN_HEADERS)
        return replace(self, headers=kept)

    def having(self, headers: Mapping[str, str]) -> Request:
        """This request with more `headers`, instead of those of the same names."""
        if not headers:
            return self
        new = [(name.encode(), value.encode()) for name, value in headers.items()]
        names = {name.lower() for name, _ in new}
        kept = [pair for pair in self.headers if pair[0].lower() not in names]
        return replace(self, headers=(*kept, *new))

    def values(self, name: bytes) -> list[bytes]:
        """The values of the headers called `name`, which is in lower case."""
        return [value for key, value in self.headers if key.lower() == name]

    def __repr__(self) -> str:
        return f"Request({self.method} {self.resource.authority})"

    @property
    def target(self) -> str:
        """What the request line says: path and query."""
        path = self.resource.path
        return path if self.query is None else f"{path}?{self.query}"

    @property
    def url(self) -> str:
        return f"{self.resource.origin.scheme}://{self.resource.authority}{self.target}"

    @property
    def label(self) -> str:
        """The request in an error: method, host and path, never a query."""
        _, authority, path, _ = self.resource
        # Whole or not at all: a piece of a secret would not be recognised and masked.
        return f"{self.method} {authority}{path if len(path) <= _LONGEST_PATH else '/…'}"


def parsed(url: str) -> httpx.URL:
    """A URL as httpx reads it; RequestError for one that is none."""
    # httpx takes a port to be another than usual where the scheme is in capitals.
    scheme, mark, rest = url.partition("://")
    try:
        return httpx.URL(f"{scheme.lower()}{mark}{rest}")
    except (httpx.InvalidURL, UnicodeError):
        raise RequestError("the URL is not valid", fix="check its length and characters") from None


def _read(url: str) -> tuple[Resource, str | None]:
    before, mark, query = url.partition("?")
    if "#" in url or len(url) > _LONGEST_URL or not _PLAIN_QUERY.fullmatch(query):
        return _parts(parsed(url))
    return _resource(before), query if mark else None


@lru_cache(maxsize=256)
def _resource(url: str) -> Resource:
    return _parts(parsed(url))[0]


def _parts(url: httpx.URL) -> tuple[Resource, str | None]:
    path, mark, query = url.raw_path.decode("ascii").partition("?")
    port = url.port or _PORTS.get(url.scheme, 0)
    origin = Origin(url.scheme, url.raw_host.decode("ascii"), port)
    authority = url.netloc.decode("ascii")
    resource = Resource(origin, authority, path, has_user=bool(url.userinfo))
    return resource, query if mark else None
