"""Export jobs: the answer that created one becomes the answers that hold its rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from connector_assets.errors import BlockedError, RequestError, ResponseError
from connector_assets.runtime.client import Answer
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.render import first_call
from connector_assets.spec.call import Call
from connector_assets.spec.endpoint import Endpoint
from connector_assets.spec.job import Job
from connector_assets.spec.template import Template
from connector_assets.spec.url import join, origin_of

_GROWTH = 1.5


@dataclass(frozen=True)
class Export:
    """One job of one endpoint. `ask(call, own)` sends a request, with credentials if `own`."""

    job: Job
    endpoint: Endpoint
    scope: Mapping[str, Any]
    origins: frozenset[str]
    ask: Callable[[Call, bool], Answer]
    clock: Clock
    cancel: threading.Event

    def results(self, created: Answer) -> list[Answer]:
        """What the finished job holds, a file an answer; Cancelled if the caller asks to stop.

        Raises RequestError where the job fails or takes too long.
        """
        first = _body(created)
        last, url = self._finished(first, created)
        home = origin_of(created.url)
        return [self._download(call, home) for call in self._downloads(first, last, url)]

    def _finished(self, first: Any, created: Answer) -> tuple[Any, str]:
        """The body of the answer that says the job is done, and its URL."""
        poll = self.job.poll
        call = self._call(poll.url, first)
        if origin_of(call.url) != origin_of(created.url):
            raise BlockedError("job.poll.url leaves the API's origin", fix="correct the URL")
        deadline = self.clock.monotonic() + self.job.timeout_seconds
        wait = poll.every_seconds
        while True:
            left = deadline - self.clock.monotonic()
            if left <= 0:
                raise RequestError(
                    f"the export is not done after {self.job.timeout_seconds:g} s",
                    fix="raise job.timeoutSeconds",
                    retryable=False,
                )
            self.clock.wait(min(wait, left), self.cancel)
            answer = self.ask(call, True)
            body = _body(answer)
            state = self.job.state(poll.status_path.get(body))
            if state == "done":
                return body, answer.url
            if state == "failed":
                raise RequestError("the export failed", fix="look at it in the vendor's console")
            wait = min(wait * _GROWTH, poll.max_every_seconds)

    def _downloads(self, first: Any, last: Any, url: str) -> list[Call]:
        download = self.job.download
        if download.url is not None:
            return [self._call(download.url, {**_mapping(first), **_mapping(last)})]
        assert download.url_path is not None
        found = download.url_path.get(last)
        found = found if isinstance(found, list) else [found] if found else []
        if not all(isinstance(one, str) for one in found):
            raise ResponseError("job.download.urlPath finds no URL", fix="correct the path")
        return [Call("GET", join(url, one), followed=True) for one in found]

    def _download(self, call: Call, home: str) -> Answer:
        own = origin_of(call.url) == home
        if not own and origin_of(call.url) not in self.origins:
            raise BlockedError(
                f"the export is at {origin_of(call.url)}, which is not declared",
                fix="add it to origins",
            )
        return self.ask(call, own)

    def _call(self, url: Template, response: Any) -> Call:
        update = {"url": url, "method": "GET", "params": {}, "body": None}
        return first_call(
            self.endpoint.model_copy(update=update), {**self.scope, "response": response}
        )


def _body(answer: Answer) -> Any:
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ResponseError(
            "the job's answer is not JSON", fix="check the URL and the account"
        ) from None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
