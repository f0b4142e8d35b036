"""What a run learns of a stream's position: where it got to, and which rows are new.

The stored form is `{"value": v, "start": s, "keys": [...], "unplaced": [...]}`: the highest cursor
value as received, the configured start it was reached from, and for append the rows that stand on
it or beyond the run's own time, and those without a cursor, since a server sends these again. A
token of the answer is `{"token": t}`. Beside it may stand claims, `{"validator": {…}}` or
`{"parent": "…"}`: what lets a later run leave rows out because the table has them already.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from connector_assets.errors import ConfigError, ResponseError
from connector_assets.runtime.body.page import Page
from connector_assets.runtime.rows.peek import peek
from connector_assets.runtime.walk.conditional import VALIDATOR
from connector_assets.spec.names import dates
from connector_assets.spec.names.paths import MISSING, Path
from connector_assets.spec.stream.cursor import Position, Unreadable, higher, written_like
from connector_assets.spec.stream.incremental import Incremental, Window

PARENT = "parent"
"""The key of what an item's parents were when it was read."""
CLAIMS = frozenset({VALIDATOR, PARENT})
# A number that is so many times the next highest, and at least so high, is likely an error.
_LEAP, _LEAPS_TO = 100, 10**6
_decoder = msgspec.json.Decoder()


class _Validator(Struct):
    value: str = ""
    of: str = ""


class _Entry(Struct):
    """What may stand in the state for one item."""

    value: int | float | str | None = None
    start: Any = None
    keys: list[str] = []
    unplaced: list[str] = []
    token: int | str | None = None
    validator: _Validator | None = None
    parent: str = ""


def require_sound(positions: Mapping[str, Any], where: str) -> None:
    """Raise ConfigError for stored positions of another form: someone else wrote there."""
    try:
        for entry in positions.values():
            msgspec.convert(entry, _Entry)
    except msgspec.ValidationError:
        raise not_ours(where) from None


def not_ours(where: str) -> ConfigError:
    """What to say of stored positions that are no positions; `where` is CONNECTION.STREAM."""
    connection, _, stream = where.partition(".")
    fix = f"run connector-assets state reset {connection} {stream}, and load it again"
    return ConfigError("its stored position is not ours", where=where, fix=fix)


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


class Taken(NamedTuple):
    """The rows of a page that belong to the run, in order, and those that cannot be placed.

    Each of these comes with its reason.
    """

    kept: list[bytes]
    aside: Sequence[tuple[bytes, str]] = ()


class Positions(Protocol):
    """Follows the position of one stream, or of one item of it, through a run."""

    past: bool
    """The last row seen was older than its window: a feed sorted down is done."""

    def stored(self) -> dict[str, Any] | None:
        """What to keep with the table."""
        ...

    def see(self, page: Page) -> None:
        """Note what the answer itself says."""
        ...

    def take(self, lines: list[bytes], window: Window, before: int = 0) -> Taken:
        """The rows of a page; notes their positions. `before` rows of it came already."""
        ...

    def settle(self, window: Window, now: dt.datetime) -> None:
        """`window` was read in full: go on from its end, if no row can come before that."""
        ...

    def notes(self) -> Iterator[str]:
        """What to tell of an item that was read in full."""
        ...


class TokenPosition:
    """A token that the answer gives, for the next run."""

    past = False

    def __init__(self, incremental: Incremental, stored: Mapping[str, Any] | None) -> None:
        assert incremental.token_field is not None
        self._path = incremental.token_field.source
        self._token: Any = (stored or {}).get("token")
        self._came = False

    def stored(self) -> dict[str, Any] | None:
        return None if self._token is None else {"token": self._token}

    def see(self, page: Page) -> None:
        token = page.field(self._path)
        if isinstance(token, int | str) and not isinstance(token, bool) and token != "":
            self._token, self._came = token, True

    def take(self, lines: list[bytes], window: Window, before: int = 0) -> Taken:  # noqa: ARG002 - Positions
        return Taken(lines)

    def settle(self, window: Window, now: dt.datetime) -> None:
        """The token speaks for itself."""

    def notes(self) -> Iterator[str]:
        if not self._came:
            yield f'no answer had "{self._path}": the next run begins where this one did'


class WindowPosition:
    """The time that was read, where rows have none."""

    past = False

    def __init__(
        self, incremental: Incremental, stored: Mapping[str, Any] | None, first: Any
    ) -> None:
        self._incremental, self._first = incremental, first
        self._value: Any = (stored or {}).get("value")

    def stored(self) -> dict[str, Any] | None:
        return None if self._value is None else {"value": self._value, "start": self._first}

    def see(self, page: Page) -> None:
        """Nothing of it is in the answers."""

    def take(self, lines: list[bytes], window: Window, before: int = 0) -> Taken:  # noqa: ARG002 - Positions
        return Taken(lines)

    def settle(self, window: Window, now: dt.datetime) -> None:
        end = min(window.end, now) if isinstance(window.end, dt.datetime) else now
        before = self._value and self._incremental.stored_position(self._value)
        if not isinstance(before, dt.datetime) or end > before:
            self._value = dates.iso(end)

    def notes(self) -> Iterator[str]:
        return iter(())


class RowPositions:
    """The highest value of a field of the rows.

    `now` is when the run began: no later time is stored. `known` is what the table's own position
    says of rows that it has, for append. `of` names connection and stream.
    """

    def __init__(
        self,
        incremental: Incremental,
        stored: Mapping[str, Any] | None,
        first: Any,
        *,
        now: dt.datetime,
        path: Path | None = None,
        append_keys: Sequence[str] = (),
        known: Mapping[str, Any] | None = None,
        sets_aside: bool = False,
        of: str = "",
    ) -> None:
        assert incremental.cursor_field is not None
        self._incremental, self._first, self._now = incremental, first, now
        self._name, self._of = str(incremental.cursor_field), of
        self._sets_aside = sets_aside
        self._cursor_of = peek(path or incremental.cursor_field)
        self._read = incremental.reader
        self._key_paths = [Path(key) for key in append_keys]
        stored, known = stored or {}, known or {}
        self.raw: Any = stored.get("value")
        self._highest = None if self.raw is None else incremental.stored_position(self.raw)
        self._began_at = self._highest
        self._keys = set(stored.get("keys", ()))
        self._known = {*known.get("keys", ()), *self._keys}
        self._unplaced = {*known.get("unplaced", ()), *stored.get("unplaced", ())}
        self._second: Position | None = None
        self._rows = self._placed = self._later = 0
        self.past = False

    def stored(self) -> dict[str, Any] | None:
        kept: dict[str, Any] = {}
        if self.raw is not None:
            kept["value"] = self.raw
            if self._first is not None:
                kept["start"] = self._first
            if self._key_paths:
                kept["keys"] = sorted(self._keys)
        if self._unplaced:
            kept["unplaced"] = sorted(self._unplaced)
        return kept or None

    @property
    def any_later(self) -> bool:
        """Whether a row is dated later than now."""
        return self._later > 0

    def see(self, page: Page) -> None:
        """All of it is in the rows."""

    def notes(self) -> Iterator[str]:
        if self._rows and not self._placed:
            yield f'no row has the cursor "{self._name}": each run reads all that this one did'
        if self._later:
            yield f'some rows have a "{self._name}" later than now; the stored cursor stops at now'
        if leap := self._leap():
            yield leap

    def _leap(self) -> str:
        """What to say where the highest number leaves out all that is likely to come."""
        top, second = self._highest, self._second
        if isinstance(top, dt.datetime | str | None) or isinstance(
            second, dt.datetime | str | None
        ):
            return ""
        if top < _LEAPS_TO or top <= _LEAP * abs(Decimal(second)):
            return ""
        return (
            f"its cursor is at {self.raw!r}, far above {second}, the next highest: what comes "
            "below is not asked for again; if that row is wrong, correct it at the source and run "
            f"connector-assets state reset {self._of}"
        )

    def settle(self, window: Window, now: dt.datetime) -> None:
        raw = self._incremental.settled(window, now)
        if raw is None:
            return
        position = self._incremental.stored_position(raw)
        if self._highest is None or higher(position, self._highest):
            self._highest, self.raw = position, raw

    def take(self, lines: list[bytes], window: Window, before: int = 0) -> Taken:
        taken = Taken([], [])
        self._rows += len(lines)
        for number, line in enumerate(lines, before + 1):
            raw = self._cursor_of(line)
            try:
                if self._is_wanted(line, raw, window):
                    taken.kept.append(line)
            except Unreadable as error:
                what = f'the cursor "{self._name}" {error}'
                if not self._sets_aside:
                    raise self._unreadable(what, number) from None
                taken.aside.append((line, what))  # type: ignore[attr-defined] # a list here
        return taken

    def _unreadable(self, what: str, number: int) -> ResponseError:
        return ResponseError(
            f"row {number} of a page: {what}",
            fix="say how it is written with incremental.cursorFormat, or have such rows set aside "
            "with schemaPolicy: quarantine",
        )

    def _is_wanted(self, line: bytes, raw: Any, window: Window) -> bool:
        if raw is MISSING or raw is None or raw == "":
            return self._is_new_unplaced(line)
        position = self._read(raw)
        self._placed += 1
        if self._is_beyond(position, window):
            return False
        self.past = self._is_old(position, window)
        return not self.past and self._is_new(line, raw, position)

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

    def _is_new_unplaced(self, line: bytes) -> bool:
        """Whether a row without a cursor is one that no run has appended."""
        if not self._key_paths:
            return True
        key = self._key_of(line)
        is_new = key not in self._unplaced
        self._unplaced.add(key)
        return is_new

    def _is_new(self, line: bytes, raw: Any, position: Position) -> bool:
        """Whether a row is not one of those that stood on the highest position already."""
        later = isinstance(position, dt.datetime) and position > self._now
        if later:
            position, own = self._at_most_now(raw), raw
            self._later += 1
        shown = self._written_now(raw) if later else raw
        if self._highest is None or higher(position, self._highest):
            self._second = self._highest
            self._highest, self.raw = position, shown
            self._keys.clear()
        elif position != self._highest and (self._second is None or higher(position, self._second)):
            self._second = position
        stands, stood = position == self._highest, position == self._began_at
        if not self._key_paths or not (stands or stood):
            return True
        # Of a row that is dated later, another date is another version.
        key = self._key_of(line, own if later else None)
        is_known = key in self._keys or ((later or stood) and key in self._known)
        if stands:
            self._keys.add(key)
        return not is_known

    def _written_now(self, raw: Any) -> Any:
        return written_like(raw, self._incremental.cursor_format, self._now)

    def _at_most_now(self, raw: Any) -> Position:
        return self._incremental.stored_position(self._written_now(raw))

    def _key_of(self, line: bytes, version: Any = None) -> str:
        row = _decoder.decode(line)
        values = [path.get(row) for path in self._key_paths]
        # A key that only `fields` makes is not here yet: then the row as it came tells it apart.
        key = line if None in values else msgspec.json.encode(values)
        if version is not None:
            key += str(version).encode()
        return hashlib.blake2b(key, digest_size=8).hexdigest()
