"""Where a read is: the checkpoints it can be gone on from, and how far each item is read."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
from msgspec import Struct, structs

from connector_assets.reading.connector import COMPLETE, ReadContext
from connector_assets.runtime.body.page import Page
from connector_assets.runtime.walk.conditional import Conditional
from connector_assets.runtime.walk.positions import (
    PARENT,
    Positions,
    RowPositions,
    TokenPosition,
    WindowPosition,
)
from connector_assets.runtime.walk.slices import Slice
from connector_assets.spec.names.paths import Path
from connector_assets.spec.request.call import Call
from connector_assets.spec.request.sealing import Sealing
from connector_assets.spec.request.stored import Unstorable, dumps, loads
from connector_assets.spec.stream.incremental import Incremental

_TOLD = 100  # no one reads more


class Mark(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a run is: the call that follows in a slice, and what `now` was when it began."""

    now: str
    number: int = 0
    item: str = ""
    call: Any = None
    position: dict[str, Any] | None = None
    parent: str = ""

    @classmethod
    def read(cls, text: str, sealing: Sealing) -> Mark | None:
        """The mark that a checkpoint is, None where it is of another version, or of nobody."""
        try:
            mark = msgspec.convert(loads(text, sealing), cls)
            dt.datetime.fromisoformat(mark.now)
            return structs.replace(mark, call=mark.call and Call.of(mark.call))
        except (ValueError, msgspec.ValidationError):
            return None


class Marks:
    """The marks of one read, from where an earlier one stopped."""

    def __init__(self, ctx: ReadContext[Any], sealing: Sealing, began: dt.datetime) -> None:
        self.stream, self._sealing = ctx.stream, sealing
        found = Mark.read(ctx.resume, sealing) if ctx.resume else None
        self.is_void = bool(ctx.resume) and found is None
        """Whether what an earlier run left cannot be gone on from."""
        self.ctx = replace(ctx, resume=None, reached=None) if self.is_void else ctx
        self.start = found or Mark(began.isoformat())
        # A partition is read for all of its items: what is stored speaks of the whole.
        self.by_change = ctx.stream.reads_changed and not ctx.partition
        self._positions: dict[str, Positions] = {}
        self._told = 0

    @property
    def now(self) -> dt.datetime:
        """When the read began, also where it is gone on with."""
        return dt.datetime.fromisoformat(self.start.now)

    def parent_of(self, one: Slice) -> str:
        """A digest of what the item's parents are now; empty where that cannot be told."""
        if not self.by_change or None in one.item.compared:
            return ""
        told = [self.ctx.fingerprint, one.first, one.item.compared]
        return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()[:24]

    def resumes(self, one: Slice) -> bool:
        """Whether an earlier run was interrupted in this slice."""
        if self.by_change:
            return one.item.key == self.start.item and self.parent_of(one) == self.start.parent
        return one.number == self.start.number

    def positions_of(
        self, one: Slice, before: Mapping[str, Any] | None = None, *, resume: bool = True
    ) -> Positions | None:
        """The positions of the slice's item, shared by its windows; `before` is where it began."""
        incremental, key = self.stream.incremental, one.item.key
        if incremental is None:
            return None
        if key not in self._positions:
            self._positions.clear()  # items come one after the other
            known = (self.ctx.cursor or {}).get(key)
            stored = known if one.raw is not None else None
            reached = (self.ctx.reached or {}).get(key)
            resumes = resume and self.resumes(one)
            resumed = self.start.position if resumes else before
            found = resumed or reached or stored
            self._positions[key] = self._made(incremental, found, known, one.first)
        return self._positions[key]

    def _made(
        self,
        incremental: Incremental,
        found: Mapping[str, Any] | None,
        known: Mapping[str, Any] | None,
        first: Any,
    ) -> Positions:
        """The positions of an item that go on from `found`; the table's own are `known`."""
        if incremental.kind == "token":
            return TokenPosition(incremental, found)
        if incremental.kind == "window":
            return WindowPosition(incremental, found, first)
        stream = self.stream
        made = stream.made_cursor
        keys = stream.primary_key if made else map(stream.fields.sent_name, stream.primary_key)
        return RowPositions(
            incremental,
            found,
            first,
            now=self.now,
            path=Path(made) if made else None,
            append_keys=tuple(keys) if stream.mode == "append" else (),
            known=known,
            sets_aside=stream.schema_policy == "quarantine",
            of=f"{self.ctx.connection} {stream.name}",
        )

    def forget(self, one: Slice, before: Mapping[str, Any] | None) -> Positions | None:
        """The positions as they were `before` the slice, which is read anew."""
        self._positions.clear()
        return self.positions_of(one, before, resume=False)

    def reached(
        self,
        one: Slice,
        only: Page | None,
        conditional: Conditional | None,
        *,
        whole: bool,
        is_doubtful: bool,
    ) -> dict[str, Any] | None:
        """What to keep for the slice's item; `only` is the page that held all of it, if one did.

        `whole` says that all of its rows came, `is_doubtful` that some may be missing.
        """
        if one.window.closed:
            return None  # a partition leaves the stored position alone
        positions = self._positions.get(one.item.key)
        if positions and whole:
            positions.settle(one.window, self.now)
            self._tell(one, positions)
        entry = (positions.stored() if positions else None) or {}
        if is_doubtful and not self._may_pass_over():
            entry = {}
        if "token" in entry and (not whole or self.ctx.secrets.holds(str(entry["token"]))):
            if whole:
                self.ctx.stats.note("the token holds a secret and is not kept")
            entry = {}
        if conditional:
            entry |= conditional.entry(only, self.ctx.secrets.holds)
        if whole and self.parent_of(one):
            entry[PARENT] = self.parent_of(one)
        return {one.item.key: entry} if entry else None

    def _may_pass_over(self) -> bool:
        """Whether a position may move though rows before it may be missing.

        Not where the next run can find them: sorted up they come later, and appended twice they
        would be doubled.
        """
        incremental = self.stream.incremental
        is_sorted = incremental is not None and incremental.order == "ascending"
        return is_sorted or self.ctx.mode == "append"

    def _tell(self, one: Slice, positions: Positions) -> None:
        of = f"{one.item.label}: " if one.item.label else ""
        for note in positions.notes():
            self._told += 1
            if self._told <= _TOLD:
                self.ctx.stats.note(f"{of}{note}")

    def checkpoint(self, one: Slice, following: Call | None, *, last: bool) -> str | None:
        """The checkpoint after a page of `one`; `last` says that nothing follows at all."""
        if last:
            return COMPLETE
        if following is None:
            return self._at(one.number + 1)
        positions = self._positions.get(one.item.key)
        return self._at(
            one.number,
            item=one.item.key,
            call=following,
            position=positions.stored() if positions else None,
            parent=self.parent_of(one),
        )

    def beginning_of(self, one: Slice) -> str:
        """The checkpoint after the slices before `one`; empty where there is none."""
        return (self._at(one.number) or "") if one.number else ""

    def _at(self, number: int, **more: Any) -> str | None:
        """What a later run goes on from; None where a secret is in it that could not come back."""
        try:
            return dumps(Mark(self.start.now, number, **more), self._sealing)
        except Unstorable:
            return None
