"""Pages become batches: rows as they are staged, and what a later run goes on from after them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from connector_assets.errors import BlockedError, Cancelled, ConnectorError
from connector_assets.reading.connector import COMPLETE, Batch
from connector_assets.reading.marks import Marks
from connector_assets.reading.set_aside import runs
from connector_assets.reading.tasks import Tasks
from connector_assets.runtime.body.page import Page
from connector_assets.runtime.by_hand import blamed, transformed
from connector_assets.runtime.rows.records import Transform, transform_of
from connector_assets.runtime.rows.rejects import rejected
from connector_assets.runtime.rows.tombstones import marked
from connector_assets.runtime.walk.paginate import Step
from connector_assets.runtime.walk.positions import CLAIMS, PARENT, claims, require_sound, unclaimed
from connector_assets.runtime.walk.slices import Slice
from connector_assets.spec.templates.lets import by_time

_ITEMS_AT_ONCE = 1_000
_SKIPS_TOLD = 100  # no one reads more, and all are counted


class Batches:
    """The batches of one read, in order."""

    def __init__(self, tasks: Tasks, marks: Marks) -> None:
        self.ctx, self.stream, self._tasks, self._marks = tasks.ctx, tasks.ctx.stream, tasks, marks
        self._transform = transform_of(self.stream)

    def __iter__(self) -> Iterator[Batch]:
        """The batches that are still to be read; the last one is marked."""
        if self.ctx.cursor is not None:
            require_sound(self.ctx.cursor, f"{self.ctx.connection}.{self.stream.name}")
        if self._marks.is_void:
            self.ctx.stats.note("what an earlier run staged cannot be gone on with: starting over")
            yield Batch(b"", 0, void_after="")
        yield from self._without_claims()
        read_any = False
        for (one, last), steps in self._tasks.in_order():
            read_any = True
            try:
                yield from self._of_slice(one, steps, last=last)
            except ConnectorError as error:
                if not self._may_skip(error):
                    raise self._labelled(error, one) from None
                self._skip(one, error)
                yield Batch(b"", 0, self._marks.checkpoint(one, None, last=last), complete=last)
        for note in self._transform.notes if self._transform else ():
            self.ctx.stats.note(note)
        if not read_any:
            yield Batch(b"", 0, COMPLETE, complete=True)

    def _without_claims(self) -> Iterator[Batch]:
        """Stored positions without what they claim of rows that this run may change."""
        outdated = CLAIMS - {PARENT} if self._marks.by_change else CLAIMS
        if not self.ctx.resume and claims(self.ctx.cursor or {}, outdated):
            # Renewed below, or void: what this run loads may not be what they speak of.
            left = unclaimed(self.ctx.cursor or {}, outdated)
            while some := dict(itertools.islice(left, _ITEMS_AT_ONCE)):
                yield Batch(b"", 0, cursor=some)

    def _of_slice(self, one: Slice, steps: Iterator[Step], *, last: bool) -> Iterator[Batch]:
        pages = _Pages(one, self._tasks, self._marks, self._transform)
        self.ctx.stats.part = one.label(self.stream.incremental)
        for step in steps:
            if step.page.unchanged:
                yield Batch(b"", 0, COMPLETE, complete=True, unchanged=True)
                return
            batch, goes_on = pages.batch(step, last=last)
            yield batch
            if not goes_on:
                return

    def _may_skip(self, error: ConnectorError) -> bool:
        skips = bool(self.stream.for_each) and self.stream.on_item_error == "skip"
        return skips and not isinstance(error, BlockedError | Cancelled)

    def _skip(self, one: Slice, error: ConnectorError) -> None:
        self.ctx.stats.failed_items += 1
        if self.ctx.stats.failed_items <= _SKIPS_TOLD:
            self.ctx.stats.note(f"skipped {one.item.label}: {error}")

    def _labelled(self, error: ConnectorError, one: Slice) -> ConnectorError:
        if label := one.label(self.stream.incremental):
            error.within(label)
        return error.masked(self.ctx.secrets.mask)


class _Pages:
    """The pages of one slice, one after the other."""

    def __init__(self, one: Slice, tasks: Tasks, marks: Marks, transform: Transform | None) -> None:
        self._one, self._tasks, self._marks, self._transform = one, tasks, marks, transform
        self._positions = marks.positions_of(one)
        is_resumed = marks.resumes(one)
        stored = self._positions and not (is_resumed and marks.start.position is not None)
        self._before = self._positions.stored() if self._positions and stored else None
        self._deleted_when = tasks.ctx.stream.deleted_when
        self._scope = tasks.scope_of(one) if transform or self._deleted_when else {}
        self._row_lets = by_time(tasks.ctx.stream.let)[1]
        self._count, self._is_new = 1 if is_resumed and marks.start.call else 0, True

    def batch(self, step: Step, *, last: bool) -> tuple[Batch, bool]:
        """The page as a batch, and whether another is to be read; `last` says of which slice."""
        self._begin(step)
        lines, count = self._rows(step.page)
        past = self._positions and self._positions.past and self._tasks.stops_early
        following = None if past else step.following
        ended = following is None or step.truncated
        goes_on = step.partial and following is not None
        marks, one, is_all = self._marks, self._one, following is None
        only = step.page if self._count == 1 and is_all and not step.lacks else None
        batch = Batch(
            lines,
            count,
            None if goes_on else marks.checkpoint(one, following, last=last and is_all),
            complete=ended and last,
            cursor=self._moved(step, only, is_last=is_all) if ended else None,
            void_after=marks.beginning_of(one) if step.restarted else None,
            partial=goes_on,
            lacks=step.lacks,
        )
        return batch, not is_all

    def _moved(self, step: Step, only: Page | None, *, is_last: bool) -> dict[str, Any] | None:
        whole = is_last and not step.lacks
        is_doubtful = bool(step.lacks) and not step.truncated
        conditional = self._tasks.conditional
        return self._marks.reached(
            self._one, only, conditional, whole=whole, is_doubtful=is_doubtful
        )

    def _begin(self, step: Step) -> None:
        """Count the page; forget those before where the server had the list begun anew."""
        self._count = 1 if step.restarted else self._count + self._is_new
        self._is_new = not step.partial
        if step.restarted:
            self._positions = self._marks.forget(self._one, self._before)

    def _rows(self, page: Page) -> tuple[bytes, int]:
        """The page's rows as they are stored, and their number."""
        if self._positions:
            self._positions.see(page)
        found, count, before = [], 0, page.rows_before
        ctx = self._tasks.ctx
        opens = bool(self._transform or self._deleted_when or ctx.by_hand.transform)
        for lines, number, aside in runs(
            page.ndjson(), page.count, ctx.stream, before=before, opens=opens
        ):
            made, more = self._placed(lines, number, before)
            before += number
            if aside:
                hidden = self._transform.hidden(aside[0]) if self._transform else aside[0]
                made += rejected(hidden, aside[1])
                more, before = more + 1, before + 1
            found.append(made)
            count += more
        return b"".join(found), count

    def _placed(self, lines: bytes, count: int, before: int) -> tuple[bytes, int]:
        """What the stream makes of those rows whose position is wanted."""
        if self._positions is None:
            return self._made_of(lines, count, before)
        is_made = bool(self._tasks.ctx.stream.made_cursor)
        if is_made:
            lines, count = self._made_of(lines, count, before)
        taken = self._positions.take(lines.splitlines(), self._one.window, before)
        lines, count = b"".join(line + b"\n" for line in taken.kept), len(taken.kept)
        if not is_made:
            lines, count = self._made_of(lines, count, before)
        for line, reason in taken.aside:
            row = line + b"\n"
            aside = rejected(row if is_made else self._made_of(row, 1, before)[0], reason)
            lines, count = lines + aside, count + aside.count(b"\n")
        return lines, count

    def _made_of(self, lines: bytes, count: int, before: int) -> tuple[bytes, int]:
        """What the stream makes of rows, of whose page `before` came already."""
        if self._deleted_when:
            lines = marked(lines, self._deleted_when, self._scope, before, self._row_lets)
        if self._transform:
            lines, count = self._transform(lines, self._scope, before)
        if by_hand := self._tasks.ctx.by_hand.transform:
            with blamed("transform", self._tasks.ctx.secrets.mask):
                lines, count = transformed(lines, by_hand)
        return lines, count
