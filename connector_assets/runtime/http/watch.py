"""One request's limits of time and size, looked at between slices of waiting."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from connector_assets.errors import Cancelled, RequestError
from connector_assets.runtime.clock import Clock

T = TypeVar("T")

RESOLVING, SHAKING_HANDS = "resolving the host name", "in the TLS handshake"
SLICE_S = 0.2
"""How long a blocked call goes on before it looks at the cancel event and the deadline again."""

_PARTS = {RESOLVING: "dns", SHAKING_HANDS: "tls"}
# How long a body may come slowly, in seconds.
_WINDOW_S = 60.0
# What a token request under way is still given when the caller cancels, in seconds.
_GRACE_S = 10.0


class Watch:
    """One request's limits, as the socket sees them; times in seconds of `clock.monotonic()`."""

    __slots__ = (
        "_cancel",
        "_clock",
        "_connect_s",
        "_ends",
        "_grace_ends",
        "_head_bytes",
        "_hurried",
        "_min_rate",
        "_read_s",
        "_started",
        "_total_s",
        "_window_began",
        "_window_bytes",
        "where",
    )

    def __init__(
        self,
        *,
        clock: Clock,
        cancel: threading.Event,
        connect_s: float,
        read_s: float,
        total_s: float,
        head_bytes: int,
        min_rate: float = 0.0,
    ) -> None:
        self._clock, self._cancel = clock, cancel
        self._connect_s, self._read_s, self._total_s = connect_s, read_s, total_s
        self._started = clock.monotonic()
        self._ends = self._started + total_s
        self._head_bytes, self._min_rate = head_bytes, min_rate
        self._window_began, self._window_bytes = math.nan, 0
        self.where = ""
        self._hurried, self._grace_ends = False, math.inf

    @property
    def elapsed_s(self) -> float:
        return self.now() - self._started

    def begin_exchange(self, where: str, *, hurried: bool = False) -> None:
        """Another exchange on the same deadline: a redirect, or a token request.

        One that is `hurried` is not cancelled in its midst, only given less time.
        """
        self._hurried = False
        self.check()
        self.where, self._hurried = where, hurried

    def stand_still(self, seconds: float) -> None:
        """Time that does not count: the request waited for its turn."""
        self._started += seconds
        self._ends += seconds

    def now(self) -> float:
        return self._clock.monotonic()

    def connect_by(self) -> float:
        return min(self._ends, self.now() + self._connect_s)

    def silent_until(self) -> float:
        return self.now() + self._read_s

    def slice_until(self, until: float) -> float:
        """How long to block before the next `check`."""
        return min(SLICE_S, max(0.0, until - self.now()))

    def check(self, until: float | None = None, waiting_for: str = "") -> None:
        """Raise if the caller cancelled, or `until` or the whole request's deadline has passed."""
        now = self.now()
        if self._cancel.is_set():
            self._grace_ends = min(self._grace_ends, now + _GRACE_S)
            if not self._hurried or now >= self._grace_ends:
                raise Cancelled("cancelled", where=self.where)
        if now >= self._ends:
            what = f"not finished within {self._total_s:g} s"
            raise RequestError(what, where=self.where, fix="raise timeoutSeconds", retryable=True)
        if until is not None and now >= until:
            part = _PARTS.get(waiting_for, "")
            what = f"timed out {waiting_for}"
            raise RequestError(what, where=self.where, retryable=True, part=part)

    def begin_body(self) -> None:
        """The body comes from now on: see `check_body`."""
        self._window_began, self._window_bytes = self.now(), 0

    def check_body(self, size: int) -> None:
        """`check`, and raise if fewer bytes of body came in a while than `min_rate` a second.

        The while is a minute, or the longest silence that is allowed if that is longer.
        """
        self.check()
        self._window_bytes += size
        passed_s = self.now() - self._window_began
        if passed_s < max(_WINDOW_S, self._read_s):
            return
        if self._window_bytes < self._min_rate * passed_s:
            what = f"fewer than {self._min_rate:g} bytes a second came for {passed_s:.0f} s"
            fix = "lower minBytesPerSecond if the server is that slow"
            raise RequestError(what, where=self.where, fix=fix, retryable=True)
        self.begin_body()

    def check_head(self, size: int) -> None:
        """Raise if the headers, with those of interim answers, have more bytes than they may."""
        if size > self._head_bytes:
            what = f"more than {self._head_bytes} bytes of headers"
            raise RequestError(what, where=self.where)


def bounded(work: Callable[[], T], watch: Watch, until: float) -> T:
    """`work` in its own thread, left behind when time is up: getaddrinfo has no timeout."""
    done, outcome = threading.Event(), list[Any]()

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001  # re-raised by the waiting thread
            outcome.append(error)
        done.set()

    threading.Thread(target=run, name="resolve", daemon=True).start()
    while not done.wait(watch.slice_until(until)):
        watch.check(until, RESOLVING)
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]  # type: ignore[no-any-return]  # a list holds one kind of thing
