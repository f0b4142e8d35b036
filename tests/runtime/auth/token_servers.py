"""Servers of tokens that others wrote, as processes; nothing here waits without an end."""

from __future__ import annotations

import json
import queue
import select
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

# What takes longer than this has hung: a test then fails, and says where.
PATIENCE_S = 60.0


@contextmanager
def running(script: str, folder: Path, *args: object) -> Iterator[str]:
    """The origin of `script`, a program that prints its port when it serves."""
    command = [sys.executable, str(Path(__file__).with_name(script)), str(folder)]
    log = folder / "stderr.txt"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [*command, *map(str, args)], stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            assert process.stdout
            ready, _, _ = select.select([process.stdout], [], [], PATIENCE_S)
            port = process.stdout.readline() if ready else ""
            assert port, f"{script} did not start: {log.read_text()[-2000:]}"
            yield f"http://127.0.0.1:{int(port)}"
        finally:
            process.kill()


def told(origin: str, path: str) -> Any:
    """What the server says at `path`."""
    with urllib.request.urlopen(f"{origin}{path}", timeout=10) as answer:
        return json.load(answer)


def together(
    work: Callable[..., int], args: Sequence[object], enough: Callable[[], bool], count: int = 4
) -> list[int | str]:
    """What `count` processes gave that called `work(*args)` until `enough()`; texts are errors."""
    context = get_context("spawn")
    signals = context.Event(), context.Event(), context.Queue()
    start, stop, results = signals
    processes = [
        context.Process(target=_repeat, args=(work, args, signals), daemon=True)
        for _ in range(count)
    ]
    try:
        for process in processes:
            process.start()
        start.set()
        ends = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends and not enough():
            if not all(process.is_alive() for process in processes):
                break
            stop.wait(0.1)
        stop.set()
        return [_result(results) for _ in processes]
    finally:
        stop.set()
        for process in processes:
            process.join(5)
            process.kill()
        results.cancel_join_thread()


def _result(results: Any) -> int | str:
    try:
        given: int | str = results.get(timeout=PATIENCE_S)
    except queue.Empty:
        return "hung"
    return given


def _repeat(work: Callable[..., int], args: Sequence[object], signals: Any) -> None:
    start, stop, results = signals
    done = 0
    try:
        assert start.wait(PATIENCE_S), "never started"
        while not stop.is_set():
            done += work(*args)
    except Exception as error:
        results.put(f"{type(error).__name__}: {error}")
    else:
        results.put(done)
