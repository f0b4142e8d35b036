"""How long a server is waited for: between tries, as it asks, and for its window to begin anew."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from connector_assets.errors import RateLimited, RequestError
from connector_assets.runtime.answers.quota import all_reset_in, left, windows_end_in
from connector_assets.runtime.answers.retry import parse_retry_after
from connector_assets.runtime.answers.rules import Meaning
from connector_assets.runtime.answers.wording import duration, named
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.http.exchange import Answer
from connector_assets.runtime.shared.budget import Budget
from connector_assets.runtime.stats import Stats
from connector_assets.spec.endpoint import RateLimit, Retry


@dataclass
class Patience:
    """The waits of one endpoint's requests, whichever thread sends them.

    `quotas` name the headers that tell what is left of the vendor's window, `budgets` are told
    where a server asks everyone to wait.
    """

    policy: Retry
    quotas: Sequence[RateLimit]
    budgets: Sequence[Budget]
    clock: Clock
    cancel: threading.Event
    stats: Stats
    _reset_at: float = 0.0

    def turn(self, cancel: threading.Event) -> float:
        """Wait until one request may go; the seconds waited."""
        waited_s = 0.0
        for budget in self.budgets:
            waited_s += budget.take(cancel)
        self.stats.add(calls=1, waited_s=waited_s)
        return waited_s

    def asked_wait(self, answer: Answer, meaning: Meaning, own: str = "") -> float | None:
        """Seconds the server asks to wait, if it does; `own` is where the spec looks for it."""
        now = self.clock.time()
        asked_s = parse_retry_after(own, now) if own else None
        if asked_s is None:
            asked_s = parse_retry_after(answer.headers.get("retry-after", ""), now)
        if asked_s is None and meaning.action == "rate_limited":
            asked_s = all_reset_in(answer.headers, self.quotas, now)
        return asked_s

    def require_short(self, answer: Answer, asked_s: float | None) -> None:
        """Raise RateLimited where the server asks for more than `retry.maxDelaySeconds`."""
        if asked_s is not None and asked_s > self.policy.max_delay_seconds:
            raise self._too_long(f"{answer.status}: the server asks to come back", asked_s)

    def before_retry(
        self, answer: Answer, meaning: Meaning, asked_s: float | None, delay: float
    ) -> None:
        """Wait before the request that `answer` answered is sent again."""
        if asked_s is not None or meaning.action == "rate_limited":
            self.pause(delay if asked_s is None else asked_s)
        self.wait(
            delay if asked_s is None else asked_s, named(answer.status), asked=asked_s is not None
        )

    def before_retry_of(self, error: RequestError, delay: float) -> None:
        """As for an answer, where an error stands for one: a token endpoint's."""
        asked_s = parse_retry_after(error.retry_after, self.clock.time())
        if asked_s is not None and asked_s > self.policy.max_delay_seconds:
            what = f"{error.status}: the server asks to come back"
            raise self._too_long(what, asked_s).at(error.where)
        if error.status == 429:  # noqa: PLR2004 - Too Many Requests
            self.pause(delay if asked_s is None else asked_s)
        why = f"{named(error.status)} of a token" if error.status else error.what
        self.wait(delay if asked_s is None else asked_s, why, asked=asked_s is not None)

    def pause(self, seconds: float) -> None:
        """Keep everyone who shares the budgets waiting for so long."""
        for budget in self.budgets:
            budget.pause(seconds)

    def heed(self, answer: Answer) -> None:
        """Where the vendor says that this was the last request of its window, wait for the next."""
        if not self.quotas:
            return
        remaining = left(answer.headers, self.quotas)
        if remaining is not None:
            self.stats.quota_left = remaining
        now = self.clock.time()
        asked_s = windows_end_in(answer.headers, self.quotas, now)
        if asked_s is None:
            return
        if asked_s > self.policy.max_delay_seconds:
            # Not an error yet: this answer is good, and may be the last that is needed.
            self._reset_at = now + asked_s
        else:
            self.pause(asked_s)

    def require_window(self) -> None:
        """Raise RateLimited where no request is left until the vendor's next window."""
        left = self._reset_at - self.clock.time()
        if left > 0:
            raise self._too_long("no request is left in the vendor's window; the next begins", left)

    def wait(self, seconds: float, why: str, *, asked: bool = False) -> None:
        """Wait for so long, and let who watches see why."""
        self.stats.add(retries=1, waited_s=seconds)
        wish = ", as the server asks" if asked else ""
        with self.stats.waits(f"{why}: waiting {duration(seconds)}{wish}"):
            self.clock.wait(seconds, self.cancel)

    def _too_long(self, what: str, seconds: float) -> RateLimited:
        return RateLimited(
            f"{what} in {duration(seconds)}, longer than retry.maxDelaySeconds "
            f"({self.policy.max_delay_seconds:g} s)",
            retry_after_s=seconds,
            fix="run it again then",
        )
