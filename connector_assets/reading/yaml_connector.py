"""A connector spec as a connector: what it needs, what it is, and how it is read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import msgspec

from connector_assets.errors import ConfigError, ConnectorError
from connector_assets.reading.batches import Batches
from connector_assets.reading.connector import (
    COMPLETE,
    Batch,
    Check,
    FirstPage,
    Lists,
    Needs,
    Probe,
    ReadContext,
    lasting,
)
from connector_assets.reading.lists import limits_of, lists_of
from connector_assets.reading.marks import Marks
from connector_assets.reading.plugin_context import PluginContext
from connector_assets.reading.probes import first_page, probe, unwatchable
from connector_assets.reading.tasks import Tasks, values_of
from connector_assets.reading.yielded import in_batches
from connector_assets.runtime.by_hand import StreamHttp, blamed
from connector_assets.runtime.guard.origins import spec_origins
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.runtime.stats import counted
from connector_assets.spec.auth.auth import Auth, alternatives, choose
from connector_assets.spec.checks.bindings import RESERVED
from connector_assets.spec.connector import ConfigField, ConnectorSpec
from connector_assets.spec.dynamic import Listed, Locked, with_streams
from connector_assets.spec.endpoint import Endpoint
from connector_assets.spec.fingerprint import Fingerprints
from connector_assets.spec.request.sealing import Sealing
from connector_assets.spec.stream.stream import DynamicStream, Stream
from connector_assets.spec.templates.refs import read_secrets
from connector_assets.spec.templates.template import Template
from connector_assets.spec.values import endpoint_templates, templates


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all streams of one endpoint need, looked up once: there may be thousands of each."""

    required: frozenset[str]
    names: frozenset[str]
    secrets: frozenset[str]
    ways: tuple[frozenset[str], ...]

    @classmethod
    def of(
        cls, endpoint: Endpoint, auths: Sequence[Auth], config: Mapping[str, ConfigField]
    ) -> _Shared:
        asked = list(endpoint_templates(endpoint))
        found = [*asked, *templates(auths)]
        own = _secrets(name for one in asked for name in one.required)
        return cls(
            _needed(found, config),
            _bare(name for one in found for name in one.names),
            _secrets(name for one in found for name in one.names),
            tuple(own | way for one in auths for way in one.ways()),
        )


def _needed(found: Sequence[Template], config: Mapping[str, ConfigField]) -> frozenset[str]:
    """The config values that must be given for these to render."""
    names = _bare(name for one in found for name in one.required)
    return frozenset(name for name in names if name not in config or config[name].needed)


class YamlConnector:
    """A connector spec, read through an HTTP runtime."""

    def __init__(self, spec: ConnectorSpec, runtime: HttpRuntime) -> None:
        self.spec, self.runtime = spec, runtime
        self._shared: dict[tuple[str, str | int | None], _Shared] = {}

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def display_name(self) -> str:
        return self.spec.display_name

    @property
    def description(self) -> str:
        return self.spec.description

    @property
    def docs_url(self) -> str | None:
        return self.spec.docs_url

    def streams(self) -> Sequence[Stream]:
        return self.spec.streams

    def needs(self, stream: Stream, auth: str | int | None = None) -> Needs:
        """What the templates of the stream, its endpoint and its auth read.

        What those of its parents read may be given too, as they are read with it.
        """
        own = self._own_needs(stream, auth)
        if not stream.parents:
            return own
        above = [self._own_needs(one, auth) for one in self._ancestors(stream)]
        return replace(
            own,
            optional=own.optional.union(*(one.config | one.optional for one in above)),
            known_secrets=own.known_secrets.union(*(one.known_secrets for one in above)),
        )

    def _ancestors(self, stream: Stream) -> Iterator[Stream]:
        """The streams that items of `stream` come from, each once."""
        known = {one.name: one for one in self.streams()}
        todo, seen = list(stream.parents), {stream.name}
        while todo:
            name = todo.pop()
            if name not in seen and name in known:
                seen.add(name)
                yield known[name]
                todo.extend(known[name].parents)

    def _own_needs(self, stream: Stream, auth: str | int | None) -> Needs:
        if stream.initial is not None:
            later = stream.model_copy(update={"initial": None})
            return self._own_needs(later, auth) & self._own_needs(stream.at_first, auth)
        endpoint = self.spec.endpoint_of(stream)
        auths = alternatives(endpoint.auth or self.spec.auth, auth)
        shared = self._shared.get((endpoint.id, auth))
        if shared is None:
            shared = _Shared.of(endpoint, auths, self.spec.config)
            self._shared[endpoint.id, auth] = shared
        own = list(templates(stream))
        required = _needed(own, self.spec.config)
        return Needs(
            config=(shared.required | required) - _bound(stream),
            optional=(shared.names | _bare(name for one in own for name in one.names))
            - _bound(stream),
            secrets=shared.ways,
            known_secrets=shared.secrets | _secrets(name for one in own for name in one.names),
        )

    def known_secrets(self) -> frozenset[str]:
        """Those that are declared, and those that any template reads or any auth may be given."""
        spec = self.spec
        auths = [*spec.auth, *(auth for one in spec.endpoints for auth in one.auth or ())]
        read = [
            *templates(spec.streams),
            *templates(auths),
            *(
                found
                for one in spec.endpoints
                for found in endpoint_templates(spec.endpoint(one.id))
            ),
        ]
        asked_for = (name for auth in auths for way in auth.ways() for name in way)
        return frozenset(spec.secrets).union(
            asked_for, _secrets(name for one in read for name in one.names)
        )

    def default(self, name: str) -> Any:
        """The `default` of a declared config value."""
        field = self.spec.config.get(name)
        return field.default if field else None

    def fingerprint(self, stream: Stream) -> str:
        return self._fingerprints.of(stream)

    @cached_property
    def _fingerprints(self) -> Fingerprints:
        return Fingerprints(self.spec)

    @property
    def dynamic(self) -> Sequence[DynamicStream]:
        return self.spec.read.dynamic

    @property
    def may_delete(self) -> bool:
        """Not without `deletedWhen`."""
        return False

    @property
    def owners(self) -> Sequence[str]:
        return self.spec.owners

    @property
    def tags(self) -> Mapping[str, str]:
        return self.spec.tags

    @property
    def assets(self) -> None:
        """Nothing of its own: one asset a stream."""

    def sends_to(self) -> Sequence[str]:
        return spec_origins(self.spec)

    def source_of(self, stream: Stream) -> str:
        endpoint = self.spec.endpoint_of(stream)
        base, url = endpoint.base_url, endpoint.url.source
        where = f"{base.source}{url}" if base and url.startswith("/") else url
        return f"{endpoint.method} {where}"

    @property
    def discovers(self) -> bool:
        return bool(self.dynamic)

    def listed(self, ctx: ReadContext[Any]) -> Iterator[Listed]:
        """Nothing: `dynamic` says how they are listed."""
        del ctx
        return iter(())

    def with_streams(self, streams: Sequence[Locked]) -> YamlConnector:
        return YamlConnector(with_streams(self.spec, streams), self.runtime)

    def with_config(self, config: Mapping[str, Any]) -> YamlConnector:
        """The same: a spec names its streams, whatever the values are."""
        del config
        return self

    def with_runtime(self, runtime: HttpRuntime) -> YamlConnector:
        return YamlConnector(self.spec, runtime)

    def now(self) -> dt.datetime:
        return self.runtime.clock.utc_now()

    def scope(self, ctx: ReadContext[Any]) -> Mapping[str, Any]:
        return self.runtime.scope(self.spec, ctx.stream, values_of(ctx))

    def records(self, ctx: ReadContext[Any]) -> Iterator[Mapping[str, Any]]:
        steps = self.runtime.steps(
            self.spec, ctx.stream, values_of(ctx), stats=ctx.stats, cancel=ctx.cancel
        )
        for step in steps:
            yield from step.page.records()

    def sent(self, ctx: ReadContext[Any]) -> frozenset[str]:
        """The secrets that requests of the stream hold: those of their templates and their auth."""
        endpoint = self.spec.endpoint_of(ctx.stream)
        own = read_secrets(*endpoint_templates(endpoint))
        try:
            auth = choose(endpoint.auth or self.spec.auth, ctx.auth, ctx.secrets)
        except ConfigError:  # which the first request tells
            return own
        return own | auth.sent()

    def read(self, ctx: ReadContext[Any]) -> Iterator[Batch]:
        """One batch a page; the checkpoint says where in which slice it goes on."""
        if ctx.resume == COMPLETE:
            return
        try:
            yield from self._by_hand(ctx) if ctx.by_hand.read else self._batches(ctx)
        except ConnectorError as error:
            raise error.within(ctx.label) from None

    def _by_hand(self, ctx: ReadContext[Any]) -> Iterator[Batch]:
        """What Python of the operator's yields for this stream."""
        assert ctx.by_hand.read is not None
        own = PluginContext(
            ctx, http=lambda: self.http(ctx), spec_rows=lambda: self._spec_rows(ctx)
        )
        with blamed("read", ctx.secrets.mask):
            for batch in in_batches(ctx.by_hand.read(own), own, where=ctx.label):
                ctx.stats.add(rows=batch.count, pages=1)
                yield batch

    def http(self, ctx: ReadContext[Any]) -> StreamHttp:
        """Requests of Python's own, as those of the stream are made."""
        return self.runtime.http(
            self.spec,
            ctx.stream,
            values_of(ctx),
            stats=ctx.stats,
            cancel=ctx.cancel,
            on_request=ctx.on_request,
        )

    def _spec_rows(self, ctx: ReadContext[Any]) -> Iterator[dict[str, Any]]:
        """The rows of the stream as its spec says."""
        told = replace(ctx, by_hand=replace(ctx.by_hand, read=None), resume=None)
        for batch in lasting(self.read(told)):
            yield from map(msgspec.json.decode, batch.rows.splitlines())

    def _batches(self, ctx: ReadContext[Any]) -> Batches:
        ctx = _as_it_begins(ctx)
        marks = Marks(ctx, Sealing(ctx.secrets, self.sent(ctx)), self.now())
        return Batches(Tasks(self.spec, self.runtime, marks.ctx, marks, self.read), marks)

    def unsent(self, ctx: ReadContext[Any]) -> list[str]:
        """The stream's first request as lines, masked; nothing is sent.

        Where a parent's rows decide, the names of their fields stand in: `/orders/orders.id/items`.
        """
        stand_in = replace(ctx, parent_rows=_names_of_fields, resume=None, cursor=ctx.cursor or {})
        marks = Marks(stand_in, Sealing(ctx.secrets, self.sent(ctx)), self.now())
        try:
            return Tasks(self.spec, self.runtime, marks.ctx, marks, self.read).unsent()
        except ConnectorError as error:
            raise error.within(ctx.label) from None

    def limits(self, stream: Stream) -> Lists | None:
        return limits_of(self.spec, stream)

    def first_page(self, ctx: ReadContext[Any]) -> FirstPage:
        return first_page(self.spec, self.runtime, _as_it_begins(ctx))

    def lists(self, ctx: ReadContext[Any]) -> Lists | None:
        if ctx.by_hand.read:
            return None
        ctx = _as_it_begins(ctx)
        marks = Marks(ctx, Sealing(ctx.secrets, self.sent(ctx)), self.now())
        tasks = Tasks(self.spec, self.runtime, marks.ctx, marks, self.read)
        return lists_of(self.spec, self.runtime, ctx, tasks)

    def unwatchable(self, stream: Stream) -> str:
        return unwatchable(self.spec, stream)

    def probe(self, ctx: ReadContext[Any], before: Mapping[str, Any], position: Any) -> Probe:
        try:
            return probe(self.spec, self.runtime, ctx, before, position)
        except ConnectorError as error:
            raise error.within(ctx.label) from None

    def check(self, ctx: ReadContext[Any]) -> Check:
        """Ask for one page of the stream."""
        try:
            count = 0
            for batch in self.read(replace(ctx, max_pages=1, preview=True)):
                count += batch.count
                if not batch.partial:
                    return Check(ok=True, message=f"{counted(count, 'row')} on the first page")
        except ConnectorError as error:
            return Check.of(error.within(ctx.label))
        return Check(ok=True)


def _as_it_begins(ctx: ReadContext[Any]) -> ReadContext[Any]:
    """`ctx` with what its stream takes instead as long as there is no position."""
    stored = (entry for entry in (ctx.cursor or {}).values() if isinstance(entry, Mapping))
    if (
        ctx.stream.initial is None
        or ctx.partition
        or any({"value", "token"} & one.keys() for one in stored)
    ):
        return ctx
    return replace(ctx, stream=ctx.stream.at_first)


def _names_of_fields(stream: str, keys: Sequence[str]) -> Iterator[Sequence[Any]]:
    yield [f"{stream}.{key}" for key in keys]


def _bound(stream: Stream) -> set[str]:
    """The names that reading `stream` gives by itself."""
    items = (each.bound for each in stream.for_each)
    return {*RESERVED, "status", *stream.vars, *stream.let, *items}


def _secrets(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.split(".")[1] for name in names if name.startswith("secrets."))


def _bare(names: Iterable[str]) -> frozenset[str]:
    """The config values among names; `config.x` is `x`."""
    given = (name.removeprefix("config.") for name in names if not name.startswith("secrets."))
    return frozenset(name.split(".")[0] for name in given)
