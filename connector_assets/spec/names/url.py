"""A strict reading of URLs: what two parsers could read differently is refused, not guessed.

A guard that reads a URL one way while a client, a proxy or a browser reads it another is no guard.
So this accepts the spellings on which RFC 3986 and the WHATWG URL standard agree, and says why it
refuses the rest. It needs no network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import parse_qsl

import idna

from connector_assets.errors import BlockedError

Address = IPv4Address | IPv6Address

_PORTS = {"http": 80, "https": 443}
_HTTP = re.compile(r"(https?):\/\/([^/?#\\]*)([^?#\\]*)(?:[?#].*)?", re.IGNORECASE | re.DOTALL)
_UP_TO_PATH = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?(?://[^/?#]*)?")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
# C0, space, DEL and C1: some parsers drop these in silence, others end the host there.
_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_DOTTED_QUAD = re.compile(r"(?:(?:0|[1-9][0-9]{0,2})(?:\.(?!$)|$)){4}")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_DOTS = {".": "here", "..": "up"}
_LONGEST_NAME = 253
_LONGEST_URL = 1 << 20
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads: `host` is lower case, punycode, without brackets or a final dot."""

    scheme: str
    host: str
    port: int
    address: Address | None
    origin: str = field(init=False)
    """As a browser writes it: `https://api.example.com`, without the scheme's usual port."""

    def __post_init__(self) -> None:
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        object.__setattr__(self, "origin", f"{self.scheme}://{host}{port}")


def locate(url: str) -> Target:
    """Where `url` leads, or BlockedError saying which part of its spelling is refused."""
    if len(url) > _LONGEST_URL:
        raise BlockedError("the URL is longer than 1 MiB")
    if _CONTROL.search(url):
        raise BlockedError("the URL holds a space or control character", fix="percent-encode it")
    match = _HTTP.fullmatch(url)
    if match is None:
        raise BlockedError(_why_not_http(url))
    return _target(match[1].lower(), match[2])


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, normalised; BlockedError for one that cannot be trusted.

    >>> origin_of("HTTPS://API.example.com:443/v1?q=1")
    'https://api.example.com'
    """
    return locate(url).origin


def join(base: str, reference: str) -> str:
    """The URL that `reference` (a redirect, a `next` link, a path) names when read beside `base`.

    Spaces in a path or query, which servers do send, become `%20`; BlockedError for what is odd.

    >>> join("https://api.example.com/v1/items?page=1", "/v1/items?page=2")
    'https://api.example.com/v1/items?page=2'
    """
    reference = _without_spaces(reference)
    if _CONTROL.search(reference):
        raise BlockedError("the link holds a space or control character")
    if "\\" in re.split(r"[?#]", reference, maxsplit=1)[0]:
        raise BlockedError("the link holds a backslash")
    if reference.startswith("//"):
        reference = f"{locate(base).scheme}:{reference}"
    url = reference if _SCHEME.match(reference) else _beside(base, reference)
    locate(url)
    before, path, rest = _split(url)
    return f"{before}{_without_dots(path)}{rest}"


def _beside(base: str, reference: str) -> str:
    """`reference`, which has no scheme, in the place of what `base` ends with."""
    before, path, rest = _split(base)
    path = _without_dots(path)
    if reference.startswith("/"):
        return before + reference
    if reference.startswith("?"):
        return before + path + reference
    if reference.startswith("#") or not reference:
        return before + path + rest.partition("#")[0] + reference
    return f"{before}{path.rpartition('/')[0]}/{reference}"


def _split(url: str) -> tuple[str, str, str]:
    """Scheme and authority, the path, and query with fragment."""
    end = _UP_TO_PATH.match(url)
    at = end.end() if end else 0
    path = re.split(r"[?#]", url[at:], maxsplit=1)[0]
    return url[:at], path, url[at + len(path) :]


def _without_dots(path: str) -> str:
    """`path` with "." and ".." carried out, and every empty segment kept (WHATWG, path state).

    >>> _without_dots("/v1//items/../2")
    '/v1//2'
    """
    if "." not in path and "%2" not in path:
        return path or "/"
    done: list[str] = []
    last = None
    for segment in path.split("/")[1:]:
        last = _DOTS.get(segment.lower().replace("%2e", "."))
        if last is None:
            done.append(segment)
        elif last == "up" and done:
            done.pop()
    return "/" + "/".join([*done, ""] if last else done)


def next_url(base: str, reference: str) -> str:
    """`reference` resolved against the page at `base` that named it.

    Behind a proxy a server may write its own links with http: those are asked as the page was.

    >>> next_url("https://h/items", "http://h/items?page=2")
    'https://h/items?page=2'
    """
    url = join(base, reference)
    if url[:5].lower() != "http:" or base[:6].lower() != "https:":
        return url
    here, there = locate(base), locate(url)
    usual = (here.port, there.port) == (_PORTS["https"], _PORTS["http"])
    if here.host != there.host or not (usual or here.port == there.port):
        return url
    tail = _UP_TO_PATH.sub("", url, count=1)
    return f"{here.origin}{tail}"


def query_names(url: str) -> frozenset[str]:
    """The names of the parameters in a URL's query."""
    query = url.partition("#")[0].partition("?")[2]
    return frozenset(name for name, _ in parse_qsl(query, keep_blank_values=True))


def parse_host(text: str) -> tuple[str, Address | None]:
    """One canonical spelling of a host, and its address when it is a literal."""
    if text.startswith("["):
        return _ipv6(text)
    host = text if text.isascii() else _punycode(text)
    host = host.lower().removesuffix(".")
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        # The WHATWG parser reads any host that ends in a number as IPv4, octal and hex included.
        if not _DOTTED_QUAD.fullmatch(text):
            raise BlockedError("the host is an odd spelling of an IPv4 address")
        return text, _ipv4(text)
    if len(host) > _LONGEST_NAME:
        raise BlockedError("the host name is longer than 253 characters")
    for label in labels:
        _check_label(label)
    return host, None


def _without_spaces(reference: str) -> str:
    reference = reference.strip(" ")
    authority = _UP_TO_PATH.match(reference)
    end = authority.end() if authority else 0
    return reference[:end] + reference[end:].replace(" ", "%20")


def _why_not_http(url: str) -> str:
    scheme = _SCHEME.match(url)
    if scheme is None:
        return "the URL has no scheme: it must start with https://"
    if scheme[1].lower() not in _PORTS:
        return f"the scheme {scheme[1][:20]!r} is not http or https"
    if not url[scheme.end() :].startswith("//"):
        return "two slashes must follow the scheme"
    return "the URL holds a backslash"


@lru_cache(maxsize=1024)
def _target(scheme: str, authority: str) -> Target:
    if "@" in authority:
        raise BlockedError("the URL holds a user name; credentials belong in auth")
    bracketed = re.fullmatch(r"(\[[^\[\]]*\])(?::(.*))?", authority)
    if bracketed:
        host, port = bracketed[1], bracketed[2] or ""
    else:
        host, _, port = authority.partition(":")
    if not host:
        raise BlockedError("the URL has no host")
    name, address = parse_host(host)
    return Target(scheme, name, parse_port(port) if port else _PORTS[scheme], address)


def parse_port(text: str) -> int:
    """1 to 65535 in ASCII digits; BlockedError otherwise."""
    if not re.fullmatch(r"0{0,9}[0-9]{1,5}", text) or not 0 < int(text) <= _LAST_PORT:
        raise BlockedError("the port is not a number from 1 to 65535")
    return int(text)


def _check_label(label: str) -> None:
    if not label:
        raise BlockedError("the host is empty or has an empty label")
    if not _LABEL.fullmatch(label):
        raise BlockedError("the host holds a character or label that host names do not have")
    if label.startswith("xn--"):
        try:
            valid = idna.alabel(idna.ulabel(label)).decode() == label
        except UnicodeError:
            valid = False
        if not valid:
            raise BlockedError("the host holds punycode that is not valid")


def _punycode(host: str) -> str:
    # Strict: no mapping but of case, so a look-alike (full-width digits, soft hyphens, odd dots)
    # never passes.
    try:
        return idna.encode("".join(map(_lower, host)), strict=True).decode()
    except UnicodeError:
        fix = "write it in ASCII, as xn--..."
        raise BlockedError("the host is not a plain international name", fix=fix) from None


def _lower(char: str) -> str:
    # One by one, as UTS 46 does (`str.lower` knows a final sigma), and never into ASCII, as the
    # Kelvin sign would go.
    lower = char.lower()
    return lower if len(lower) == 1 and lower.isascii() == char.isascii() else char


def _ipv4(text: str) -> IPv4Address:
    try:
        return IPv4Address(text)
    except AddressValueError:
        raise BlockedError("the host is not an IPv4 address") from None


def _ipv6(text: str) -> tuple[str, IPv6Address]:
    inner = text[1:-1]
    if "%" in inner:
        raise BlockedError("the host is an IPv6 address with a zone")
    try:
        address = IPv6Address(inner)
    except AddressValueError:
        raise BlockedError("the host is not an IPv6 address") from None
    return str(address), address
