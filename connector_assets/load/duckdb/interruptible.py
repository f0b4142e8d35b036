"""Statements that end when the user does not wait for them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_Result = TypeVar("_Result")
_AGAIN_S = 0.05


def interruptible(connection: DuckDBPyConnection, work: Callable[[], _Result]) -> _Result:
    """Return what `work` does with the connection, and end it when this thread is interrupted.

    DuckDB looks for signals between the parts of a statement, and one part of a join may take
    hours; `interrupt` from another thread it heeds at once.
    """
    with ThreadPoolExecutor(1) as other:
        running = other.submit(work)
        try:
            return running.result()
        finally:
            # Again and again: a statement that begins only now forgets what came before.
            while not running.done():
                connection.interrupt()
                wait([running], _AGAIN_S)
