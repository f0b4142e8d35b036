"""One guarded HTTP exchange: a request, its redirects, and what the auth asks in between.

What must never be forgotten happens here: credentials only to declared origins, redirects followed
by hand under the same rules, one deadline over all of it, size limits while streaming, and errors
of our own tree only. There is no cookie jar and no proxy; each request stands alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Generator, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import IO, Any, Protocol

import httpx
from msgspec import Struct

from connector_assets.errors import AuthError, BlockedError, ConnectorError, RequestError
from connector_assets.runtime.http import logs
from connector_assets.runtime.http.broken_exchange import in_our_words
from connector_assets.runtime.http.decode import DecodedBody
from connector_assets.runtime.http.request import Request
from connector_assets.runtime.http.transport import StreamedReply
from connector_assets.runtime.http.watch import Watch
from connector_assets.spec.auth.credentials import FixedFlow, Flow
from connector_assets.spec.names.url import Target, join, locate

_REDIRECTS = (301, 302, 303, 307, 308)
_SAME_REQUEST = (307, 308)
_SAFE_METHODS = ("GET", "HEAD")
_CREDENTIAL_HEADERS = (b"authorization", b"cookie", b"proxy-authorization")
_SHOWN_ORIGINS = 5
IN_MEMORY = 4 << 20
"""Bytes of a body that are held in memory where it may go to a file."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, whatever its status. `url` is the one that answered, after redirects.

    `body` is decompressed; `wire_bytes` counts it as it came. `elapsed_s` is the time of the whole
    exchange, with redirects and what the auth asked in between. `file` has the whole body if it was
    written to one, and `body` then its beginning.
    """

    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)
    url: str = field(repr=False)
    wire_bytes: int = 0
    elapsed_s: float = 0.0
    file: IO[bytes] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one exchange may take: seconds, bytes, hops.

    `total_s` is wall clock over redirects, token requests and body; `read_s` is a silence's limit.
    `max_bytes` holds for the body unpacked, `max_wire_bytes` as received (None: the same).
    `max_ratio` limits how far a body may unpack once it is over 16 MiB. `to_file` writes the body
    of a 2xx answer to a temporary file, once it has some megabytes. `min_rate` is in bytes of body
    a second.
    """

    connect_s: float = 10.0
    read_s: float = 60.0
    total_s: float = 300.0
    max_bytes: int = 128 << 20
    max_wire_bytes: int | None = None
    max_ratio: float = 200.0
    to_file: bool = False
    max_header_bytes: int = 128 << 10
    max_redirects: int = 5
    min_rate: float = 0.0


class Opened(Protocol):
    """An answer whose head is there, and whose body comes as it is iterated over."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> httpx.Headers: ...
    def field(self, name: str) -> str: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...


class Sender(Protocol):
    """What an exchange sends with: a `Client`."""

    @property
    def is_guarded(self) -> bool: ...
    def admit(self, target: Target, watch: Watch) -> None: ...
    def trusts(self, target: Target) -> bool: ...
    def send(self, request: Request, watch: Watch) -> StreamedReply: ...
    def open(self, request: Request, watch: Watch, limits: Limits) -> Opened: ...


@dataclass(slots=True)
class Exchange:
    """One request, its redirects and the auth's own requests share deadline and origins.

    `begin` sends the request, and `answer` then only waits; alone, `answer` does both. With
    `stays_home` a redirect to another origin is followed without the auth and the headers.
    """

    client: Sender
    auth: Flow | httpx.Auth | None
    origins: Collection[str]
    limits: Limits
    watch: Watch
    mask: Callable[[str], str]
    turn: Callable[[], float]
    label: str = ""
    tell: Callable[[Request, Answer | None], None] | None = None
    stays_home: bool = False
    _begun: _Begun | None = field(default=None, repr=False)
    _sent: StreamedReply | None = field(default=None, repr=False)

    def begin(self, request: Request) -> bool:
        """Send the request; False if that cannot be, or the auth has to ask for something before.

        What is not to be answered must be dropped.
        """
        if not self.client.is_guarded:
            return False
        with logs.masked_logs(self.mask, self.label):
            begun = self._start(request)
            if begun.auth is None or begun.auth.signed is begun.auth.given:
                self._admit(begun.wanted)
                self._sent = in_our_words(self.client.send, begun.wanted, self.watch)
                self._begun = begun
            else:
                begun.auth.flow.close()
        return self._begun is not None

    def drop(self) -> None:
        """Give up what was begun, and its connection."""
        if self._sent:
            self._sent.close()
        if self._begun and self._begun.auth:
            self._begun.auth.flow.close()

    def answer(self, request: Request) -> Answer:
        """The answer in the end; see `Client.exchange`."""
        try:
            with logs.masked_logs(self.mask, self.label):
                return self._run(request)
        except ConnectorError as error:
            raise error.at(request.label).masked(self.mask) from None

    def _start(self, request: Request) -> _Begun:
        if self.auth is None:
            return _Begun(request)
        if isinstance(self.auth, FixedFlow) and (header := self.auth.header()):
            return _Begun(request.having(dict([header])))
        # The auth signs each hop anew: what it writes for one URL may not fit the next.
        given = in_our_words(request.to_httpx)
        flow = self.auth.sync_auth_flow(given)
        signed = _advance(flow, None) or given
        return _Begun(Request.of(signed), _Signing(flow, given, signed))

    def _run(self, request: Request) -> Answer:
        for hop in range(self.limits.max_redirects + 1):
            begun, self._begun = self._begun or self._start(request), None
            answer = self._authenticated(begun)
            if answer.status not in _REDIRECTS:
                # The URL is kept and resolved against: not the one with the auth's own parameters.
                return replace(answer, url=request.url) if begun.auth else answer
            target = self._redirect_target(request, answer)
            if hop < self.limits.max_redirects:
                request = self._redirected(request, request.at(target))
        what = f"{answer.status}: redirected more than {self.limits.max_redirects} times"
        raise RequestError(what, where=request.label, status=answer.status)

    def _redirected(self, request: Request, following: Request) -> Request:
        if not self.stays_home or request.resource.origin == following.resource.origin:
            return following
        self.auth = None
        return following.bare()

    def _authenticated(self, begun: _Begun) -> Answer:
        wanted, auth = begun.wanted, begun.auth
        if auth is None:
            return self._exchange(wanted)
        signed = auth.signed
        try:
            while True:
                answer = self._exchange(wanted)
                if signed.url.path != auth.given.url.path and answer.status in _REDIRECTS:
                    raise _token_redirect(wanted, answer)
                following = _advance(auth.flow, _as_response(signed, answer))
                if following is None:
                    return answer
                signed, wanted = following, Request.of(following)
        finally:
            auth.flow.close()

    def _admit(self, request: Request) -> None:
        target = _target_of(request)
        self._check_origin(request, target)
        self.client.admit(target, self.watch)
        self.watch.stand_still(self.turn())
        # Sent, it is waited for: a new refresh token may be in the answer, and nowhere else.
        self.watch.begin_exchange(request.label, hurried=request.is_token)

    def _exchange(self, request: Request) -> Answer:
        sent, self._sent = self._sent, None
        try:
            if sent is None:
                self._admit(request)
            if self.tell and request.is_token:
                self.tell(request, None)
            answer = in_our_words(self._transfer, request, sent)
        except ConnectorError as error:
            raise error.at(request.label) from None
        if self.tell:
            self.tell(request, answer)
        return answer

    def _transfer(self, request: Request, sent: StreamedReply | None) -> Answer:
        if sent:
            sent.await_head()
        opened = sent or self.client.open(request, self.watch, self.limits)
        try:
            return self._read(request, opened)
        finally:
            opened.close()

    def _read(self, request: Request, opened: Opened) -> Answer:
        if opened.status == 101:  # noqa: PLR2004 - Switching Protocols
            raise RequestError("the server sent an answer nobody asked for", retryable=True)
        spills = self.limits.to_file and 200 <= opened.status < 300  # noqa: PLR2004
        body = DecodedBody(
            opened.field("content-encoding"),
            opened.field("content-length"),
            max_bytes=self.limits.max_bytes,
            max_wire_bytes=self.limits.max_wire_bytes or self.limits.max_bytes,
            max_ratio=self.limits.max_ratio,
            in_memory=IN_MEMORY if spills else sys.maxsize,
        )
        self.watch.begin_body()
        for chunk in opened:
            body.feed(chunk)
            self.watch.check_body(len(chunk))
        content = body.finish()
        return Answer(
            status=opened.status,
            headers=opened.headers,
            body=content,
            file=body.out.file,
            url=request.url,
            wire_bytes=body.wire_bytes,
            elapsed_s=self.watch.elapsed_s,
        )

    def _check_origin(self, request: Request, target: Target) -> None:
        if target.origin not in self.origins:
            what = f"{target.origin} is not a declared origin ({self._declared()})"
            fix = 'nothing was sent; add it to "origins" if credentials may go there'
            raise BlockedError(what, fix=fix)
        if request.values(b"host") != [request.resource.authority.encode()]:
            raise BlockedError("the Host header does not name the host of the URL")
        if target.scheme == "http" and not self.client.trusts(target) and self._secretive(request):
            what = "plain http would show credentials to the network"
            fix = f"use https, or allow it with --allow-private {target.host}:{target.port}"
            raise BlockedError(what, fix=fix)

    def _secretive(self, request: Request) -> bool:
        if self.auth is not None:
            return True
        sent = f"{request.url}\n{request.headers!r}\n{request.content.decode('latin-1')}"
        named = any(request.values(name) for name in _CREDENTIAL_HEADERS)
        return named or self.mask(sent) != sent

    def _redirect_target(self, request: Request, answer: Answer) -> str:
        where, status = request.label, answer.status
        try:
            location = _location(answer)
            url = join(request.url, location) if location else ""
            target = locate(url) if url else None
        except BlockedError as error:
            raise BlockedError(f"{status}: redirect refused: {error.what}", where=where) from None
        if target is None:
            raise RequestError(f"{status}: redirect without Location", where=where, status=status)
        here = _target_of(request)
        if here.scheme == "https" and target.scheme == "http":
            what = f"{status}: redirect from {here.origin} to {target.origin} leaves TLS"
            raise BlockedError(what, where=where)
        if target.origin not in self.origins:
            what = (
                f"{status}: redirect from {here.origin} to {target.origin}, not a declared origin"
            )
            fix = 'add it to "origins" if credentials may go there'
            raise BlockedError(what, where=where, fix=fix)
        # 307 and 308 say: this very request, there. Elsewhere, or as a GET, it is another.
        is_same = status in _SAME_REQUEST and target.origin == here.origin
        if request.method not in _SAFE_METHODS and not is_same:
            what = f"{status}: redirect of a {request.method} to {target.origin} is not followed"
            raise RequestError(what, where=where, fix="use the new URL", status=status)
        return url

    def _declared(self) -> str:
        shown = sorted(self.origins)[:_SHOWN_ORIGINS]
        more = ", …" if len(self.origins) > _SHOWN_ORIGINS else ""
        return ", ".join(shown) + more if shown else "none is declared"


class _Signing(Struct, frozen=True):
    """An auth at work: its flow, what that was `given`, and what it wants sent first."""

    flow: Generator[httpx.Request, httpx.Response, None]
    given: httpx.Request
    signed: httpx.Request

    def __repr__(self) -> str:
        return "_Signing()"  # what is in it has the credentials


class _Begun(Struct, frozen=True):
    """What is sent first, and the auth that has more to say; None where there is none."""

    wanted: Request
    auth: _Signing | None = None


def _advance(flow: Any, response: httpx.Response | None) -> httpx.Request | None:
    """The next request the auth wants sent, None when it is content."""
    try:
        wanted: httpx.Request = next(flow) if response is None else flow.send(response)
    except StopIteration:
        return None
    except ConnectorError:
        raise
    except Exception as error:  # noqa: BLE001  # a challenge may be malformed in any way
        what = f"the server's challenge could not be answered ({type(error).__name__})"
        raise AuthError(what, fix="check the type of auth") from None
    else:
        return wanted


def _as_response(request: httpx.Request, answer: Answer) -> httpx.Response:
    # Already unpacked: with this header httpx would unpack it again.
    headers = [pair for pair in answer.headers.raw if pair[0].lower() != b"content-encoding"]
    return httpx.Response(answer.status, headers=headers, content=answer.body, request=request)


def _target_of(request: Request) -> Target:
    # Read from httpx's own parts, not from the text: they are what will be dialled.
    origin, authority, _, has_user = request.resource
    if has_user:
        raise BlockedError("the URL holds a user name; credentials belong in auth")
    return _located(f"{origin.scheme}://{authority}/")


# The same few origins, for every request.
_located = lru_cache(maxsize=1024)(locate)


def _location(answer: Answer) -> str:
    found = {value for name, value in answer.headers.raw if name.lower() == b"location"}
    if len(found) > 1:
        raise BlockedError("more than one Location")
    raw = found.pop() if found else b""
    return re.sub(rb"[\x80-\xff]", lambda byte: b"%%%02X" % ord(byte[0]), raw).decode("ascii")


def _token_redirect(request: Request, answer: Answer) -> BlockedError:
    try:
        leads = locate(join(request.url, _location(answer))).origin
    except BlockedError:
        leads = "an unusable URL"
    what = f"{answer.status}: {_target_of(request).origin} redirects to {leads}"
    return BlockedError(
        f"{what}; credentials are not sent on", where=request.label, fix="correct the token URL"
    )
