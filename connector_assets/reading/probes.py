"""Whether a source has changed, asked by the first request of its list alone.

Three things tell: rows beyond the position that was loaded; a validator (`ETag`) with which the
server answers 304; and what is the same for the same list, its total and its first page. Where
none of them speaks of the whole list, nothing is guessed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connector_assets.errors import ConfigError
from connector_assets.reading.connector import FirstPage, Probe, ReadContext
from connector_assets.reading.marks import Marks
from connector_assets.reading.tasks import Tasks, values_of
from connector_assets.runtime.list_walk import Walk
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.runtime.walk.conditional import Conditional
from connector_assets.runtime.walk.paginate import Step
from connector_assets.runtime.walk.positions import RowPositions
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.request.counted import PagePagination
from connector_assets.spec.request.paginates import Counts
from connector_assets.spec.request.pagination import NonePagination
from connector_assets.spec.request.sealing import Sealing
from connector_assets.spec.stream.stream import Stream
from connector_assets.spec.values import endpoint_templates

_SHORT = 32


def unwatchable(spec: ConnectorSpec, stream: Stream) -> str:
    """Why one request cannot tell whether `stream` has changed; empty where it can."""
    endpoint = spec.endpoint_of(stream)
    if stream.for_each:
        return "is read for each of many items; watch what it is read for"
    if endpoint.job:
        return "is an export, which is created anew each time"
    pagination = endpoint.pagination
    tells = (
        _by_position(spec, stream)
        or endpoint.conditional
        or isinstance(pagination, NonePagination)
        or pagination.tells_total
    )
    if tells:
        return ""
    return (
        "tells no change by its first answer: it needs incremental with startParam, conditional, "
        "a pagination with totalField, or a list that is one answer"
    )


def _by_position(spec: ConnectorSpec, stream: Stream) -> bool:
    """Whether rows beyond a position come first, so that the first page has one."""
    incremental = stream.incremental
    if incremental is None or incremental.kind != "field" or stream.made_cursor:
        return False
    names = {"window.start", "cursor"}
    asks = incremental.start_param or any(
        names & {*one.names} for one in endpoint_templates(spec.endpoint_of(stream))
    )
    return bool(asks) or incremental.order == "descending"


def probe(
    spec: ConnectorSpec,
    runtime: HttpRuntime,
    ctx: ReadContext[Any],
    before: Mapping[str, Any],
    position: Any,
) -> Probe:
    """One look at the source of `ctx.stream`, by one request.

    `before` is the state that an earlier look gave, and `position` the cursor that was loaded.
    """
    if position is not None and _by_position(spec, ctx.stream):
        ctx = _plain(ctx, position)
        return _Look.of(spec, runtime, ctx, before, position).beyond(before, position)
    return _Look.of(spec, runtime, _plain(ctx, None), before).compared(before)


def first_page(spec: ConnectorSpec, runtime: HttpRuntime, ctx: ReadContext[Any]) -> FirstPage:
    """What the first page of the first list tells of all, by one request."""
    if spec.endpoint_of(ctx.stream).job:
        raise ConfigError("is an export, which a look would create", where=ctx.label)
    began = runtime.clock.monotonic()
    look = _Look.of(spec, runtime, replace(ctx, preview=True), {})
    last, seconds = look.steps[-1], runtime.clock.monotonic() - began
    rows = sum(step.page.count for step in look.steps)
    pagination = spec.endpoint_of(ctx.stream).pagination
    total = pagination.total(last.page) if isinstance(pagination, Counts) else None
    return FirstPage(rows, total, last.following is None and not last.truncated, seconds)


def _plain(ctx: ReadContext[Any], position: Any) -> ReadContext[Any]:
    """The stream from `position` on in one window: what came before that was loaded."""
    stream = ctx.stream
    if stream.incremental:
        bare = stream.incremental.model_copy(update={"lookback": None, "window": None})
        stream = stream.model_copy(update={"incremental": bare})
    cursor = None if position is None else {"": {"value": position}}
    return replace(ctx, stream=stream, cursor=cursor, preview=True)


@dataclass(frozen=True)
class _Look:
    """What one request told: the parts of its page, and how far its rows reach."""

    ctx: ReadContext[Any]
    steps: Sequence[Step]
    reached: Any
    later: bool
    total: int | None
    conditional: Conditional | None

    @classmethod
    def of(
        cls,
        spec: ConnectorSpec,
        runtime: HttpRuntime,
        ctx: ReadContext[Any],
        before: Mapping[str, Any],
        position: Any = None,
    ) -> _Look:
        endpoint = spec.endpoint_of(ctx.stream)
        marks = Marks(ctx, Sealing(ctx.secrets, frozenset()), _now(runtime))
        tasks = Tasks(spec, runtime, ctx, marks, lambda _: iter(()))
        one = next(tasks.slices())
        kind = endpoint.conditional if position is None else None
        conditional = Conditional(kind, ctx.fingerprint, before) if kind else None
        how = Walk(
            bindings=tasks.bindings(one),
            adjust=lambda call: one.adjust(call, ctx.stream.incremental),
            max_pages=1,
            truncate=True,
            conditional=conditional,
        )
        values = values_of(ctx)
        found = runtime.steps(spec, ctx.stream, values, stats=ctx.stats, how=how, cancel=ctx.cancel)
        positions, steps = marks.positions_of(one) if position is not None else None, []
        for step in found:
            steps.append(step)
            if positions:
                positions.take(step.page.ndjson().splitlines(), one.window, step.page.rows_before)
            if not step.partial:
                break
        rows = positions if isinstance(positions, RowPositions) else None
        reached, later = rows and rows.raw, rows is not None and rows.any_later
        return cls(ctx, steps, reached, later, _total(endpoint.pagination, steps[-1]), conditional)

    def beyond(self, before: Mapping[str, Any], position: Any) -> Probe:
        """Whether there are rows beyond `position`, or others than before that stand on it."""
        state = {"asked": position, "standing": self.digest}
        shown = self.ctx.secrets.mask(str(position))
        is_same, moved = before.get("asked") == position, self.reached != position
        # Rows that are dated later than now are beyond every position.
        if before.get("standing") == self.digest and (self.later or (is_same and not moved)):
            return Probe(state, False, f"nothing new since {shown}")
        if moved:
            return Probe(state, True, f"there are rows beyond {shown}")
        if is_same:
            return Probe(state, True, f"other rows stand on {shown}")
        return Probe(state, False, f"nothing beyond {shown}")

    def compared(self, before: Mapping[str, Any]) -> Probe:
        """Whether the list is as `before`, by its validator, its total and its first page."""
        last = self.steps[-1]
        if last.page.unchanged:
            return Probe(before, False, "304: it is as it was")
        whole = last.following is None and not last.truncated
        if self.total is None and not whole:
            raise ConfigError(
                "its first answer does not tell whether the list has changed",
                where=self.ctx.label,
                fix="watch a stream whose answers have a total, or load it on a schedule",
            )
        state: dict[str, Any] = {"digest": self.digest, "total": self.total}
        if self.conditional:
            page = last.page if whole and len(self.steps) == 1 else None
            state |= self.conditional.entry(page, self.ctx.secrets.holds)
        if "digest" not in before:
            return Probe(state, None, "there is nothing to compare it with")
        if before.get("total") != self.total:
            return Probe(state, True, f"{self.total} rows, {before.get('total')} before")
        if before["digest"] != self.digest:
            return Probe(state, True, "its first page has other rows")
        return Probe(state, False, "as it was")

    @property
    def digest(self) -> str:
        """Equal for the same rows in the same order."""
        found = hashlib.sha256()
        for step in self.steps:
            found.update(step.page.ndjson())
        return found.hexdigest()[:_SHORT]


def _now(runtime: HttpRuntime) -> dt.datetime:
    return runtime.clock.utc_now()


def _total(pagination: Any, step: Step) -> int | None:
    """How long the whole list is, in rows or in pages, where its first answer tells."""
    told = pagination.total(step.page) if isinstance(pagination, Counts) else None
    if told is None and isinstance(pagination, PagePagination):
        return pagination.pages(step.page)
    return told
