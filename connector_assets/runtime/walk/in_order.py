"""Several readers at work, their results in the order of the tasks, in bounded memory."""

from __future__ import annotations

import itertools
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

# Results a reader may be ahead of the one whose turn it is; then it waits.
_AHEAD = 4
_LOOK_S = 0.1


def in_order(
    tasks: Iterable[Task],
    read: Callable[[Task], Iterator[Result]],
    width: int,
    *,
    read_ahead: Callable[[Task], Iterator[Result]] | None = None,
) -> Iterator[tuple[Task, Iterator[Result]]]:
    """Each task with its results, `width` tasks under way at a time.

    `read_ahead` is how a task is read while others are, and then has to wait for its turn.

    Every iterator of results must be exhausted before the next task is asked for. An error in
    `read` is raised where its results are consumed. A task that is the only one is read by the
    caller's own thread: it goes no further than what the caller has kept.
    """
    source = iter(tasks)
    first = list(itertools.islice(source, 2 if width > 1 else 0))
    source = itertools.chain(first, source)
    if len(first) <= 1:
        for task in source:
            yield task, read(task)
        return
    stop = threading.Event()
    with ThreadPoolExecutor(width, thread_name_prefix="slices") as pool:
        try:
            running: deque[_Reader[Task, Result]] = deque()
            while True:
                for task in itertools.islice(source, width - len(running)):
                    running.append(_Reader(task, read_ahead or read, stop))
                    pool.submit(running[-1].run)
                if not running:
                    return
                reader = running.popleft()
                yield reader.task, reader.results()
        finally:
            stop.set()


class _Reader(Generic[Task, Result]):
    def __init__(
        self, task: Task, read: Callable[[Task], Iterator[Result]], stop: threading.Event
    ) -> None:
        self.task, self._read, self._stop = task, read, stop
        self._queue: queue.Queue[tuple[str, Result | BaseException | None]] = queue.Queue(_AHEAD)

    def run(self) -> None:
        try:
            for result in self._read(self.task):
                if not self._put("result", result):
                    return
            self._put("end", None)
        except BaseException as error:  # noqa: BLE001 - raised again where it is consumed
            self._put("error", error)

    def _put(self, kind: str, value: Result | BaseException | None) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put((kind, value), timeout=_LOOK_S)
            except queue.Full:
                continue
            return True
        return False

    def results(self) -> Iterator[Result]:
        while True:
            kind, value = self._queue.get()
            if kind == "end":
                return
            if isinstance(value, BaseException):
                raise value
            yield value  # type: ignore[misc] # "result" carries one
