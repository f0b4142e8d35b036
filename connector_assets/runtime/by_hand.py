"""What Python of the operator's does in place of a spec, for one stream of a connection.

A spec never names it: only a connection does. It sees guarded requests and no sockets of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import httpx
import msgspec

from connector_assets.errors import ConfigError, ConnectorError, ResponseError
from connector_assets.runtime.body.large_body import whole
from connector_assets.runtime.http.exchange import Answer
from connector_assets.runtime.session import Session
from connector_assets.spec.auth.credentials import AuthContext, Flow
from connector_assets.spec.names.url import join
from connector_assets.spec.request.call import Call, Encoding, PageView
from connector_assets.spec.request.ends import End

Row = Mapping[str, Any]


@dataclass(frozen=True)
class ByHand:
    """The parts of a stream that are Python; None: as the spec says.

    `read(ctx)` gives the rows. `pagination(call, page)` gives the call that follows a page, None at
    the end of the list. `auth(ctx)` gives an `httpx.Auth`, which signs each request.
    `transform(row)` gives the row to keep, several, or None. `digest` changes with the code.
    """

    read: Callable[[Any], Iterable[Any]] | None = None
    pagination: Callable[[Call, PageView], Call | None] | None = None
    auth: Callable[[AuthContext], httpx.Auth] | None = None
    transform: Callable[[dict[str, Any]], Row | Iterable[Row] | None] | None = None
    digest: str = ""


AS_THE_SPEC_SAYS = ByHand()


class SignedByHand(Flow):
    """An auth of the operator's, asked for each request."""

    requires_request_body = True

    def __init__(self, auth: httpx.Auth) -> None:
        if not isinstance(auth, httpx.Auth):
            what = f"auth in Python gave a {type(auth).__name__}"
            raise ConfigError(what, fix="return an httpx.Auth")
        self._auth = auth

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        yield from self._auth.auth_flow(request)


@dataclass(frozen=True)
class PaginatedByHand:
    """A pagination of the operator's, capped as the spec says."""

    follow: Callable[[Call, PageView], Call | None]
    max_pages: int | Literal["unlimited"]
    on_max_pages: Literal["fail", "truncate"] | None

    def first(self, call: Call) -> Call:
        """The endpoint's own call."""
        return call

    def after(self, call: Call, page: PageView) -> Call | End:
        """The call that follows, as `follow` makes it of a page."""
        with blamed("pagination", str):
            following = self.follow(call, page)
            if following is not None and not isinstance(following, Call):
                what = f"pagination in Python gave a {type(following).__name__}"
                raise ResponseError(what, fix="return the call, changed, or None")
        return End(proven=True) if following is None else following


@contextmanager
def blamed(part: str, mask: Callable[[str], str]) -> Iterator[None]:
    """An exception of the operator's code as one line, without secrets, its frames kept."""
    try:
        yield
    except ConnectorError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it may raise anything
        what = f"{type(error).__name__}: {mask(str(error))}"
        told = ConnectorError(f"{part} in Python failed: {what}")
        raise told.with_traceback(error.__traceback__) from None


def transformed(lines: bytes, transform: Callable[[dict[str, Any]], Any]) -> tuple[bytes, int]:
    """The rows in `lines` (JSON, one a line) as `transform` makes them, and their number."""
    kept: list[Row] = []
    for line in lines.splitlines():
        made = transform(msgspec.json.decode(line))
        if made is not None:
            kept += [made] if isinstance(made, Mapping) else made
    for row in kept:
        if not isinstance(row, Mapping):
            what = f"transform gave a row of type {type(row).__name__}"
            raise ResponseError(what, fix="return a dict, several, or None")
    return b"".join(msgspec.json.encode(row) + b"\n" for row in kept), len(kept)


@dataclass(frozen=True)
class Reply:
    """An answer to a request of a `StreamHttp`."""

    status: int
    headers: Mapping[str, str]
    url: str
    content: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON; ResponseError where it is none."""
        try:
            return msgspec.json.decode(self.content)
        except msgspec.DecodeError:
            raise ResponseError(
                "the answer is not JSON", where=self.url.partition("?")[0]
            ) from None


class StreamHttp:
    """Requests of one stream: guarded, within the connection's budget, signed and retried.

    A URL may be relative to the endpoint's; without one it is the endpoint's own, with its
    parameters. Its headers go with every request. Rules of the endpoint's `errors` hold.

    >>> rows = ctx.http.get("/v2/prices", params={"day": "2024-01-31"}).json()["rows"]
    """

    def __init__(self, session: Session, call: Call) -> None:
        self._session, self._first = session, call

    def get(
        self,
        url: str = "",
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """The answer to a GET; raises a ConnectorError for a failure."""
        return self.request("GET", url, params=params, headers=headers)

    def post(
        self,
        url: str = "",
        *,
        json: Any = None,
        form: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """The answer to a POST of a JSON body, or of a form."""
        return self.request("POST", url, params=params, headers=headers, json=json, form=form)

    def request(
        self,
        method: str,
        url: str = "",
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, Any] | None = None,
    ) -> Reply:
        """The answer to any request; a null parameter is left out."""
        first = self._first
        if url and not isinstance(first.url, str):
            raise ConfigError("the endpoint's URL holds a secret", fix="leave the url out")
        given = {} if url else dict(first.params)
        encoding: Encoding = "json" if form is None else "form"
        call = Call(
            method,
            join(str(first.url), url) if url else first.url,
            params={n: v for n, v in {**given, **(params or {})}.items() if v is not None},
            headers={**first.headers, **(headers or {})},
            body=json if form is None else dict(form),
            encoding=encoding,
            names=first.names,
        )
        return self._reply(self._session.answer(call))

    def _reply(self, answer: Answer) -> Reply:
        body = whole(answer, self._session.endpoint.max_response_bytes).body
        return Reply(answer.status, answer.headers, answer.url, body)
