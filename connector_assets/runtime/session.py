"""One endpoint under one connection's values: calls in, pages out.

Everything a request must never skip happens here, in the founding order: auth, templates, the
guard, the rate limit, retries. Every error that leaves is placed and masked.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from connector_assets.errors import (
    AuthError,
    Cancelled,
    ConnectorError,
    RequestError,
    ResponseError,
)
from connector_assets.redact import Secrets
from connector_assets.runtime.answers.patience import Patience
from connector_assets.runtime.answers.refusal import Refusal
from connector_assets.runtime.answers.renewal import Renewal
from connector_assets.runtime.answers.retry import Backoff
from connector_assets.runtime.answers.rules import Meaning, meaning_of, told_by
from connector_assets.runtime.answers.wording import said
from connector_assets.runtime.body.large_body import page_of, whole
from connector_assets.runtime.body.mended import AS_JSON_HAS_IT, Mending
from connector_assets.runtime.body.page import Page
from connector_assets.runtime.body.to_json import json_of, response_of
from connector_assets.runtime.body.unpack import unpacked
from connector_assets.runtime.clock import Either
from connector_assets.runtime.http.client import Client
from connector_assets.runtime.http.exchange import Answer, Exchange, Limits
from connector_assets.runtime.http.render import request_of, shown
from connector_assets.runtime.http.request import Request
from connector_assets.runtime.shared.budget import try_slots
from connector_assets.runtime.stats import Stats, counted
from connector_assets.runtime.walk.begun import Begun
from connector_assets.spec.endpoint import Endpoint
from connector_assets.spec.request.call import Call
from connector_assets.spec.request.formats import ACCEPT

T = TypeVar("T")
Observe = Callable[[Endpoint, Request, Answer], None]
"""Is told a request with its answer, secrets and all."""
_SHOWN = 2_000
GOOD = ("rows", "accept")
# What a server may answer where there is no such page.
_NO_PAGE = (400, 404, 416)
# Of a token endpoint fewer than of an API: some lock the client out.
_TOKEN_TRIES = 4


@dataclass
class _Root:
    """The key of the one list in a body, once an answer had it: all others must have it too."""

    key: str | None = None


@dataclass(frozen=True)
class Session:
    """Fetches the calls of one endpoint; safe to use from several threads.

    `origins` are where credentials may go. `conditional` goes with the first page only: the headers
    that a 304 answers. `label` names it in the log. `mending` says what becomes of rows that
    are no JSON. `observe` is told each request with its answer as they were, but for tokens.
    """

    client: Client
    endpoint: Endpoint
    scope: Mapping[str, Any] = field(repr=False)
    secrets: Secrets
    origins: frozenset[str]
    limits: Limits
    patience: Patience
    renewal: Renewal
    refusal: Refusal
    cancel: threading.Event
    stats: Stats
    on_request: Callable[[str], None] | None = None
    max_attempts: int | None = None
    conditional: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    mending: Mending = AS_JSON_HAS_IT
    observe: Observe | None = None
    _root: _Root = field(default_factory=_Root)

    def fetch(self, call: Call) -> Page:
        """The page that answers `call`, after retries; raises a ConnectorError without secrets."""
        try:
            return self._fetch(call)
        except ConnectorError as error:
            if isinstance(error, AuthError):
                error.secrets = self.refusal.secret_names
            raise error.at(shown(call, self.scope)).masked(self.secrets.mask) from None

    def answer(self, call: Call) -> Answer:
        """The answer to a request by itself, after retries, unless a rule makes it a failure."""
        try:
            return self.tries(call, self._alone)
        except ConnectorError as error:
            if isinstance(error, AuthError):
                error.secrets = self.refusal.secret_names
            raise error.at(shown(call, self.scope)).masked(self.secrets.mask) from None

    def _alone(self, answer: Answer, meaning: Meaning) -> Answer:
        if meaning.action not in (*GOOD, "ignore", "end"):
            raise self.failure(answer, meaning)
        self.patience.heed(answer)
        return answer

    def ahead(self, call: Call, stop: threading.Event) -> Page | None:
        """The page of `call` if one try brings it, before anyone knows whether it is wanted.

        None also where `stop` is set meanwhile. Only the server's wish to wait has an effect.
        """
        try:
            return self._tried(call, self._send(call, Either(self.cancel, stop)))
        except ConnectorError:
            return None

    def begin(self, call: Call, stop: threading.Event) -> Begun | None:
        """As `ahead`, but sent only: the answer is waited for when the page is wanted.

        None where it cannot be sent at once.
        """
        if (free := try_slots(self.patience.budgets)) is None:
            return None
        cancel = Either(self.cancel, stop)
        begun, exchange = None, self._exchange(cancel)
        try:
            request = self._request(call, cancel)
            if exchange.begin(request):
                self._tell_of(request)
                begun = Begun(request, exchange, free, partial(self._tried, call))
        except ConnectorError:
            return None
        finally:
            if begun is None:
                exchange.drop()
                free()
        return begun

    def _tried(self, call: Call, answer: Answer) -> Page:
        answer = self._received(answer)
        meaning = self._meaning(answer)
        asked_s = self._asked_wait(answer, meaning) if meaning.action == "rate_limited" else None
        if asked_s is not None:
            self.patience.pause(min(asked_s, self.endpoint.retry.max_delay_seconds))
        return self.page(call, answer, meaning)

    def _fetch(self, call: Call) -> Page:
        return self.tries(call, partial(self._paged, call))

    def _paged(self, call: Call, answer: Answer, meaning: Meaning) -> Page:
        if answer.status == 304 and not meaning.rule and self._conditions(call):  # noqa: PLR2004
            self.patience.heed(answer)
            return Page.as_before(answer)
        return self.page(call, answer, meaning)

    def _conditions(self, call: Call) -> Mapping[str, str]:
        return self.conditional if call.page == 1 and not call.probe else {}

    def tries(self, call: Call, read: Callable[[Answer, Meaning], T]) -> T:
        """What `read` makes of what the server says in the end, after retries.

        A body that is cut off is tried again like a connection that breaks.
        """
        policy = self.endpoint.retry
        backoff = Backoff(max_delay_s=policy.max_delay_seconds)
        renewed = False
        for attempt in itertools.count(1):
            last = attempt >= min(policy.max_attempts, self.max_attempts or policy.max_attempts)
            try:
                answer = self._received(self._send(call, self.cancel))
                meaning = self._meaning(answer)
                if meaning.action == "refresh_auth" and not renewed:
                    renewed = self.renewal.after(answer, meaning)
                    if renewed:
                        continue
                if meaning.action not in ("retry", "rate_limited"):
                    return read(answer, meaning)
            except RequestError as error:
                tokens = isinstance(error, AuthError) and attempt >= _TOKEN_TRIES
                if last or tokens or not error.retryable:
                    raise
                self.patience.before_retry_of(error, backoff.delay(attempt))
                continue
            except ResponseError as error:
                if last or not error.retryable:
                    raise
                self.patience.wait(backoff.delay(attempt), error.what)
                continue
            asked_s = self._asked_wait(answer, meaning)
            self.patience.require_short(answer, asked_s)
            if last:
                raise self.failure(answer, meaning)
            self.patience.before_retry(answer, meaning, asked_s, backoff.delay(attempt))
        raise AssertionError("unreachable")

    def _meaning(self, answer: Answer) -> Meaning:
        body = self.endpoint.body
        return meaning_of(
            answer,
            self.endpoint.errors,
            self.scope,
            response=partial(self._response, answer),
            graphql=body is not None and body.graphql is not None,
        )

    def _response(self, answer: Answer) -> Any:
        return response_of(whole(answer, self.endpoint.max_response_bytes), self.endpoint)

    def _send(self, call: Call, cancel: threading.Event) -> Answer:
        request = self._request(call, cancel)
        self._tell_of(request)
        with ExitStack() as slots:
            for budget in self.patience.budgets:
                slots.enter_context(budget.slot(cancel))
            return self._exchange(cancel).answer(request)

    def _request(self, call: Call, cancel: threading.Event) -> Request:
        if cancel.is_set():
            raise Cancelled("cancelled")
        self.patience.require_window()
        request = request_of(
            call,
            self.scope,
            ACCEPT[self.endpoint.response_format],
            omit_empty=self.endpoint.omit_empty,
        )
        return request.having(self._conditions(call))

    def unsent(self, call: Call) -> list[str]:
        """The lines that show a request, masked, as it would be sent but for the auth."""
        request = self._request(call, self.cancel)
        lines = [f"{request.method} {request.url}"]
        if request.content:
            lines.append(f"  body: {request.content.decode('utf-8', 'replace')}")
        return [self.secrets.mask(line) for line in lines]

    def _tell(self, request: Request, answer: Answer | None) -> None:
        """Show a request for a token or a login, and the status of every answer."""
        if self.observe and answer is not None and not request.is_token:
            self.observe(self.endpoint, request, answer)
        if self.stats.teller is None:
            return
        line = f"{request.method} {request.url}"
        if answer is None:
            self.stats.teller(self.secrets.mask(line))
            self._tell_body(request)
        else:
            told = f"{answer.status} {line}: {counted(answer.wire_bytes, 'byte')}"
            self.stats.teller(self.secrets.mask(told))

    def _tell_body(self, request: Request) -> None:
        if self.stats.teller and request.content:
            # Masked before it is cut: a piece of a secret is not recognised any more.
            body = self.secrets.mask(request.content.decode("utf-8", "replace"))
            self.stats.teller(f"  body: {body[:_SHOWN]}{'…' if len(body) > _SHOWN else ''}")

    def _tell_of(self, request: Request) -> None:
        if self.on_request:
            self.on_request(self.secrets.mask(f"{request.method} {request.url}"))
        self._tell_body(request)

    def _exchange(self, cancel: threading.Event) -> Exchange:
        """An exchange, whose deadline runs from now: a slot is waited for before."""
        return self.client.exchange(
            auth=self.renewal.auth,
            origins=self.origins,
            limits=self.limits,
            cancel=cancel,
            mask=self.secrets.mask,
            turn=partial(self.patience.turn, cancel),
            label=self.label,
            tell=self._tell if self.stats.teller or self.observe else None,
            stays_home=self.endpoint.job is not None,
        )

    def _received(self, answer: Answer) -> Answer:
        self.stats.add(bytes=answer.wire_bytes)
        return unpacked(answer, self.limits)

    def page(self, call: Call, answer: Answer, meaning: Meaning) -> Page:
        """The page that an answer is, once it is not to be asked for again."""
        if meaning.message and meaning.action in ("accept", "ignore", "end"):
            self.stats.note(said(answer, meaning, self.secrets.mask, verbose=False))
        if meaning.action == "ignore":
            page = Page.ignored(answer, self._body_of(answer))
        elif meaning.action == "end":
            page = Page.empty(answer, "end")
        elif call.probe and answer.status in _NO_PAGE and not meaning.rule:
            page = Page.empty(answer, "past")
        elif meaning.action in GOOD:
            page = page_of(_good(answer, meaning), self.endpoint, self._root.key, self.mending)
            self._remember_root(page)
        elif meaning.action == "reset_pagination":
            raise self.refusal.start_over(answer, meaning)
        else:
            raise self.failure(answer, meaning)
        if self.stats.teller:
            told = f"{counted(page.count, 'row')} of {call.method} {answer.url}"
            self.stats.teller(self.secrets.mask(told))
        self.patience.heed(answer)
        return page

    def _body_of(self, answer: Answer) -> bytes:
        """The body as JSON, empty where it cannot be read."""
        try:
            return json_of(whole(answer, self.endpoint.max_response_bytes), self.endpoint)
        except ResponseError:
            return b""

    def _remember_root(self, page: Page) -> None:
        if page.root_key and self._root.key is None:
            self._root.key = page.root_key
            self.stats.note(f'rows are taken from "{page.root_key}", the one list in the body')

    def _asked_wait(self, answer: Answer, meaning: Meaning) -> float | None:
        """Seconds the server asks to wait, if it does."""
        own = self.endpoint.retry.after
        response = partial(self._response, answer)
        text = told_by(own, answer, self.scope, response) if own else ""
        return self.patience.asked_wait(answer, meaning, text)

    def failure(self, answer: Answer, meaning: Meaning) -> RequestError:
        """The error that an answer is."""
        return self.refusal.of(answer, meaning, self.renewal.auth)


def limits_of(endpoint: Endpoint, *, is_file: bool = False) -> Limits:
    """What an exchange of `endpoint` may take; `is_file` says that it brings an export's file."""
    job, most = endpoint.job, endpoint.max_response_bytes
    return Limits(
        connect_s=endpoint.connect_timeout_seconds,
        read_s=endpoint.read_timeout_seconds,
        total_s=endpoint.timeout_seconds,
        max_bytes=job.download.max_bytes if job and is_file else most,
        min_rate=endpoint.min_bytes_per_second,
        # What creates a job, or tells of it, is small and read as a whole.
        to_file=is_file or not job,
    )


def _good(answer: Answer, meaning: Meaning) -> Answer:
    """`answer`, with a status that means rows where a rule says that it has some."""
    accepted = meaning.action == "accept" and answer.status != 204  # noqa: PLR2004 - No Content
    return replace(answer, status=200) if accepted else answer
