"""Pages fetched ahead, several at a time, while the walk stays in charge.

The walk asks for one call after the other, as it would alone. What was foreseen for a call and came
well is its page; everything else is dropped, and the walk asks as if nobody had asked before. So
the rows are those of the walk done one by one, and a page past the end cannot fail it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, Self

from connector_assets.runtime.body.page import Page
from connector_assets.runtime.walk.pace import Pace
from connector_assets.spec.request.call import Call

# One try at a page; None where it brought none. It ends soon after the event is set.
Try = Callable[[Call, threading.Event], Page | None]


class Pending(Protocol):
    """A page under way: `result` waits for it, and is None where one try did not bring it."""

    def result(self) -> Page | None: ...
    def cancel(self) -> Any: ...


# The same, but only the request is sent; None where that cannot be.
Begin = Callable[[Call, threading.Event], Pending | None]

_FIRST_GUESSES = 3
# For so many pages read, one more request may be in vain.
_READ = 8


class Foreseen(NamedTuple):
    """Calls that may follow each other; `certain` if the server itself has told their number."""

    calls: Iterator[Call]
    certain: bool


class Prefetch:
    """A `fetch` with up to `width` requests under way; use it in a `with` block.

    Calls that are certain are asked for at once. Of others there are few under way at first, and
    one more for each that came true; fewer where they only keep each other waiting (`pace.py`), in
    the end one that is sent before a page is worked on, and read after it by the same thread.
    Requests in vain are `width` and an eighth of the pages read at most, and then those beyond the
    list's end.
    """

    def __init__(
        self,
        fetch: Callable[[Call], Page],
        ahead: Try | None,
        width: int,
        pace: Pace | None = None,
        *,
        begin: Begin | None = None,
    ) -> None:
        self._fetch, self._try, self._send = fetch, ahead, begin
        self._most = width - 1 if ahead else 0
        self._pace = pace or Pace(self._most)
        self._window = self._in_vain = self._read = 0
        self._foreseen: Iterator[Call] = iter(())
        self._ahead: deque[tuple[Call, Pending]] = deque()
        self._stop = threading.Event()
        self._pool: ThreadPoolExecutor | None = None

    def __call__(self, call: Call, foresee: Callable[[], Foreseen | None]) -> Page:
        """The page of `call`; `foresee` tells what may come from `call` on, if it is needed."""
        if not self._most:
            return self._fetch(call)
        self._pace.turn()
        if not (self._ahead or self._pace.width or self._send):
            return self._fetch(call)
        found: Pending | None = None
        if self._ahead and _same(self._ahead[0][0], call):
            found = self._ahead.popleft()[1]
            self._window = min(self._most, self._window + 1)
        else:
            self._begin(foresee())
        self._read += 1
        # A thread that holds a slot never waits for another: two such would wait for each other.
        sends_later = found is None and self._send and not self._pace.width
        page = self._found(found, fill=not sends_later)
        if page is None:
            self._give_up_begun()
            page = self._fetch(call)
        if sends_later:
            self._fill()
        return page

    def _found(self, found: Pending | None, *, fill: bool) -> Page | None:
        """The page that was asked for ahead, if it came; more are asked for while it is awaited."""
        try:
            if fill:
                self._fill()
        except BaseException:
            if found:
                found.cancel()
            raise
        page = found.result() if found else None
        if found and page is None:
            self._in_vain += 1
            self._window = 1
        return page

    def _give_up_begun(self) -> None:
        """Let go of what holds a slot though no thread is at it."""
        if not all(isinstance(pending, Future) for _, pending in self._ahead):
            self._in_vain += len(self._ahead)
            self._forget()

    def _begin(self, foreseen: Foreseen | None) -> None:
        """Forget what was foreseen wrongly, and go by `foreseen`."""
        self._in_vain += len(self._ahead)
        self._forget()
        calls, certain = foreseen or Foreseen(iter(()), certain=False)
        next(calls, None)  # the walk asks for the first by itself
        self._foreseen = calls
        first = self._most if certain else min(self._most, _FIRST_GUESSES)
        self._window = 1 if self._in_vain else first

    def _fill(self) -> None:
        patient = self._in_vain <= self._most + self._read // _READ
        window = min(self._window, self._pace.width or bool(self._send))
        while patient and len(self._ahead) < window:
            call = next(self._foreseen, None)
            pending = self._pending(call) if call else None
            if call is None or pending is None:
                return
            self._ahead.append((call, pending))

    def _pending(self, call: Call) -> Pending | None:
        if self._send and not self._pace.width:
            return self._send(call, self._stop)
        self._pool = self._pool or ThreadPoolExecutor(self._most + 1, thread_name_prefix="pages")
        return self._pool.submit(self._timed, call, self._stop)

    def _timed(self, call: Call, stop: threading.Event) -> Page | None:
        assert self._try is not None
        began_s = time.thread_time()
        try:
            return self._try(call, stop)
        finally:
            self._pace.spent(time.thread_time() - began_s)

    def _forget(self) -> None:
        self._stop.set()
        for _, future in self._ahead:
            future.cancel()
        self._ahead.clear()
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._forget()
        if self._pool:
            self._pool.shutdown(cancel_futures=True)


def _same(foreseen: Call, asked: Call) -> bool:
    if foreseen == asked:
        return True
    # A probe's 404 is the list's end, another's may be an error.
    return foreseen.identity == asked.identity and foreseen.probe == asked.probe
