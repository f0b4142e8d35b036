"""The guard against SSRF: which hosts and addresses a spec from a stranger may reach.

A name is resolved once, every address of the answer is judged, and only a judged address is dialled
(`dial.py`); so a name cannot lead somewhere else between the check and the connection. The
operator opens what is private, entry by entry:

    127.0.0.1:8000       this literal, this port; `localhost:8000` is another host
    [::1]:8000           the same for IPv6
    jira.corp.example    this name, wherever it resolves, any port
    10.20.0.0/16         these addresses, whatever name leads there

An address where clouds serve credentials opens only when it is listed itself.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from connector_assets.errors import BlockedError, ConfigError, RequestError
from connector_assets.runtime.guard.addresses import is_metadata, special
from connector_assets.spec.names.url import (
    Address,
    Target,
    join,
    locate,
    origin_of,
    parse_host,
    parse_port,
)

__all__ = ["Guard", "Verdict", "join", "judge_url", "locate", "origin_of"]

Resolve = Callable[[str], Sequence[str]]

# Names that mean "here" or "inside" whatever a resolver says about them (RFC 6761, 6762, 8375,
# ICANN's private use, Kubernetes, and clouds' metadata services under public-looking names).
_INSIDE_NAMES = """
    localhost localdomain local internal intranet private corp home lan arpa svc onion alt
    metadata.goog metadata.packet.net metadata.platformequinix.com metadata.tencentyun.com
"""
_INSIDE = frozenset(_INSIDE_NAMES.split())
# Ports where something other than HTTP listens: a request there would be read as its commands.
# The fetch standard's list, and databases, caches and brokers it does not know.
_NOT_HTTP_PORTS = """
    1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113
    115 117 119 123 135 137 139 143 161 179 389 427 445 465 512 513 514 515 526 530 531 532 540 548
    554 556 563 587 601 636 873 989 990 993 995 1080 1433 1434 1521 1719 1720 1723 2049 2181 2375
    3306 3389 3659 4045 4190 5060 5061 5432 5672 5900 6000 6379 6566 6665 6666 6667 6668 6669 6679
    6697 9042 9092 10080 11211 27017 27018 27019
"""
_NOT_HTTP = frozenset(map(int, _NOT_HTTP_PORTS.split()))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a URL may be requested; `reason` says why not, `addresses` where it would go."""

    allowed: bool
    reason: str = ""
    addresses: tuple[str, ...] = ()


def judge_url(
    url: str, *, resolve: Resolve | None = None, allow_private: Sequence[str] = ()
) -> Verdict:
    """Judge a URL without requesting it; with `resolve` given, without any network.

    >>> judge_url("http://[::ffff:10.0.0.1]/").reason
    'the address ::ffff:a00:1 is private'
    """
    return Guard(allow_private, resolve).judge(url)


class Guard:
    """The operator's rules: what is public is open, what is private is open only by an entry."""

    def __init__(self, allow_private: Sequence[str] = (), resolver: Resolve | None = None) -> None:
        self.resolver = resolver
        self._entries = tuple(_Entry.parse(text) for text in allow_private)
        self._admitted: set[str] = set()
        self._trusted: dict[tuple[str, int], bool] = {}

    def judge(self, url: str) -> Verdict:
        """The verdict on a URL, its host resolved."""
        try:
            target = locate(url)
            return Verdict(True, "", self.addresses(target.host, target.port))
        except (BlockedError, RequestError) as error:
            return Verdict(False, error.what)

    def admit(self, target: Target) -> None:
        """Refuse what needs no resolution to be refused: a port, a literal, an inside name."""
        if target.origin in self._admitted:
            return
        if target.address is not None:
            self.addresses(target.host, target.port)
        else:
            self._check_name(target.host, target.port)
        self._admitted.add(target.origin)

    def admit_unresolved(self, host: str, port: int) -> None:
        """Judge a host that a proxy is to resolve and dial: all that its name alone can tell.

        An address is judged as one that we dial; a name for the inside of a network is refused
        unless it was opened by that name, as nobody here sees whether a range would cover it.
        """
        name, literal = parse_host(f"[{host}]" if ":" in host else host)
        if literal is not None:
            self.addresses(host, port)
            return
        self._check_name(name, port)
        if _is_inside(name) and not self.trusts(name, port):
            raise BlockedError(_INSIDE_NAME, fix=_FIX)

    def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """The addresses that may be dialled for `host`, all judged; one bad address refuses all.

        Blocks while it resolves: the caller bounds its time. RequestError if nobody answers.
        """
        name, literal = parse_host(f"[{host}]" if ":" in host else host)
        self._check_name(name, port)
        found = (literal,) if literal is not None else _parse_all(self._resolve(name))
        for address in found:
            self._check_address(name, port, address)
        if literal is None and _is_inside(name) and not self._opened(name, port, found):
            raise BlockedError(_INSIDE_NAME, fix=_FIX)
        return tuple(dict.fromkeys(map(str, found)))

    def trusts(self, host: str, port: int) -> bool:
        """Whether the operator named this host: then plain http may carry credentials to it."""
        known = self._trusted.get((host, port))
        if known is None:
            known = self._trusted[host, port] = self._named(host, port)
        return known

    def _named(self, host: str, port: int) -> bool:
        literal = _literal(host)
        in_range = literal is not None and any(entry.covers(literal) for entry in self._entries)
        return in_range or any(entry.names(host, port) for entry in self._entries)

    def _opened(self, name: str, port: int, found: Sequence[Address]) -> bool:
        if any(entry.names(name, port) for entry in self._entries):
            return True
        return all(any(entry.covers(address) for entry in self._entries) for address in found)

    def _check_name(self, name: str, port: int) -> None:
        listed = any(entry.port == port and entry.host == name for entry in self._entries)
        if port in _NOT_HTTP and not listed:
            raise BlockedError(f"port {port} is not for HTTP", fix=_FIX)
        # Refused without asking a resolver, unless a range could yet open where the name leads.
        ranges = any(entry.network for entry in self._entries)
        if _literal(name) is None and _is_inside(name) and not (ranges or self.trusts(name, port)):
            raise BlockedError(_INSIDE_NAME, fix=_FIX)

    def _check_address(self, name: str, port: int, address: Address) -> None:
        if is_metadata(address):
            # A name or a range may be broader than its author knows; the literal cannot be.
            listed = any(entry.names(str(address), port) for entry in self._entries)
            if not (listed and self._opened(name, port, [address])):
                raise BlockedError(f"the address {address} is a cloud's metadata service")
        elif (reason := special(address)) and not self._opened(name, port, [address]):
            raise BlockedError(f"the address {address} is {reason}", fix=_FIX)

    def _resolve(self, name: str) -> Sequence[str]:
        try:
            found = (self.resolver or system_resolver)(name)
        except OSError:
            raise RequestError(
                "the host name does not resolve",
                fix="check it, and the network",
                retryable=True,
                part="dns",
            ) from None
        # A resolver of the caller's may raise anything; none of it may pass as a traceback.
        except Exception as error:  # noqa: BLE001
            raise BlockedError(f"resolving the host failed ({type(error).__name__})") from None
        if not found:
            raise BlockedError("the host name has no address")
        return found


_INSIDE_NAME = "the host is a name for the inside of a network"
_FIX = "if it is meant, allow it with --allow-private HOST:PORT"


def system_resolver(host: str) -> list[str]:
    """What the operating system answers, in its order of preference."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in found]


def _parse_all(texts: Sequence[str]) -> tuple[Address, ...]:
    try:
        addresses = tuple(ipaddress.ip_address(text) for text in texts)
    except ValueError:
        raise BlockedError("the resolver gave something that is not an address") from None
    if any(getattr(address, "scope_id", None) for address in addresses):
        raise BlockedError("the host resolves to an address with a zone")
    return addresses


def _is_inside(name: str) -> bool:
    labels = name.split(".")
    if len(labels) == 1:
        return True
    return any(".".join(labels[start:]) in _INSIDE for start in range(len(labels)))


@lru_cache(maxsize=1024)
def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of `allow_private`: a host with or without a port, or a range."""

    host: str = ""
    port: int | None = None
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None

    def names(self, host: str, port: int) -> bool:
        return self.host == host and self.port in (None, port)

    def covers(self, address: Address) -> bool:
        return self.network is not None and address in self.network

    @classmethod
    def parse(cls, text: str) -> _Entry:
        try:
            if "/" in text:
                return cls(network=ipaddress.ip_network(text))
            if text.count(":") > 1 and not text.startswith("["):
                return cls(parse_host(f"[{text}]")[0])
            host, colon, port = text.rpartition(":")
            if not colon or port.endswith("]"):
                return cls(parse_host(text)[0])
            return cls(parse_host(host)[0], parse_port(port))
        except (ValueError, BlockedError):
            fix = "write HOST, HOST:PORT, [IPV6]:PORT or a range such as 10.0.0.0/8"
            raise ConfigError(
                f"{text!r} is not a host or range", where="allow_private", fix=fix
            ) from None
