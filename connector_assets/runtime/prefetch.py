"""Pages fetched ahead, several at a time, while the walk stays in charge.

A prefetched page is used only when the walk asks for exactly that call, so the rows are those of
the walk done one by one: where a page comes out shorter than foreseen, the rest is asked anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from connector_assets.runtime.page import Page
from connector_assets.spec.call import Call


class Prefetch:
    """A `fetch` that has up to `width` foreseen calls under way; use it in a `with` block."""

    def __init__(self, fetch: Callable[[Call], Page], width: int) -> None:
        self._fetch, self._width = fetch, width
        self._foreseen: Iterator[Call] = iter(())
        self._ahead: deque[tuple[Call, Future[Page]]] = deque()
        self._pool: ThreadPoolExecutor | None = None

    def foresee(self, calls: Iterator[Call] | None) -> None:
        """These calls are likely to be asked for next, in this order."""
        if calls is not None and self._width > 1:
            self._foreseen = calls
            self._pool = ThreadPoolExecutor(self._width, thread_name_prefix="pages")
            self._fill()

    def __call__(self, call: Call) -> Page:
        """The page of `call`, fetched ahead if it was foreseen."""
        if self._ahead and self._ahead[0][0].place == call.place:
            page = self._ahead.popleft()[1].result()
            self._fill()
            return page
        self._forget()
        return self._fetch(call)

    def _fill(self) -> None:
        assert self._pool
        while len(self._ahead) < self._width:
            call = next(self._foreseen, None)
            if call is None:
                return
            self._ahead.append((call, self._pool.submit(self._fetch, call)))

    def _forget(self) -> None:
        for _, future in self._ahead:
            future.cancel()
        self._ahead.clear()
        self._foreseen = iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._forget()
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
