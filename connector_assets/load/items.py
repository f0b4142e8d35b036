"""The positions of a stream's items, however many, in memory that does not grow with them.

A few are a dict, as JSON gives it. More than `FEW` are `ItemPositions`, a mapping on disk, and rows
of their own in a destination that has tables for what it remembers.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import weakref
from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any

from connector_assets.errors import LoadError
from connector_assets.load.table import Cursor

FEW = 1_000
_ROWS_AT_ONCE = 1_000
_CACHE_KIB = 4_096
_SCHEMA = f"""
pragma journal_mode = off;
pragma cache_size = -{_CACHE_KIB};
create table items (item text primary key, position text) without rowid;
"""


class ItemPositions(Mapping[str, Any]):
    """JSON values by item, in the order of the items' bytes; threads may share it."""

    def __init__(self, texts: Iterable[tuple[str, str]] = ()) -> None:
        """`texts` are items, each with its position as JSON text."""
        # Without a name it is a file that SQLite makes once its cache is full, and removes.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._db.close)
        self._lock = threading.Lock()
        self._count: int | None = 0
        self._db.executescript(_SCHEMA)
        self._put(texts)

    def update(self, positions: Iterable[tuple[str, Any]]) -> None:
        """Put positions in, over those of the same items."""
        self._put((item, json.dumps(position)) for item, position in positions)

    def _put(self, texts: Iterable[tuple[str, str]]) -> None:
        try:
            with self._lock:
                self._count = None
                self._db.executemany("insert or replace into items values (?, ?)", texts)
        except sqlite3.Error as error:
            fix = "see the disk of temporary files; TMPDIR moves them"
            raise LoadError(str(error), where="positions of items", fix=fix) from error

    def texts(self) -> Iterator[tuple[str, str]]:
        """The items in order, each with its position as JSON text."""
        last, found = "", self._rows("select * from items order by item limit ?", _ROWS_AT_ONCE)
        while found:
            yield from found
            last = found[-1][0]
            # Not one long query: items may be put in meanwhile.
            found = self._rows(
                "select * from items where item > ? order by item limit ?", last, _ROWS_AT_ONCE
            )

    def digest(self) -> str:
        """A digest of all there is."""
        found = hashlib.sha256()
        for pair in self.texts():
            found.update(json.dumps(pair).encode())
        return found.hexdigest()

    def __getitem__(self, item: str) -> Any:
        found = self._rows("select position from items where item = ?", item)
        if not found:
            raise KeyError(item)
        return json.loads(found[0][0])

    def __iter__(self) -> Iterator[str]:
        return (item for item, _ in self.texts())

    def __len__(self) -> int:
        if self._count is None:
            self._count = int(self._rows("select count(*) from items")[0][0])
        return self._count

    def __bool__(self) -> bool:
        return bool(self._rows("select 1 from items limit 1"))

    def items(self) -> ItemsView[str, Any]:
        return _Items(self)

    def values(self) -> ValuesView[Any]:
        return _Values(self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ItemPositions):
            return all(map(_same, zip_longest(self.texts(), other.texts())))
        if not isinstance(other, Mapping):
            return NotImplemented
        missing = object()
        return len(self) == len(other) and all(
            other.get(item, missing) == position for item, position in self.items()
        )

    __hash__ = None  # type: ignore[assignment] # it changes

    def __repr__(self) -> str:
        return f"ItemPositions({len(self):,} items)"

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()


class _Items(ItemsView[str, Any]):
    """Without a query for each item."""

    _mapping: ItemPositions

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return ((item, json.loads(text)) for item, text in self._mapping.texts())


class _Values(ValuesView[Any]):
    """Without a query for each item."""

    _mapping: ItemPositions

    def __iter__(self) -> Iterator[Any]:
        return (json.loads(text) for _, text in self._mapping.texts())


def _same(pair: tuple[tuple[str, str] | None, tuple[str, str] | None]) -> bool:
    one, other = pair
    if one is None or other is None or one[0] != other[0]:
        return False
    return one[1] == other[1] or bool(json.loads(one[1]) == json.loads(other[1]))


def collected(positions: Iterable[tuple[str, Any]]) -> Mapping[str, Any]:
    """A mapping of positions, the last of an item counting: a dict, or on disk if they are many."""
    rest = iter(positions)
    few = dict(islice(rest, FEW))
    after = next(rest, None)
    if after is None:
        return few
    many = ItemPositions()
    many.update(chain(few.items(), [after], rest))
    return many


def texts_of(positions: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The items of any mapping, each with its position as JSON text."""
    if isinstance(positions, ItemPositions):
        return positions.texts()
    return ((item, json.dumps(position)) for item, position in positions.items())


def write_lines(positions: Mapping[str, Any], path: Path) -> None:
    """Write a line of JSON for each item; the position is in it as text, so as to stay as it is."""
    with path.open("w") as file:
        for item, text in texts_of(positions):
            file.write(json.dumps({"item": item, "position": text}) + "\n")


def whole(cursor: Cursor) -> Any:
    """What is stored after `cursor`: a JSON value, or `ItemPositions`."""
    if not isinstance(cursor.value, Mapping):
        return cursor.value
    before = cursor.expected.items() if cursor.adds and cursor.expected else ()
    if not before and isinstance(cursor.value, ItemPositions) and len(cursor.value) > FEW:
        return cursor.value
    return collected(chain(before, cursor.value.items()))


def plain(value: Any) -> Any:
    """The JSON value of what `whole` gave, all of it in memory."""
    return dict(value) if isinstance(value, Mapping) else value
