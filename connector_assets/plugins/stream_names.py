"""Names of streams that are found at a source whose own names may have any character."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence


def stream_names(tables: Sequence[str]) -> list[str]:
    """What streams of tables are called: as the tables, or much like them where that cannot be.

    Of names that only their case tells apart, the small one stays.

    >>> stream_names(["orders", "order details"])
    ['orders', 'order_details']
    >>> stream_names(["orders", "Orders"])
    ['orders', 'Orders_b7e8acdd']
    """
    names, taken = {}, set()
    for table in sorted(tables, key=lambda one: (_plain(one) != one, one != one.lower(), one)):
        name = _plain(table)
        if name.lower() in taken:
            name = f"{name[:100]}_{hashlib.sha256(table.encode()).hexdigest()[:8]}"
        taken.add(name.lower())
        names[table] = name
    return [names[one] for one in tables]


def _plain(table: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", table)[:120]
