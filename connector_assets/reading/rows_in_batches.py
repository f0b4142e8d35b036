"""Rows one by one become batches: what staging writes and counts at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

from connector_assets.errors import Cancelled, ResponseError
from connector_assets.reading.connector import Batch, ReadContext

BATCH_ROWS = 1000


def in_batches(
    rows: Iterable[Mapping[str, Any] | Batch], ctx: ReadContext[Any], *, where: str
) -> Iterator[Batch]:
    """Dicts by the thousand, a `Batch` as it stands; the last one is marked complete.

    A row is copied, so a plugin may use one dict again and again. Raises Cancelled between rows.
    """
    waiting: list[dict[str, Any]] = []
    complete = False
    with closing_if_closable(rows):
        for item in rows:
            if ctx.cancel.is_set():
                raise Cancelled("cancelled", where=where)
            if complete:
                raise ResponseError("rows came after the batch marked complete", where=where)
            if isinstance(item, Mapping):
                waiting.append(dict(item))
            elif not isinstance(item, Batch):
                raise ResponseError(
                    f"a row is of type {type(item).__name__}", where=where, fix="yield dicts"
                )
            if waiting and (isinstance(item, Batch) or len(waiting) == BATCH_ROWS):
                yield Batch(waiting, len(waiting))
                waiting = []
            if isinstance(item, Batch):
                complete = item.complete
                yield item
    if not complete:
        yield Batch(waiting, len(waiting), complete=True)


def closing_if_closable(rows: Any) -> AbstractContextManager[Any]:
    """A generator's `finally` runs at once when its reader stops early, not at some later time."""
    return closing(rows) if hasattr(rows, "close") else nullcontext()
