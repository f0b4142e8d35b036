"""Export jobs: an answer that creates one, then the files that hold its rows, read one by one.

What is known of a job rides in the `Call`, as all that a walk must remember. So a run that was
killed asks for the same job again, and goes on with the first file that is not yet staged.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import structs

from connector_assets.errors import BlockedError, RequestError, ResponseError
from connector_assets.runtime.answers.retry import parse_retry_after
from connector_assets.runtime.body.page import Page
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.guard.origins import origin_of_call
from connector_assets.runtime.http.exchange import Answer
from connector_assets.runtime.http.render import first_call, url_of
from connector_assets.runtime.walk.paginate import Step
from connector_assets.spec.endpoint import Endpoint
from connector_assets.spec.names.url import join, origin_of
from connector_assets.spec.request.body import Body
from connector_assets.spec.request.call import Call
from connector_assets.spec.request.job import Job
from connector_assets.spec.templates.refs import templates_in
from connector_assets.spec.templates.template import Template

_GROWTH = 1.5
_GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class BegunJob:
    """A job that was created: what `response` was, its origin, and how much of it is staged.

    `address` is where it is asked for, if the answer said so; `files` stands for the names of all
    files, once the first one has been read; `at` is the call that goes on in the next of them,
    where it comes in pages, without the address of its file.
    """

    response: Mapping[str, Any]
    home: str
    done: int = 0
    files: str = ""
    address: str = ""
    at: Any = None


class _GoneError(Exception):
    """The server does not have the job any more."""


@dataclass(frozen=True)
class Export:
    """One job of one endpoint. `ask(call, to_own_origin)` sends a request, with credentials if so.

    `create` gives the answer that created the job, or the page that stands in its place.
    `download` gives the page that a file is; `walk` goes through the pages of one that has more.
    """

    job: Job
    endpoint: Endpoint
    scope: Mapping[str, Any]
    origins: frozenset[str]
    create: Callable[[Call], Answer | Page]
    ask: Callable[[Call, bool], Answer]
    download: Callable[[Call, bool], Page]
    walk: Callable[..., Iterator[Step]]
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
        begun = BegunJob(**start.job)
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
            ignored = int(created.outcome == "ignored")
            yield Step(created, None, restarted=restarted, ignored=ignored)
            return
        body = _body(created) if created.body.strip() else {}
        home, address = origin_of(created.url), self._address(created, body)
        begun = BegunJob(self._needed(body), home, address=address)
        following = first.of_job(_fields(begun))
        yield Step(Page.empty(created), following, restarted=restarted)
        try:
            files = self._files(begun, self._asked_wait(created))
        except _GoneError:
            fix = "look at it in the vendor's console"
            raise RequestError("the export failed", fix=fix) from None
        if not files:
            yield Step(Page.empty(created), None)
        yield from self._read(first, begun, files)

    def _read(self, first: Call, begun: BegunJob, files: Sequence[Call]) -> Iterator[Step]:
        begun = replace(begun, files=_names(files))
        for number, file in enumerate(files[begun.done :], begun.done):
            following = None
            if number + 1 < len(files):
                following = first.of_job(_fields(replace(begun, done=number + 1, at=None)))
            for step in self._pages(file, begun):
                if step.following is None:
                    yield structs.replace(step, following=following)
                    continue
                # A file's address may be signed: it is asked for anew.
                same = step.following.url == file.url
                at = structs.replace(step.following, url="") if same else step.following
                goes_on = first.of_job(_fields(replace(begun, done=number, at=at)))
                yield structs.replace(step, following=goes_on)
                if step.truncated:
                    return
            begun = replace(begun, at=None)

    def _pages(self, file: Call, begun: BegunJob) -> Iterator[Step]:
        """The pages of one file, from where an earlier run got to."""
        start = file
        if begun.at is not None:
            start = Call.of(begun.at)
            start = structs.replace(start, url=start.url or file.url)
        fetch = partial(self._page, begun.home)
        return self.walk(start, fetch=fetch, ahead=None, begin=None)

    def _page(self, home: str, call: Call) -> Page:
        origin = origin_of_call(call, self.scope)
        own = origin == home
        if not own and origin not in self.origins:
            raise BlockedError(
                f"the export is at {origin}, which is not declared",
                fix="add it to origins",
            )
        # The endpoint's headers are for the API: there may be secrets in them.
        return self.download(call if own else structs.replace(call, headers={}), own)

    def _files(self, begun: BegunJob, asked_s: float | None) -> list[Call]:
        """The downloads of the job once it is done; `asked_s` is the wait before it is asked.

        Raises _GoneError where the job failed, or is not there and was when it began.
        """
        poll = self.job.poll
        call = self._question(begun)
        if origin_of_call(call, self.scope) != begun.home:
            raise BlockedError("job.poll leaves the API's origin", fix="correct the URL")
        deadline = self.clock.monotonic() + self.job.timeout_seconds
        waits, resumed = self._waits(), asked_s == 0
        while (left := deadline - self.clock.monotonic()) > 0:
            self.clock.wait(min(next(waits) if asked_s is None else asked_s, left), self.cancel)
            answer = self._asked(call, resumed=resumed)
            body = _body(answer)
            state = self.job.state(poll.status_path.get(body))
            if state == "done":
                return self._downloads(begun.response, body, answer)
            if state == "failed":
                raise _GoneError
            asked_s, resumed = self._asked_wait(answer), False
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

    def _asked_wait(self, answer: Answer) -> float | None:
        """Seconds to wait before the next question, where the server says it."""
        return parse_retry_after(answer.headers.get("retry-after"), self.clock.time())

    def _address(self, created: Answer, body: Any) -> str:
        """Where the answer that created the job says it is; nothing where the spec says it."""
        poll = self.job.poll
        if poll.url is not None:
            return ""
        found = (
            created.headers.get(poll.url_header)
            if poll.url_header
            else poll.url_path and poll.url_path.get(body)
        )
        if not isinstance(found, str) or not found:
            where = poll.url_header or poll.url_path
            raise ResponseError(f'the answer has no address at "{where}"', fix="correct job.poll")
        return join(created.url, found)

    def _question(self, begun: BegunJob) -> Call:
        poll = self.job.poll
        # Without a URL of its own it takes all but the address from the endpoint.
        call = self._call(
            poll.url or Template("/"), begun.response, method=poll.method, body=poll.body
        )
        return structs.replace(call, url=begun.address) if begun.address else call

    def _downloads(self, first: Mapping[str, Any], last: Any, answer: Answer) -> list[Call]:
        download = self.job.download
        if download.url is not None:
            return [self._call(download.url, {**first, **_mapping(last)})]
        found = (
            answer.headers.get(download.url_header)
            if download.url_header
            else download.url_path and download.url_path.get(last)
        )
        found = found if isinstance(found, list) else [found] if found else []
        if not all(isinstance(one, str) for one in found):
            raise ResponseError("job.download finds no URL", fix="correct the path")
        return [Call("GET", join(answer.url, one)) for one in found]

    def _needed(self, response: Any) -> dict[str, Any]:
        """The fields of `response` that later requests read: nothing else is kept on disk."""
        read = [name.split(".") for one in templates_in(self.job) for name in one.names]
        names = {keys[1] for keys in read if keys[0] == "response" and keys[1:]}
        return {name: value for name, value in _mapping(response).items() if name in names}

    def _call(
        self, url: Template, response: Any, method: str = "GET", body: Body | None = None
    ) -> Call:
        update = {"url": url, "method": method, "params": {}, "body": body}
        scope = {**self.scope, "response": response}
        call = first_call(self.endpoint.model_copy(update=update), scope)
        return structs.replace(call, url=url_of(call, scope))


def capped(steps: Iterator[Step], max_pages: int | None) -> Iterator[Step]:
    """`steps` up to so many with rows; the first one is the creation."""
    for number, step in enumerate(steps):
        at_cap = number == max_pages and step.following is not None
        yield structs.replace(step, truncated=at_cap)
        if at_cap:
            return


def _fields(begun: BegunJob) -> dict[str, Any]:
    """What a run remembers of a job."""
    return {field.name: getattr(begun, field.name) for field in fields(begun)}


def _names(files: Sequence[Call]) -> str:
    """Stands for what the files are called, without the signatures of their URLs."""
    names = "\n".join(urlsplit(url_of(call, {})).path for call in files)
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
