"""What a read has still to ask: its slices in order, and the pages of each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import msgspec

from connector_assets.errors import ConnectorError
from connector_assets.reading.connector import Batch, ReadContext, lasting
from connector_assets.reading.marks import Marks
from connector_assets.runtime.list_walk import Walk
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.runtime.values import Values
from connector_assets.runtime.walk.conditional import Conditional
from connector_assets.runtime.walk.in_order import in_order
from connector_assets.runtime.walk.paginate import Step
from connector_assets.runtime.walk.positions import PARENT
from connector_assets.runtime.walk.slices import Slice, slices, with_last
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.names.paths import Path
from connector_assets.spec.stream.for_each import Parent
from connector_assets.spec.templates.lets import by_time, with_lets
from connector_assets.spec.values import endpoint_templates


def values_of(ctx: ReadContext[Any]) -> Values:
    """What a read's connection brings to the spec."""
    return Values(
        ctx.connection,
        ctx.config,
        ctx.secrets,
        ctx.vars,
        ctx.auth,
        ctx.origins,
        ctx.network,
        ctx.by_hand,
    )


@dataclass(frozen=True)
class Tasks:
    """The slices of one read; `read` reads another stream, for its rows."""

    spec: ConnectorSpec
    runtime: HttpRuntime
    ctx: ReadContext[Any]
    marks: Marks
    read: Callable[[ReadContext[Any]], Iterator[Batch]]

    def in_order(self) -> Iterator[tuple[tuple[Slice, bool], Iterator[Step]]]:
        """Each slice, whether it is the last, and its pages; further ones are asked meanwhile."""
        return in_order(
            with_last(self.slices()),
            lambda task: self.steps(task[0], ask_ahead=self.ctx.ask_ahead),
            1 if self.stops_early else self.runtime.concurrency(self.spec, self.ctx.stream),
            read_ahead=lambda task: self.steps(task[0]),
        )

    def slices(self) -> Iterator[Slice]:
        ctx = self.ctx
        scope = self.runtime.scope(self.spec, self.ctx.stream, values_of(self.ctx))
        now = self.marks.now
        parents = ctx.parent_rows or self._parents_from_server
        found = slices(
            self.ctx.stream,
            scope,
            ctx.cursor or {},
            now,
            parents,
            only=ctx.partition,
            compared=self._compared,
            reads_end=self._reads_end,
            on_null=self._skip_null if ctx.stream.on_item_error == "skip" else None,
        )
        if self.marks.by_change:
            yield from self._changed(found)
            return
        for one in found:
            if one.number < self.marks.start.number:
                continue
            if (
                one.number == self.marks.start.number
                and self.marks.start.call
                and one.item.key != self.marks.start.item
            ):
                raise ConnectorError(
                    "the parents changed since this load was interrupted",
                    where=self.ctx.stream.name,
                    fix="load it again with --full",
                )
            yield one

    def _skip_null(self, error: ConnectorError) -> None:
        self.ctx.stats.failed_items += 1
        self.ctx.stats.note(f"skipped: {error}")

    @property
    def _reads_end(self) -> bool:
        endpoint = self.spec.endpoint_of(self.ctx.stream)
        return any("window.end" in one.names for one in endpoint_templates(endpoint))

    def _changed(self, found: Iterator[Slice]) -> Iterator[Slice]:
        """The slices of items that were not read, or not as their parents are now."""
        stored, reached = self.ctx.cursor or {}, self.ctx.reached or {}
        numbers = itertools.count(self.marks.start.number)
        for one in found:
            parent = self.marks.parent_of(one)
            known = reached.get(one.item.key, stored.get(one.item.key, {}))
            if not parent or known.get(PARENT) != parent:
                yield replace(one, number=next(numbers))

    def _compared(self, parent: Parent) -> Sequence[str]:
        if not self.marks.by_change or parent.compared is not None:
            return parent.compared or ()
        of = self.spec.stream(parent.stream)
        cursor = of.incremental.cursor_field if of.incremental else None
        return (of.fields.own_name(str(cursor)),) if cursor else ()

    def unsent(self) -> list[str]:
        """The first request as lines, with nothing sent; none where there is nothing to read."""
        one = next(self.slices(), None)
        if one is None:
            return []
        adjust = partial(one.adjust, incremental=self.ctx.stream.incremental)
        how = Walk(bindings=self.bindings(one), adjust=adjust)
        values = values_of(self.ctx)
        return self.runtime.unsent(self.spec, self.ctx.stream, values, how, self.ctx.stats)

    def steps(self, one: Slice, *, ask_ahead: bool = False) -> Iterator[Step]:
        incremental = self.ctx.stream.incremental
        resumed = self.marks.start.call if self.marks.resumes(one) else None
        how = Walk(
            start=resumed,
            bindings=self.bindings(one),
            adjust=lambda call: one.adjust(call, incremental),
            may_be_gone=bool(incremental and incremental.kind == "token" and one.raw is not None),
            max_pages=self.ctx.max_pages,
            truncate=self.ctx.preview,
            may_restart=True,
            ask_ahead=ask_ahead,
            label=one.item.label,
            conditional=self.conditional,
        )
        return self.runtime.steps(
            self.spec,
            self.ctx.stream,
            values_of(self.ctx),
            stats=self.ctx.stats,
            how=how,
            cancel=self.ctx.cancel,
            on_request=self.ctx.on_request,
        )

    @property
    def stops_early(self) -> bool:
        """Whether what is read ahead may never be wanted."""
        incremental = self.ctx.stream.incremental
        return self.ctx.preview or bool(incremental and incremental.order == "descending")

    @cached_property
    def conditional(self) -> Conditional | None:
        """What is known of the stream's one request, where it makes only one."""
        ctx = self.ctx
        kind = self.spec.endpoint_of(self.ctx.stream).conditional
        if kind is None or ctx.preview or ctx.partition or self.ctx.stream.for_each:
            return None
        return Conditional(kind, ctx.fingerprint, (ctx.cursor or {}).get(""))

    def bindings(self, one: Slice) -> Mapping[str, Any]:
        """The names that a slice gives its requests, the stream's own local ones included."""
        bound = one.bindings(self.ctx.stream.incremental)
        if not self.ctx.stream.let:
            return bound
        scope = self.scope_of(one)
        return {**bound, **{name: scope[name] for name in by_time(self.ctx.stream.let)[0]}}

    def scope_of(self, one: Slice) -> Mapping[str, Any]:
        scope = self.runtime.scope(self.spec, self.ctx.stream, values_of(self.ctx))
        scope = {**scope, **one.bindings(self.ctx.stream.incremental)}
        return with_lets(scope, by_time(self.ctx.stream.let)[0])

    def _parents_from_server(self, name: str, keys: Sequence[str]) -> Iterator[list[Any]]:
        """Without a table the parents are read from the API itself."""
        parent = self.spec.stream(name)
        ctx = replace(self.ctx, stream=parent, resume=None, cursor=None, reached=None)
        # Nothing is asked ahead: a parent waits until its children are read.
        ctx = replace(ctx, partition=None, ask_ahead=False)
        paths = [Path(key) for key in keys]
        for batch in lasting(self.read(ctx)):
            for line in batch.rows.splitlines():
                row = msgspec.json.decode(line)
                yield [path.get(row) for path in paths]
