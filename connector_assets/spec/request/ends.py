"""How a list ends: the rules that all paginations obey (ADR 17).

A pagination only says where a list goes on. Whether it is over, what its server told, and whether
that fits what came is decided here and by the driver (`runtime.walk.paginate`), for all alike.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from connector_assets.spec.request.call import Call, PageView

MOST_BARE = 3
"""Pages without rows, in a row, that a walk goes past."""

_FALSE = ("false", "no", "n", "0")
_TRUE = ("true", "yes", "y", "1")


class End(Struct, frozen=True):
    """A list ends here.

    `proven`: also where the last answer was ignored. `lacks` says why it may not be all, `note`
    what else a user should see once.
    """

    proven: bool = False
    lacks: str = ""
    note: str = ""


class Told(Struct, frozen=True):
    """What a counted list goes by: its page size, the number of its pages, and `stopOn: short`."""

    page_size: int | None = None
    pages: int | None = None
    stops_short: bool = False


def following(call: Call, page: PageView, told: Told) -> Literal["on", "verify"] | End:
    """Whether a counted list goes on after `page`, or only to make sure that it was the last.

    `call` has the bookkeeping of the next page. The rules, the first that holds:

    - `stopOn: short` ends at a page with fewer rows than `pageSize`.
    - Told pages are all read, and end the list unless fewer rows came than were told.
    - Where fewer rows came than told, or an answer was ignored, pages without rows are passed over.
    - Else a page without rows is the end, and so is a short one that reaches the told number.
    - A full page goes on. One that just reaches the told number is verified, and so is a short one.

    A told number below what came is no number.
    """
    rows = call.seen.told
    fewer = rows is not None and call.rows_before < rows
    full = bool(page.count) and page.count >= _size(call, told.page_size)
    if told.stops_short and not full and page.outcome != "ignored":
        return End(proven=True)
    if told.pages is not None and call.page <= told.pages:
        return "on"
    if told.pages == call.page - 1 and not fewer:
        return End(proven=True)
    if not page.count:
        return _after_bare(call, page, fewer=fewer)
    if call.rows_before == rows and not full:
        return End(proven=True)
    return "on" if full and call.rows_before != rows else "verify"


def _after_bare(call: Call, page: PageView, *, fewer: bool) -> Literal["verify"] | End:
    is_ignored = page.outcome == "ignored"
    if (fewer or is_ignored) and call.seen.bare <= MOST_BARE:
        return "verify"
    return End(proven=not is_ignored)


def _size(call: Call, page_size: int | None) -> int:
    """The rows of a full page: servers lower a size they find too large without a word."""
    is_first = call.page == 2  # noqa: PLR2004 - the one after
    return max(call.page_size or 0, (page_size or 0) if is_first else 0)


def is_end(cursor: object) -> bool:
    """Absent, null, empty or false; zero is a cursor like any other."""
    return cursor is None or cursor is False or cursor in ("", [], {})


def flag(value: object) -> bool | None:
    """What a server means by a flag, None where that is neither yes nor no.

    >>> flag("False"), flag(0.0), flag("1"), flag(None), flag("perhaps")
    (False, False, True, False, None)
    """
    if value is None or isinstance(value, bool | int | float | Decimal):
        return bool(value)
    text = value.strip().lower() if isinstance(value, str) else ""
    return False if text in _FALSE else True if text in _TRUE else None
