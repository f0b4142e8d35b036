"""Export jobs: an answer that creates one, then the files that hold its rows, read one by one.

What is known of a job rides in the `Call`, as all that a walk must remember. So a run that was
killed asks for the same job again, and goes on with the first file that is not yet staged.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import structs

from connector_assets.errors import BlockedError, RequestError, ResponseError
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.exchange import Answer
from connector_assets.runtime.page import Page
from connector_assets.runtime.paginate import Step, in_parts
from connector_assets.runtime.render import first_call
from connector_assets.runtime.retry import parse_retry_after
from connector_assets.spec.call import Call
from connector_assets.spec.endpoint import Endpoint
from connector_assets.spec.job import Job
from connector_assets.spec.template import Template
from connector_assets.spec.url import join, origin_of

_GROWTH = 1.5
_GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class Begun:
    """A job that was created: what `response` was, its origin, and how much of it is staged.

    `files` stands for the names of all files, once the first one has been read.
    """

    response: Mapping[str, Any]
    home: str
    done: int = 0
    files: str = ""


class _GoneError(Exception):
    """The server does not have the job any more."""


@dataclass(frozen=True)
class Export:
    """One job of one endpoint. `ask(call, own)` sends a request, with credentials if `own`.

    `create` gives the answer that created the job, or the page that stands in its place.
    `download` gives the page that a file is.
    """

    job: Job
    endpoint: Endpoint
    scope: Mapping[str, Any]
    origins: frozenset[str]
    create: Callable[[Call], Answer | Page]
    ask: Callable[[Call, bool], Answer]
    download: Callable[[Call, bool], Page]
    clock: Clock
    cancel: threading.Event

    def steps(self, start: Call, first: Call) -> Iterator[Step]:
        """The pages of the job in `start`, else of the one that `first` creates.

        The first step of a new job is empty: the call that follows it has the job. Raises
        RequestError where the job fails or takes too long, Cancelled if the caller asks to stop.
        """
        if start.job is None:
            yield from self._created(first)
            return
        begun = Begun(**start.job)
        try:
            files = self._files(begun, 0.0)
            same = not begun.files or begun.files == _names(files)
        except _GoneError:
            same = False
        if same:
            yield from self._read(first, begun, files)
        else:
            yield from self._created(first, restarted=True)

    def _created(self, first: Call, *, restarted: bool = False) -> Iterator[Step]:
        created = self.create(first)
        if isinstance(created, Page):
            yield Step(created, None, restarted=restarted)
            return
        begun = Begun(self._needed(_body(created)), origin_of(created.url))
        following = first.of_job(asdict(begun))
        yield Step(Page.empty(created), following, restarted=restarted)
        try:
            files = self._files(begun, self._told(created))
        except _GoneError:
            fix = "look at it in the vendor's console"
            raise RequestError("the export failed", fix=fix) from None
        if not files:
            yield Step(Page.empty(created), None)
        yield from self._read(first, begun, files)

    def _read(self, first: Call, begun: Begun, files: Sequence[Call]) -> Iterator[Step]:
        names = _names(files)
        for number, call in enumerate(files):
            if number < begun.done:
                continue
            following = None
            if number + 1 < len(files):
                now = replace(begun, done=number + 1, files=names)
                following = first.of_job(asdict(now))
            yield from in_parts(self._page(call, begun.home), first, following)

    def _page(self, call: Call, home: str) -> Page:
        own = origin_of(call.url) == home
        if not own and origin_of(call.url) not in self.origins:
            raise BlockedError(
                f"the export is at {origin_of(call.url)}, which is not declared",
                fix="add it to origins",
            )
        return self.download(call, own)

    def _files(self, begun: Begun, told: float | None) -> list[Call]:
        """The downloads of the job once it is done; `told` is the wait before the first question.

        Raises _GoneError where the job failed, or is not there and was when it began.
        """
        poll = self.job.poll
        call = self._call(poll.url, begun.response)
        if origin_of(call.url) != begun.home:
            raise BlockedError("job.poll.url leaves the API's origin", fix="correct the URL")
        deadline = self.clock.monotonic() + self.job.timeout_seconds
        waits, resumed = self._waits(), told == 0
        while (left := deadline - self.clock.monotonic()) > 0:
            self.clock.wait(min(next(waits) if told is None else told, left), self.cancel)
            answer = self._asked(call, resumed=resumed)
            body = _body(answer)
            state = self.job.state(poll.status_path.get(body))
            if state == "done":
                return self._downloads(begun.response, body, answer.url)
            if state == "failed":
                raise _GoneError
            told, resumed = self._told(answer), False
        raise RequestError(
            f"the export is not done after {self.job.timeout_seconds:g} s",
            fix="raise job.timeoutSeconds",
            retryable=False,
        )

    def _waits(self) -> Iterator[float]:
        wait = self.job.poll.every_seconds
        while True:
            yield wait
            wait = min(wait * _GROWTH, self.job.poll.max_every_seconds)

    def _asked(self, call: Call, *, resumed: bool) -> Answer:
        try:
            return self.ask(call, True)
        except RequestError as error:
            if resumed and error.status in _GONE:
                raise _GoneError from None
            raise

    def _told(self, answer: Answer) -> float | None:
        """Seconds to wait before the next question, where the server says it."""
        return parse_retry_after(answer.headers.get("retry-after"), self.clock.time())

    def _downloads(self, first: Mapping[str, Any], last: Any, url: str) -> list[Call]:
        download = self.job.download
        if download.url is not None:
            return [self._call(download.url, {**first, **_mapping(last)})]
        assert download.url_path is not None
        found = download.url_path.get(last)
        found = found if isinstance(found, list) else [found] if found else []
        if not all(isinstance(one, str) for one in found):
            raise ResponseError("job.download.urlPath finds no URL", fix="correct the path")
        return [Call("GET", join(url, one), followed=True) for one in found]

    def _needed(self, response: Any) -> dict[str, Any]:
        """The fields of `response` that later requests read: nothing else is kept on disk."""
        urls = [self.job.poll.url, *filter(None, [self.job.download.url])]
        names = {name.split(".")[1] for url in urls for name in url.names if "." in name}
        return {name: value for name, value in _mapping(response).items() if name in names}

    def _call(self, url: Template, response: Any) -> Call:
        update = {"url": url, "method": "GET", "params": {}, "body": None}
        return first_call(
            self.endpoint.model_copy(update=update), {**self.scope, "response": response}
        )


def capped(steps: Iterator[Step], max_pages: int | None) -> Iterator[Step]:
    """`steps` up to so many with rows; the first one is the creation."""
    for number, step in enumerate(steps):
        at_cap = number == max_pages and step.following is not None
        yield structs.replace(step, truncated=at_cap)
        if at_cap:
            return


def _names(files: Sequence[Call]) -> str:
    """Stands for what the files are called, without the signatures of their URLs."""
    names = "\n".join(urlsplit(call.url).path for call in files)
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def _body(answer: Answer) -> Any:
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ResponseError(
            "the job's answer is not JSON", fix="check the URL and the account"
        ) from None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
