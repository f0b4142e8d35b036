"""One endpoint under one connection's values: calls in, pages out.

Everything a request must never skip happens here, in the founding order: auth, templates, the
guard, the rate limit, retries. Every error that leaves is placed and masked.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, NoReturn

import httpx

from connector_assets.errors import (
    AuthError,
    Cancelled,
    ConnectorError,
    RateLimited,
    RequestError,
    StartOver,
)
from connector_assets.redact import Secrets
from connector_assets.runtime.begun import Begun
from connector_assets.runtime.budget import Budget, places
from connector_assets.runtime.client import Client
from connector_assets.runtime.clock import Clock, Either
from connector_assets.runtime.exchange import Answer, Exchange, Limits
from connector_assets.runtime.formats import response_of
from connector_assets.runtime.job import Export
from connector_assets.runtime.large_body import page_of, whole
from connector_assets.runtime.page import Page
from connector_assets.runtime.paginate import Step
from connector_assets.runtime.permission import may_not
from connector_assets.runtime.quota import all_reset_in, windows_end_in
from connector_assets.runtime.render import request_of
from connector_assets.runtime.request import Request
from connector_assets.runtime.retry import Backoff, parse_retry_after
from connector_assets.runtime.rules import Meaning, meaning_of
from connector_assets.runtime.stats import Stats
from connector_assets.runtime.unpack import unpacked
from connector_assets.runtime.wording import ADVICE, duration, place_of, said
from connector_assets.spec.call import Call
from connector_assets.spec.endpoint import Endpoint, RateLimit
from connector_assets.spec.formats import ACCEPT

# Of a token endpoint fewer than of an API: some lock the client out.
_TOKEN_TRIES = 4


@dataclass(slots=True)
class _Renewals:
    """How often the auth was renewed because a rule said so."""

    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Session:
    """Fetches the calls of one endpoint; safe to use from several threads.

    `origins` are where credentials may go. `secret_names` are what the auth reads, named when the
    server refuses, as are the `scopes` it asks for. `verbose` lets errors quote the server, masked
    and cut. `quotas` name the headers that tell what is left of the vendor's window. `conditional`
    goes with the first page only: the headers that a 304 answers. `is_download` says that what
    comes are files of an export, which have limits of their own.
    """

    client: Client
    endpoint: Endpoint
    scope: Mapping[str, Any] = field(repr=False)
    secrets: Secrets
    auth: httpx.Auth | None
    origins: frozenset[str]
    budgets: Sequence[Budget]
    concurrency: int
    clock: Clock
    cancel: threading.Event
    stats: Stats
    secret_names: Sequence[str] = ()
    scopes: Sequence[str] = ()
    on_request: Callable[[str], None] | None = None
    verbose: bool = False
    max_attempts: int | None = None
    quotas: Sequence[RateLimit] = ()
    conditional: Mapping[str, str] = field(default_factory=dict)
    is_download: bool = False
    _root: dict[str, str | None] = field(default_factory=dict)
    _resets: dict[str, float] = field(default_factory=dict)
    _renewals: _Renewals = field(default_factory=_Renewals)

    def fetch(self, call: Call) -> Page:
        """The page that answers `call`, after retries; raises a ConnectorError without secrets."""
        try:
            return self._fetch(call)
        except ConnectorError as error:
            if isinstance(error, AuthError):
                error.secrets = self.secret_names
            raise error.at(place_of(call)).masked(self.secrets.mask) from None

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
        if (free := places(self.budgets)) is None:
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
        told = self._told(answer, meaning) if meaning.action == "rate_limited" else None
        if told is not None:
            self._pause(min(told, self.endpoint.retry.max_delay_seconds))
        return self._page(call, answer, meaning)

    def _fetch(self, call: Call) -> Page:
        return self._paged(call, *self._answered(call))

    def _paged(self, call: Call, answer: Answer, meaning: Meaning) -> Page:
        if answer.status == 304 and not meaning.rule and self._conditions(call):  # noqa: PLR2004
            self._heed_quota(answer)
            return Page.as_before(answer)
        return self._page(call, answer, meaning)

    def _conditions(self, call: Call) -> Mapping[str, str]:
        return self.conditional if call.page == 1 and not call.probe else {}

    def exported(self, start: Call, first: Call) -> Iterator[Step]:
        """The pages of the endpoint's export: of the job in `start`, else of a new one."""
        assert self.endpoint.job is not None
        export = Export(
            job=self.endpoint.job,
            endpoint=self.endpoint,
            scope=self.scope,
            origins=self.origins,
            create=self._create,
            ask=self._ask,
            download=self._download,
            clock=self.clock,
            cancel=self.cancel,
        )
        return export.steps(start, first)

    def _create(self, call: Call) -> Answer | Page:
        answer, meaning = self._answered(call)
        return answer if meaning.action == "rows" else self._page(call, answer, meaning)

    def _ask(self, call: Call, own: bool, *, is_download: bool = False) -> Answer:
        """The answer to a request of an export; credentials go to the API's own origin only."""
        session = replace(self, auth=self.auth if own else None, is_download=is_download)
        answer, meaning = session._answered(call)  # noqa: SLF001 - itself, without auth
        if meaning.action != "rows":
            self._fail(answer, meaning)
        return answer

    def _download(self, call: Call, own: bool) -> Page:
        """The page that a file is."""
        try:
            return self._page(call, self._ask(call, own, is_download=True), Meaning("rows"))
        except ConnectorError as error:
            raise error.at(place_of(call)).masked(self.secrets.mask) from None

    def _answered(self, call: Call) -> tuple[Answer, Meaning]:
        """What the server says in the end, after retries."""
        policy = self.endpoint.retry
        backoff = Backoff(max_delay_s=policy.max_delay_seconds)
        renewed = False
        for attempt in itertools.count(1):
            last = attempt >= min(policy.max_attempts, self.max_attempts or policy.max_attempts)
            before = self._renewals.count
            try:
                answer = self._received(self._send(call, self.cancel))
            except RequestError as error:
                tokens = isinstance(error, AuthError) and attempt >= _TOKEN_TRIES
                if last or tokens or not error.retryable:
                    raise
                self._wait_before_retry(error, backoff.delay(attempt))
                continue
            meaning = self._meaning(answer)
            if meaning.action == "refresh_auth" and not renewed:
                renewed = self._renew(answer, meaning, before)
                if renewed:
                    continue
            if meaning.action not in ("retry", "rate_limited"):
                return answer, meaning
            self._wait_as_told(answer, meaning, backoff.delay(attempt), last=last)
        raise AssertionError("unreachable")

    def _renew(self, answer: Answer, meaning: Meaning, before: int) -> bool:
        """Whether the request may be sent again with other credentials, once."""
        refuse = getattr(self.auth, "refuse", None)
        # After a 401 the auth has renewed by itself, or could not.
        if not meaning.rule or answer.status == 401 or refuse is None:  # noqa: PLR2004
            return False
        with self._renewals.lock:
            # Another thread's request may have been refused for the same token.
            if self._renewals.count == before:
                if not refuse():
                    return False
                self._renewals.count += 1
        self.stats.add(retries=1)
        return True

    def _meaning(self, answer: Answer) -> Meaning:
        body = self.endpoint.body
        return meaning_of(
            answer,
            self.endpoint.errors,
            self.scope,
            response=lambda: response_of(
                whole(answer, self.endpoint.max_response_bytes), self.endpoint
            ),
            graphql=body is not None and body.graphql is not None,
        )

    def _send(self, call: Call, cancel: threading.Event) -> Answer:
        request = self._request(call, cancel)
        self._tell_of(request)
        with ExitStack() as slots:
            for budget in self.budgets:
                slots.enter_context(budget.slot(cancel))
            return self._exchange(cancel).answer(request)

    def _request(self, call: Call, cancel: threading.Event) -> Request:
        if cancel.is_set():
            raise Cancelled("cancelled")
        self._refuse_before_reset()
        request = request_of(call, self.scope, ACCEPT[self.endpoint.response_format])
        return request.having(self._conditions(call))

    def _tell_of(self, request: Request) -> None:
        if self.on_request:
            self.on_request(self.secrets.mask(f"{request.method} {request.url}"))

    def _exchange(self, cancel: threading.Event) -> Exchange:
        """An exchange, whose deadline runs from now: a place is waited for before."""
        return self.client.exchange(
            auth=self.auth,
            origins=self.origins,
            limits=self._limits,
            cancel=cancel,
            mask=self.secrets.mask,
            turn=partial(self._turn, cancel),
        )

    def _received(self, answer: Answer) -> Answer:
        self.stats.add(bytes=answer.wire_bytes)
        return unpacked(answer, self._limits)

    def _turn(self, cancel: threading.Event) -> float:
        """Wait until one request may go; the seconds waited."""
        waited_s = 0.0
        for budget in self.budgets:
            waited_s += budget.take(cancel)
        self.stats.add(calls=1, waited_s=waited_s)
        return waited_s

    def _page(self, call: Call, answer: Answer, meaning: Meaning) -> Page:
        probed_past_end = call.probe and answer.status == 404  # noqa: PLR2004 - Not Found
        if meaning.action in ("ignore", "end") or probed_past_end:
            page = Page.empty(answer)
        elif meaning.action == "rows":
            page = page_of(answer, self.endpoint, self._root.get("key"))
            self._remember_root(page)
        elif meaning.action == "reset_pagination":
            raise StartOver(
                said(answer, meaning, self.secrets.mask, verbose=self.verbose), fix="run it again"
            )
        else:
            self._fail(answer, meaning)
        self._heed_quota(answer)
        return page

    def _remember_root(self, page: Page) -> None:
        if page.root_key and "key" not in self._root:
            self._root["key"] = page.root_key
            self.stats.note(f'rows are taken from "{page.root_key}", the one list in the body')

    def _wait_as_told(self, answer: Answer, meaning: Meaning, delay: float, *, last: bool) -> None:
        told = self._told(answer, meaning)
        if told is not None and told > self.endpoint.retry.max_delay_seconds:
            raise self._too_long(f"{answer.status}: the server asks to come back", told)
        if last:
            self._fail(answer, meaning)
        if told is not None or meaning.action == "rate_limited":
            self._pause(delay if told is None else told)
        self._wait(delay if told is None else told)

    def _wait_before_retry(self, error: RequestError, delay: float) -> None:
        """As for an answer, where an error stands for one: a token endpoint's."""
        told = parse_retry_after(error.retry_after, self.clock.time())
        if told is not None and told > self.endpoint.retry.max_delay_seconds:
            what = f"{error.status}: the server asks to come back"
            raise self._too_long(what, told).at(error.where)
        if error.status == 429:  # noqa: PLR2004 - Too Many Requests
            self._pause(delay if told is None else told)
        self._wait(delay if told is None else told)

    def _told(self, answer: Answer, meaning: Meaning) -> float | None:
        """Seconds the server asks to wait, if it does."""
        told = parse_retry_after(answer.headers.get("retry-after", ""), self.clock.time())
        if told is None and meaning.action == "rate_limited":
            told = all_reset_in(answer.headers, self.quotas, self.clock.time())
        return told

    def _pause(self, seconds: float) -> None:
        for budget in self.budgets:
            budget.pause(seconds)

    def _heed_quota(self, answer: Answer) -> None:
        """Where the vendor says that this was the last request of its window, wait for the next."""
        if not self.quotas:
            return
        now = self.clock.time()
        told = windows_end_in(answer.headers, self.quotas, now)
        if told is None:
            return
        if told > self.endpoint.retry.max_delay_seconds:
            # Not an error yet: this answer is good, and may be the last that is needed.
            self._resets["at"] = now + told
        else:
            self._pause(told)

    def _refuse_before_reset(self) -> None:
        left = self._resets.get("at", 0.0) - self.clock.time()
        if left > 0:
            raise self._too_long("no request is left in the vendor's window; the next begins", left)

    def _too_long(self, what: str, seconds: float) -> RateLimited:
        return RateLimited(
            f"{what} in {duration(seconds)}, longer than retry.maxDelaySeconds "
            f"({self.endpoint.retry.max_delay_seconds:g} s)",
            retry_after_s=seconds,
            fix="run it again then",
        )

    def _wait(self, seconds: float) -> None:
        self.stats.add(retries=1, waited_s=seconds)
        self.clock.wait(seconds, self.cancel)

    def _fail(self, answer: Answer, meaning: Meaning) -> NoReturn:
        what = said(answer, meaning, self.secrets.mask, verbose=self.verbose)
        if answer.status in (401, 403) or meaning.action == "refresh_auth":
            names = ", ".join(f'"{name}"' for name in self.secret_names)
            fix = f"check secret {names}" if names else "the API wants credentials: choose an auth"
            if names and answer.status == 403:  # noqa: PLR2004 - known, but not allowed to
                fix = f"{may_not(answer.headers, self.auth, self.scopes)}; {fix}"
            part = "permission" if answer.status == 403 else ""  # noqa: PLR2004
            raise AuthError(what, fix=fix, status=answer.status, part=part)
        raise RequestError(what, fix=ADVICE.get(answer.status, ""), status=answer.status)

    @property
    def _most_bytes(self) -> int:
        job = self.endpoint.job
        if job and self.is_download:
            return job.download.max_bytes
        return self.endpoint.max_response_bytes

    @cached_property
    def _limits(self) -> Limits:
        end = self.endpoint
        return Limits(
            connect_s=end.connect_timeout_seconds,
            read_s=end.read_timeout_seconds,
            total_s=end.timeout_seconds,
            max_bytes=self._most_bytes,
            # What creates a job, or tells of it, is small and read as a whole.
            to_file=self.is_download or not end.job,
        )
