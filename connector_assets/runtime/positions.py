"""What a run learns of a stream's cursor: the highest position, and which rows are new.

The stored form is `{"value": v, "start": s, "keys": [...]}`: the highest cursor value as received,
the configured start it was reached from, and for append the rows that stand exactly on it, since an
inclusive server sends those again. Beside it may stand claims, `{"validator": {…}}` or
`{"parent": "…"}`: what lets a later run leave rows out because the table has them already.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from connector_assets.errors import ResponseError
from connector_assets.runtime.conditional import VALIDATOR
from connector_assets.runtime.peek import peek
from connector_assets.spec.incremental import Incremental, Position, Window, higher
from connector_assets.spec.paths import MISSING, Path

PARENT = "parent"
"""The key of what an item's parents were when it was read."""
CLAIMS = frozenset({VALIDATOR, PARENT})
_decoder = msgspec.json.Decoder()


def claims(positions: Mapping[str, Any], names: frozenset[str] = CLAIMS) -> bool:
    """Whether stored positions say of some rows that the table has them."""
    return any(not names.isdisjoint(entry) for entry in _entries(positions))


def unclaimed(
    positions: Mapping[str, Any], names: frozenset[str] = CLAIMS
) -> Iterator[tuple[str, Any]]:
    """Stored positions without their claims, as for a table that was emptied."""
    for key, entry in positions.items():
        if isinstance(entry, Mapping):
            yield key, {name: value for name, value in entry.items() if name not in names}
        else:
            yield key, entry


def are_all(reached: Mapping[str, Any]) -> bool:
    """Whether a run that reached these positions read all rows, and not only those after some."""
    return all(
        isinstance(entry, Mapping) and entry.keys() <= {VALIDATOR} for entry in reached.values()
    )


def _entries(positions: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The entries of this form; a plugin's are its own."""
    return (entry for entry in positions.values() if isinstance(entry, Mapping))


class Positions:
    """Follows the cursor of one stream, or of one item of it, through a run.

    `past` says that the last row seen was older than its window: a feed sorted down is done.
    """

    def __init__(
        self,
        incremental: Incremental,
        stored: Mapping[str, Any] | None,
        first: Any,
        append_keys: Sequence[str] = (),
    ) -> None:
        self._incremental, self._first = incremental, first
        self._cursor_of = peek(incremental.cursor_field)
        self._key_paths = [Path(key) for key in append_keys]
        self.raw: Any = stored.get("value") if stored else None
        self._highest = None if self.raw is None else incremental.position(self.raw)
        self._keys = set(stored.get("keys", ())) if stored else set()
        self.past = False

    def stored(self) -> dict[str, Any] | None:
        """What to keep with the table."""
        if self.raw is None:
            return None
        kept: dict[str, Any] = {"value": self.raw}
        if self._first is not None:
            kept["start"] = self._first
        if self._key_paths:
            kept["keys"] = sorted(self._keys)
        return kept

    def settle(self, window: Window, now: dt.datetime) -> None:
        """`window` was read in full: go on from its end, if no row can come before that."""
        raw = self._incremental.settled(window, now)
        if raw is None:
            return
        position = self._incremental.position(raw)
        if self._highest is None or higher(position, self._highest):
            self._highest, self.raw = position, raw
            self._keys.clear()

    def take(self, lines: Sequence[bytes], window: Window) -> list[bytes]:
        """The rows of a page that belong to the run, in order; notes their positions."""
        kept: list[bytes] = []
        found = 0
        for line in lines:
            raw = self._cursor_of(line)
            if raw is MISSING or raw is None:
                kept.append(line)
                continue
            found += 1
            position = self._incremental.position(raw)
            if self._is_beyond(position, window):
                continue
            self.past = self._is_old(position, window)
            if not self.past and self._is_new(line, raw, position):
                kept.append(line)
        if lines and not found:
            raise ResponseError(
                f'no row has the cursor "{self._incremental.cursor_field}"',
                fix="correct incremental.cursorField",
            )
        return kept

    def _is_old(self, position: Position, window: Window) -> bool:
        return (
            self._incremental.client_filter
            and window.start is not None
            and higher(window.start, position)
        )

    def _is_beyond(self, position: Position, window: Window) -> bool:
        """Whether a row is of a later partition, where the server cannot tell."""
        return (
            self._incremental.client_filter
            and window.closed
            and window.end is not None
            and not higher(window.end, position)
        )

    def _is_new(self, line: bytes, raw: Any, position: Position) -> bool:
        """Whether a row is not one of those that stood on the highest position already."""
        beyond = self._highest is None or higher(position, self._highest)
        if beyond:
            self._highest, self.raw = position, raw
            self._keys.clear()
        if not self._key_paths or position != self._highest:
            return True
        key = self._key_of(line)
        if key in self._keys:
            return False
        self._keys.add(key)
        return True

    def _key_of(self, line: bytes) -> str:
        row = _decoder.decode(line)
        values = [path.get(row) for path in self._key_paths]
        # A key that only `fields` makes is not here yet: then the row as it came tells it apart.
        key = line if None in values else msgspec.json.encode(values)
        return hashlib.blake2b(key, digest_size=8).hexdigest()
