"""How requests leave: through which proxy, trusting whom, and with which certificate.

All of it is the operator's, of one connection or of a whole project; a spec says nothing of it.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

import certifi

from connector_assets.errors import ConfigError

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy is a server through which requests are sent.

    With `resolves` the proxy looks up the host names; without it they are looked up here, and the
    proxy is given an address. `username` and `password` are sent to the proxy in a Basic header,
    and to no other server.
    """

    scheme: str
    host: str
    port: int
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    resolves: bool = True

    @classmethod
    def parse(
        cls, url: str, *, username: str = "", password: str = "", resolves: bool = True
    ) -> Self:
        """From `http://[user:password@]host:port`, or https; ValueError for anything else.

        >>> str(Proxy.parse("http://me:word@proxy.corp.example:3128"))
        'proxy.corp.example:3128'
        """
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in _PORTS:
            raise ValueError("must be http://host:port or https://host:port")
        bare = not (parts.path.strip("/") or parts.query or parts.fragment)
        if not (parts.hostname and bare) or any(char.isspace() for char in url):
            raise ValueError("must be a host and a port, such as http://proxy.corp.example:3128")
        port = parts.port or _PORTS[parts.scheme]  # ValueError where it is no number
        user, word = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.scheme, parts.hostname, port, username or user, password or word, resolves)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The headers that requests to the proxy carry: its credentials, if it has any."""
        if not (self.username or self.password):
            return ()
        pair = base64.b64encode(f"{self.username}:{self.password}".encode())
        return ((b"Proxy-Authorization", b"Basic " + pair),)


@dataclass(frozen=True, slots=True)
class Network:
    """A network says how a connection's requests leave; equal ones share their sockets.

    `http` and `https` are the proxies for URLs of these schemes, `direct` the hosts that are asked
    without one: a name and what is below it, `HOST:PORT`, an address, a range, or `*`. `ca_bundle`
    (a PEM file, or a folder of them) replaces the public roots. `certificate` is the PEM file of a
    client certificate, `key` that of its key or the PEM itself, if the first does not hold it.
    """

    http: Proxy | None = None
    https: Proxy | None = None
    direct: tuple[str, ...] = ()
    ca_bundle: str = ""
    certificate: str = ""
    key: str = field(default="", repr=False)
    key_password: str = field(default="", repr=False)

    def proxy_for(self, scheme: str, host: str, port: int) -> Proxy | None:
        """The proxy that a request goes through, if it goes through one."""
        proxy = self.https if scheme == "https" else self.http
        if proxy is None or any(_covers(entry, host, port) for entry in self.direct):
            return None
        return proxy

    def tls(self, *, as_client: bool = True) -> ssl.SSLContext:
        """What verifies servers, and with `as_client` shows them the client certificate."""
        files = (os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", ""))
        known = as_client and self.certificate
        client = (self.certificate, self.key, self.key_password) if known else None
        return _context(self.ca_bundle, *files, client)


def _covers(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    name, colon, last = entry.rpartition(":")
    if colon and last.isdigit() and entry.count(":") == 1:
        return int(last) == port and _covers(name, host, port)
    name = entry.lower().removeprefix("*").lstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


@cache
def _context(
    bundle: str, file: str, directory: str, client: tuple[str, str, str] | None
) -> ssl.SSLContext:
    # Not create_default_context: that one obeys SSLKEYLOGFILE. This type verifies by default.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    context.set_alpn_protocols(["http/1.1"])
    _trust(context, bundle, file, directory)
    if client:
        _identify(context, *client)
    return context


def _trust(context: ssl.SSLContext, bundle: str, file: str, directory: str) -> None:
    try:
        if bundle:
            is_folder = Path(bundle).is_dir()
            context.load_verify_locations(*((None, bundle) if is_folder else (bundle, None)))
        elif file or directory:
            context.load_verify_locations(file or None, directory or None)
        else:
            context.load_verify_locations(certifi.where())
    except OSError:  # an SSLError is one, too
        fix = "point it to a readable PEM file or directory, or unset it"
        name = "SSL_CERT_FILE" if file else "SSL_CERT_DIR"
        where = f"the CA bundle {bundle}" if bundle else name
        raise ConfigError("holds no certificates that can be read", where=where, fix=fix) from None


def _identify(context: ssl.SSLContext, certificate: str, key: str, password: str) -> None:
    try:
        with _as_file(key) as file:
            # Never None: Python would then ask for it at the terminal.
            context.load_cert_chain(certificate, file, password=password.encode)
    except ssl.SSLError as error:
        what = f"cannot be used with its key ({(error.reason or 'no key can be read').lower()})"
        fix = "check that the key belongs to it, and the key's password"
        raise ConfigError(what, where=f"the client certificate {certificate}", fix=fix) from None
    except OSError as error:
        where = f"the client certificate {certificate}, or its key"
        raise ConfigError(f"cannot be read ({error.strerror})", where=where) from None


@contextmanager
def _as_file(key: str) -> Iterator[str | None]:
    """The file of a key; one given as text is written for a moment, for nobody else to read."""
    if "-----BEGIN" not in key:
        yield key or None
        return
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # made with mode 0600
        file.write(key.replace("\\n", "\n"))
        file.flush()
        yield file.name
