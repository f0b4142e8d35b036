"""One load as it is ordered: which table, how, with which rows, for whom."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from connector_assets.errors import Busy
from connector_assets.load.table import Cursor, Segment, Table, WriteMode


@dataclass(frozen=True, slots=True)
class Order:
    """An order says what a destination has to do in one load, all of it or nothing.

    `mode` is the stream's write mode; `way` is the one that this load follows. `segments` are the
    staged rows, in order. `cursor` is the position to store with them; None stores none. `fence`
    is called just before the commit: what it raises undoes the load. `run_id` names the run to
    others who wait for the table. `after` is the name of the load that the table had last when
    these rows began to be read, "" where it had none; None asks nothing.
    """

    table: Table
    mode: WriteMode
    segments: Sequence[Segment] = ()
    cursor: Cursor | None = None
    fence: Callable[[], None] | None = None
    run_id: str = ""
    after: str | None = None

    @property
    def where(self) -> str:
        """The table, for messages."""
        return self.table.where

    @property
    def way(self) -> WriteMode:
        """The write mode that this load follows: `replace` where all is loaded anew, else `mode`.

        `scd2` stays `scd2`: the source cannot give the older versions of a row again.
        """
        return "replace" if self.table.claim.full and self.mode != "scd2" else self.mode

    @property
    def load_id(self) -> str:
        """The name of this load, "" where it has none. A load of one name is done only once."""
        return self.segments[0].load_id if self.segments else ""

    @property
    def kept_id(self) -> str:
        """The name by which the table remembers this load, also where it has none."""
        return self.load_id or uuid.uuid4().hex

    def require_last(self, found: str) -> None:
        """Raise Busy if the table's last load, `found`, is not the one that was there before.

        Rows that were read before another run loaded the table may be older than those it brought.
        """
        if self.after is not None and self.after != found:
            raise Busy(
                "another run loaded it while this one was reading",
                where=self.where,
                fix="run it again: it reads anew",
            )

    def is_all(self, rejected: int) -> bool:
        """Whether the rows are all that the source has, so that a key without a row is gone.

        `rejected` is the number of rows that were set aside. If there is one, the answer is no: the
        key may be in it.
        """
        return not rejected and (self.cursor is None or self.cursor.is_all)

    def may_prune(self, key: Collection[str] | None) -> bool:
        """Whether a full load may write and delete only rows that differ, and keep the others.

        `key` has the columns by which the stored table tells its rows apart, None where it has
        none. It must be the stream's primary key, and the load a `merge` of the whole table.
        """
        table = self.table
        is_whole = self.mode == "merge" and table.claim.full and table.partition is None
        return is_whole and key is not None and set(key) == set(table.primary_key)

    def look(self) -> None:
        """Call `fence`, if there is one; whatever it raises is raised."""
        if self.fence is not None:
            self.fence()

    def require_position(self, found: Any) -> None:
        """Raise Busy if the position `found` with the table is not where this run began."""
        if self.cursor is not None and self.cursor.expected != found:
            raise Busy(
                "its position moved while this run was reading: another run loaded it",
                where=self.where,
                fix="run it again: it goes on from the new position",
            )
