"""Who may ask the studio: one browser of this machine, which came with the link that was printed.

Any page in a browser can send requests to loopback, and any name can be made to lead there. So the
host and the origin of every request are looked at, and a request without the cookie learns nothing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from hmac import compare_digest
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BYTES = 16 << 20
"""The largest body of a request: a document to import."""
API = "/api/"

# A page that goes on by itself: after a redirect, a browser that came from elsewhere sends no
# cookie that is SameSite=Strict.
_ENTER = '<!doctype html><meta http-equiv="refresh" content="0; url=/"><title>Studio</title>'


class _TooLarge(Exception):
    """The body has more bytes than are read."""


@dataclass
class Gate:
    """The studio behind its checks; `token` lets one browser in, once.

    The cookie has the port in its name: browsers send cookies to every port of a host.
    """

    app: ASGIApp
    port: int
    token: str = field(repr=False)
    _session: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    _entered: bool = False

    @property
    def cookie(self) -> str:
        """The name of the cookie."""
        return f"studio_{self.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        scope["nonce"] = secrets.token_urlsafe(16)
        send = _with_headers(send, scope["nonce"])
        answer = self._refusal(scope) or self._entrance(scope) or self._stranger(scope)
        if answer is None:
            try:
                receive = await _whole(Headers(scope=scope), receive)
            except _TooLarge:
                what = f"the body is larger than {MAX_BYTES >> 20} MiB"
                answer = _refused(scope, 413, what, "send a part of it")
        await (answer or self.app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        """Of what was sent to another host, or by a page of another origin."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0] not in self._hosts():
            return _refused(
                scope, 421, "another host is asked for", "use the link that was printed"
            )
        origins = headers.getlist("origin")
        own = f"http://{hosts[0]}"
        needed = scope["method"] not in ("GET", "HEAD")
        if any(one != own for one in origins) or (needed and not origins):
            return _refused(scope, 403, "the request is of another page", "use the studio's own")
        return None

    def _hosts(self) -> tuple[str, ...]:
        return f"127.0.0.1:{self.port}", f"localhost:{self.port}"

    def _entrance(self, scope: Scope) -> Response | None:
        """The answer to a link with the token: the cookie, the first time."""
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        if scope["path"] != "/" or not given or scope["method"] != "GET":
            return None
        if self._entered or not compare_digest(given[0].encode(), self.token.encode()):
            return None if self._knows(scope) else self._stranger(scope)
        self._entered = True
        answer = HTMLResponse(_ENTER)
        answer.set_cookie(self.cookie, self._session, httponly=True, samesite="strict", path="/")
        return answer

    def _stranger(self, scope: Scope) -> Response | None:
        if self._knows(scope):
            return None
        fix = "the link that was printed works once, in one browser: start the studio again"
        return _refused(scope, 401, "this browser has not come by the link", fix)

    def _knows(self, scope: Scope) -> bool:
        """Whether the cookie is there, and no page of another site had it sent."""
        headers = Headers(scope=scope)
        if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return False
        jar = SimpleCookie()
        try:
            jar.load(headers.get("cookie", ""))
        except CookieError:
            return False
        given = jar[self.cookie].value if self.cookie in jar else ""
        return compare_digest(given.encode(), self._session.encode())


def _refused(scope: Scope, status: int, what: str, fix: str) -> Response:
    text = f"studio: {what}; {fix}"
    if scope["path"].startswith(API):
        return JSONResponse({"ok": False, "errors": [text]}, status)
    return PlainTextResponse(f"{text}\n", status)


async def _whole(headers: Headers, receive: Receive) -> Receive:
    """The body read to its end, to be given to whoever asks."""
    said = headers.get("content-length", "")
    if said.isdigit() and int(said) > MAX_BYTES:
        raise _TooLarge
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
        if size > MAX_BYTES:
            raise _TooLarge
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": b"".join(parts), "more_body": False}

    return again


def _with_headers(send: Send, nonce: str) -> Send:
    """What a browser is told of every answer: to ask, run and show nothing from elsewhere."""
    policy = "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' 'nonce-{nonce}'",  # the editor writes its own style sheet
            "img-src 'self' data:",  # its marks under faults
            "connect-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        )
    )

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = policy
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            # With no-referrer, browsers would send a form's origin as "null".
            headers["Referrer-Policy"] = "same-origin"
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Cache-Control"] = "no-store"
        await send(message)

    return sent
