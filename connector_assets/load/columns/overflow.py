"""Keys beyond those that get columns: they go into one column, as an object.

{"id": 1, "a": 1, "b": 2, "c": 3}               with `after` 2, into "rest":
{"id": 1, "a": 1, "rest": {"b": 2, "c": 3}}
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import msgspec

from connector_assets.errors import RowsError
from connector_assets.load.columns.derived import Row, rewritten, twice_as_it_came
from connector_assets.load.kinds import Profile
from connector_assets.load.table import Segment, Table

_encode = msgspec.json.Encoder().encode


@contextmanager
def narrowed(
    table: Table, segments: Sequence[Segment], found: Profile, stored: Iterable[str]
) -> Iterator[Sequence[Segment]]:
    """Segments whose rows have no more keys than the table is to have columns.

    `found` is what the rows hold, `stored` are the keys that have columns already, which they keep.
    """
    kept = _kept(table, found, set(stored))
    if kept is None or table.overflow is None:
        yield segments
        return
    into = table.overflow.into
    if into in found.kinds and not found.kinds.keys() <= {into, *kept}:
        raise RowsError(
            f'the rows have a key "{into[:60]}" of their own',
            where=table.where,
            fix="choose another name for overflow.into",
        )
    with rewritten(segments, _Fold(kept, into), suffix=".narrowed") as copies:
        yield copies


def _kept(table: Table, found: Profile, stored: Collection[str]) -> Collection[str] | None:
    """The keys that are columns; None where that is all of them."""
    over = table.overflow
    if over is None:
        return None
    marks = {one for one in (table.deleted, table.reject) if one}
    first = dict.fromkeys([*stored, *table.primary_key, *table.columns, *marks])
    first.pop(over.into, None)
    new = [key for key in found.kinds if key not in first and key != over.into]
    room = max(over.after - len(first), 0)
    if len(new) <= room:
        return None
    return {*first, *islice(new, room)}


@dataclass(frozen=True, slots=True)
class _Fold:
    kept: Collection[str]
    into: str

    def __call__(self, row: Row) -> Row:
        folded = {key: value for key, value in row.items() if key in self.kept}
        if len(folded) < len(row):
            rest = {key: value for key, value in row.items() if key not in self.kept}
            folded[self.into] = msgspec.Raw(_encode(rest))
        return folded

    twice = staticmethod(twice_as_it_came)
