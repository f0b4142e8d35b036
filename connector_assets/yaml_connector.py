"""A connector spec as a connector: slices, pages and positions become batches."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from connector_assets.connector import COMPLETE, Batch, Check, Needs, ReadContext, lasting
from connector_assets.errors import BlockedError, Cancelled, ConnectorError
from connector_assets.runtime.conditional import Conditional
from connector_assets.runtime.in_order import in_order
from connector_assets.runtime.page import Page
from connector_assets.runtime.paginate import Step
from connector_assets.runtime.positions import CLAIMS, PARENT, Positions, claims, unclaimed
from connector_assets.runtime.records import transform_of
from connector_assets.runtime.runtime import HttpRuntime, Values
from connector_assets.runtime.slices import Item, Slice, slices, with_last
from connector_assets.runtime.tombstones import marked
from connector_assets.spec.auth import alternatives
from connector_assets.spec.bindings import RESERVED
from connector_assets.spec.call import Call, dumps
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.fingerprint import fingerprint
from connector_assets.spec.for_each import Parent
from connector_assets.spec.paths import Path
from connector_assets.spec.stream import Stream
from connector_assets.spec.values import endpoint_templates, templates

_ITEMS_AT_ONCE = 1_000
_SKIPS_TOLD = 100  # no one reads more, and all are counted


class YamlConnector:
    """A connector spec, read through an HTTP runtime."""

    def __init__(self, spec: ConnectorSpec, runtime: HttpRuntime) -> None:
        self.spec, self.runtime = spec, runtime

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def display_name(self) -> str:
        return self.spec.display_name

    def streams(self) -> Sequence[Stream]:
        return self.spec.streams

    def needs(self, stream: Stream, auth: str | int | None = None) -> Needs:
        """What the templates of the stream, its endpoint and its auth read."""
        endpoint = self.spec.endpoint_of(stream)
        auths = alternatives(endpoint.auth or self.spec.auth, auth)
        found = [*endpoint_templates(endpoint), *templates(stream), *templates(auths)]
        required = _bare(name for one in found for name in one.required)
        declared = self.spec.config
        own = _secrets(name for one in endpoint_templates(endpoint) for name in one.required)
        return Needs(
            config=frozenset(
                name
                for name in required - _bound(stream)
                if name not in declared or declared[name].needed
            ),
            optional=_bare(name for one in found for name in one.names) - _bound(stream),
            secrets=tuple(own | way for one in auths for way in one.ways()),
            known_secrets=_secrets(name for one in found for name in one.names),
        )

    def fingerprint(self, stream: Stream) -> str:
        return fingerprint(self.spec, stream)

    def read(self, ctx: ReadContext[Any]) -> Iterator[Batch]:
        """One batch a page; the checkpoint says where in which slice it goes on."""
        if ctx.resume != COMPLETE:
            yield from _Reading(self, ctx).batches()

    def check(self, ctx: ReadContext[Any]) -> Check:
        """Ask for one page of the stream."""
        try:
            reading = _Reading(self, replace(ctx, max_pages=1, preview=True))
            count = 0
            for batch in reading.batches():
                count += batch.count
                if not batch.partial:
                    return Check(ok=True, message=f"{count} rows on the first page")
        except ConnectorError as error:
            return Check.of(error)
        return Check(ok=True)


@dataclass(frozen=True)
class _Mark:
    """Where a run is: the call that follows in a slice, and what `now` was when it began."""

    now: str
    number: int = 0
    item: str = ""
    call: Mapping[str, Any] | None = None
    position: Mapping[str, Any] | None = None
    parent: str = ""


class _Reading:
    """One read of one stream."""

    def __init__(self, connector: YamlConnector, ctx: ReadContext[Any]) -> None:
        self.connector, self.ctx, self.stream = connector, ctx, ctx.stream
        self.values = Values(ctx.connection, ctx.config, ctx.secrets, ctx.vars, ctx.auth)
        began = dt.datetime.fromtimestamp(connector.runtime.clock.time(), dt.UTC)
        self.mark = (
            _Mark(**json.loads(ctx.secrets.unseal(ctx.resume)))
            if ctx.resume
            else _Mark(began.isoformat())
        )
        self._positions: dict[str, Positions] = {}
        self._transform = transform_of(ctx.stream)
        self._conditional = self._conditional_of(ctx)
        # A partition is read for all of its items: what is stored speaks of the whole.
        self._by_change = ctx.stream.reads_changed and not ctx.partition

    def batches(self) -> Iterator[Batch]:
        """The batches that are still to be read; the last one is marked."""
        outdated = CLAIMS - {PARENT} if self._by_change else CLAIMS
        if not self.ctx.resume and claims(self.ctx.cursor or {}, outdated):
            # Renewed below, or void: what this run loads may not be what they speak of.
            left = unclaimed(self.ctx.cursor or {}, outdated)
            while some := dict(itertools.islice(left, _ITEMS_AT_ONCE)):
                yield Batch(b"", 0, cursor=some)
        todo = with_last(self._slices())
        width = 1 if self._stops_early() else self._concurrency()
        read_any = False
        for (one, last), steps in in_order(
            todo,
            lambda task: self._steps(task[0], prompt=self.ctx.prompt),
            width,
            beside=lambda task: self._steps(task[0]),
        ):
            read_any = True
            try:
                yield from self._batches_of(one, steps, last=last)
            except ConnectorError as error:
                if not self._may_skip(error):
                    raise self._labelled(error, one.item) from None
                self._skip(one, error)
                yield Batch(b"", 0, self._checkpoint(one, None, last=last), complete=last)
        for note in self._transform.notes if self._transform else ():
            self.ctx.stats.note(note)
        if not read_any:
            yield Batch(b"", 0, COMPLETE, complete=True)

    def _slices(self) -> Iterator[Slice]:
        ctx = self.ctx
        scope = self.connector.runtime.scope(self.connector.spec, self.stream, self.values)
        now = dt.datetime.fromisoformat(self.mark.now)
        parents = ctx.parent_rows or self._parents_from_server
        only = ctx.partition.window if ctx.partition else None
        found = slices(
            self.stream,
            scope,
            ctx.cursor or {},
            now,
            parents,
            only=only,
            compared=self._compared,
        )
        if self._by_change:
            yield from self._changed(found)
            return
        for one in found:
            if one.number < self.mark.number:
                continue
            if one.number == self.mark.number and self.mark.call and one.item.key != self.mark.item:
                raise ConnectorError(
                    "the parents changed since this load was interrupted",
                    where=self.stream.name,
                    fix="load it again with --full",
                )
            yield one

    def _changed(self, found: Iterator[Slice]) -> Iterator[Slice]:
        """The slices of items that were not read, or not as their parents are now."""
        stored, reached = self.ctx.cursor or {}, self.ctx.reached or {}
        numbers = itertools.count(self.mark.number)
        for one in found:
            parent = self._parent_of(one)
            known = reached.get(one.item.key, stored.get(one.item.key, {}))
            if not parent or known.get(PARENT) != parent:
                yield replace(one, number=next(numbers))

    def _compared(self, parent: Parent) -> Sequence[str]:
        if not self._by_change or parent.compared is not None:
            return parent.compared or ()
        of = self.connector.spec.stream(parent.stream)
        return (of.fields.own_name(str(of.incremental.cursor_field)),) if of.incremental else ()

    def _parent_of(self, one: Slice) -> str:
        """A digest of what the item's parents are now; empty where that cannot be told."""
        if not self._by_change or None in one.item.compared:
            return ""
        told = [self.ctx.fingerprint, one.first, one.item.compared]
        return hashlib.sha256(json.dumps(told, default=str).encode()).hexdigest()[:24]

    def _resumes(self, one: Slice) -> bool:
        """Whether an earlier run was interrupted in this slice."""
        if self._by_change:
            return one.item.key == self.mark.item and self._parent_of(one) == self.mark.parent
        return one.number == self.mark.number

    def _steps(self, one: Slice, *, prompt: bool = False) -> Iterator[Step]:
        mark, incremental = self.mark, self.stream.incremental
        resumed = mark.call if self._resumes(one) else None
        return self.connector.runtime.steps(
            self.connector.spec,
            self.stream,
            self.values,
            stats=self.ctx.stats,
            start=Call.loads(json.dumps(resumed)) if resumed else None,
            bindings=one.bindings(incremental),
            adjust=lambda call: one.adjust(call, incremental),
            max_pages=self.ctx.max_pages,
            truncate=self.ctx.preview,
            may_restart=True,
            prompt=prompt,
            conditional=self._conditional,
            cancel=self.ctx.cancel,
            on_request=self.ctx.on_request,
        )

    def _batches_of(self, one: Slice, steps: Iterator[Step], *, last: bool) -> Iterator[Batch]:
        positions = self._positions_of(one)
        resumed = self._resumes(one) and self.mark.position is not None
        before = positions.stored() if positions and not resumed else None
        deleted_when = self.stream.deleted_when
        scope = self._scope_of(one) if self._transform or deleted_when else {}
        pages, is_new = 1 if self._resumes(one) and self.mark.call else 0, True
        for step in steps:
            if step.page.unchanged:
                yield Batch(b"", 0, COMPLETE, complete=True, unchanged=True)
                return
            pages = 1 if step.restarted else pages + is_new
            is_new = not step.partial
            if step.restarted:
                self._positions.clear()
                positions = self._positions_of(one, before, resume=False)
            lines = step.page.ndjson()
            count = step.page.count
            following = step.following
            if positions:
                kept = positions.take(lines.splitlines(), one.window)
                lines, count = b"".join(line + b"\n" for line in kept), len(kept)
                if positions.past and self._stops_early():
                    following = None
            if deleted_when:
                lines = marked(lines, deleted_when, scope, step.page.rows_before)
            if self._transform:
                lines, count = self._transform(lines, scope, step.page.rows_before)
            ended = following is None or step.truncated
            only = step.page if pages == 1 and following is None else None
            goes_on = step.partial and following is not None
            yield Batch(
                lines,
                count,
                None if goes_on else self._checkpoint(one, following, last=last and not following),
                complete=ended and last,
                cursor=self._reached(one, positions, only, whole=not following) if ended else None,
                void_after=self._beginning_of(one) if step.restarted else None,
                partial=goes_on,
            )
            if following is None:
                return

    def _beginning_of(self, one: Slice) -> str:
        """The checkpoint after the slices before `one`; empty where there is none."""
        return self._checkpoint_at(one.number) if one.number else ""

    def _conditional_of(self, ctx: ReadContext[Any]) -> Conditional | None:
        """What is known of the stream's one request, where it makes only one."""
        kind = self.connector.spec.endpoint_of(self.stream).conditional
        if kind is None or ctx.preview or ctx.partition or self.stream.for_each:
            return None
        return Conditional(kind, ctx.fingerprint, (ctx.cursor or {}).get(""))

    def _scope_of(self, one: Slice) -> Mapping[str, Any]:
        scope = self.connector.runtime.scope(self.connector.spec, self.stream, self.values)
        return {**scope, **one.bindings(self.stream.incremental)}

    def _concurrency(self) -> int:
        return self.connector.runtime.concurrency(self.connector.spec, self.stream)

    def _stops_early(self) -> bool:
        """Whether what is read ahead may never be wanted."""
        incremental = self.stream.incremental
        return self.ctx.preview or bool(incremental and incremental.order == "descending")

    def _positions_of(
        self, one: Slice, before: Mapping[str, Any] | None = None, *, resume: bool = True
    ) -> Positions | None:
        """The positions of the slice's item, shared by its windows; `before` is where it began."""
        incremental, key = self.stream.incremental, one.item.key
        if incremental is None:
            return None
        if key not in self._positions:
            self._positions.clear()  # items come one after the other
            stored = (self.ctx.cursor or {}).get(key) if one.raw is not None else None
            reached = (self.ctx.reached or {}).get(key)
            resumes = resume and self._resumes(one)
            resumed = self.mark.position if resumes else before
            stream = self.stream
            append = [stream.fields.sent_name(key) for key in stream.primary_key]
            self._positions[key] = Positions(
                incremental,
                resumed or reached or stored,
                one.first,
                append if stream.mode == "append" else (),
            )
        return self._positions[key]

    def _reached(
        self, one: Slice, positions: Positions | None, only: Page | None, *, whole: bool
    ) -> dict[str, Any] | None:
        """What to keep for the slice's item; `only` is the page that held all of it, if one did."""
        if one.window.closed:
            return None  # a partition leaves the stored position alone
        if positions and whole:
            positions.settle(one.window, dt.datetime.fromisoformat(self.mark.now))
        entry = (positions.stored() if positions else None) or {}
        if self._conditional:
            entry |= self._conditional.entry(only)
        if whole and self._parent_of(one):
            entry[PARENT] = self._parent_of(one)
        return {one.item.key: entry} if entry else None

    def _checkpoint(self, one: Slice, following: Call | None, *, last: bool) -> str:
        if last:
            return COMPLETE
        if following is None:
            return self._checkpoint_at(one.number + 1)
        positions = self._positions.get(one.item.key)
        return self._checkpoint_at(
            one.number,
            item=one.item.key,
            call=following,
            position=positions.stored() if positions else None,
            parent=self._parent_of(one),
        )

    def _checkpoint_at(self, number: int, **more: Any) -> str:
        mark = {"now": self.mark.now, "number": number, **more}
        return self.ctx.secrets.seal(dumps(mark))

    def _parents_from_server(self, name: str, keys: Sequence[str]) -> Iterator[list[Any]]:
        """Without a table the parents are read from the API itself."""
        parent = self.connector.spec.stream(name)
        ctx = replace(self.ctx, stream=parent, resume=None, cursor=None, reached=None)
        # Not prompt: a parent waits until its children are read.
        ctx = replace(ctx, partition=None, prompt=False)
        paths = [Path(key) for key in keys]
        for batch in lasting(self.connector.read(ctx)):
            for line in batch.rows.splitlines():
                row = msgspec.json.decode(line)
                yield [path.get(row) for path in paths]

    def _may_skip(self, error: ConnectorError) -> bool:
        skips = bool(self.stream.for_each) and self.stream.on_item_error == "skip"
        return skips and not isinstance(error, BlockedError | Cancelled)

    def _skip(self, one: Slice, error: ConnectorError) -> None:
        self.ctx.stats.failed_items += 1
        if self.ctx.stats.failed_items <= _SKIPS_TOLD:
            self.ctx.stats.note(f"skipped {one.item.label}: {error}")

    def _labelled(self, error: ConnectorError, item: Item) -> ConnectorError:
        if item.label:
            error.where = f"{item.label}: {error.where}" if error.where else item.label
        return error.masked(self.ctx.secrets.mask)


def _bound(stream: Stream) -> set[str]:
    """The names that reading `stream` gives by itself."""
    return {*RESERVED, "status", *stream.vars, *(each.bound for each in stream.for_each)}


def _secrets(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.split(".")[1] for name in names if name.startswith("secrets."))


def _bare(names: Iterable[str]) -> frozenset[str]:
    """The config values among names; `config.x` is `x`."""
    given = (name.removeprefix("config.") for name in names if not name.startswith("secrets."))
    return frozenset(name.split(".")[0] for name in given)
