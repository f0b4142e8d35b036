"""A plugin as a connector: what `define_connector` makes of functions."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from connector_assets.errors import ConnectorError, ResponseError
from connector_assets.plugins.config import config_names, read_config
from connector_assets.plugins.http import as_asked
from connector_assets.plugins.streams import StreamLike, listed, of_locked, streams_of
from connector_assets.reading.connector import (
    Batch,
    Check,
    CodeConnector,
    Needs,
    Probe,
    ReadContext,
)
from connector_assets.reading.plugin_context import PluginContext
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.reading.yielded import YIELD, Yielded, in_batches
from connector_assets.runtime.by_hand import StreamHttp
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.dynamic import Listed, Locked
from connector_assets.spec.stream.stream import Stream

Tested = Check | Mapping[str, Any] | bool | None
"""What a connection test returns; None: it worked."""


@dataclass(frozen=True, kw_only=True)
class PluginConnector(CodeConnector):
    """What `define_connector` returns; it is a `Connector`, as a YAML spec is."""

    id: str
    display_name: str
    category: str
    description: str
    docs_url: str | None
    version: str
    config_schema: type[BaseModel] | None
    secret_names: tuple[str, ...]
    http: ConnectorSpec | None
    """Where requests of `ctx.http` go; None: the plugin sends none."""
    fixed: Callable[[Mapping[str, Any]], Iterable[StreamLike]]
    """The streams that are known without asking, from what a connection says in `config`."""
    reader: Callable[[PluginContext[Any]], Iterable[Yielded]]
    test: Callable[..., Tested] | None
    prober: Callable[[PluginContext[Any], Any], Probe] | None
    """Tells by a small question whether there is anything new; None: it cannot."""
    discoverer: Callable[[PluginContext[Any]], Iterable[StreamLike]] | None
    """Lists the streams that the source has; None: it lists none."""
    may_discover: Callable[[Mapping[str, Any]], bool]
    """Whether a connection with this `config` has streams to discover."""
    assets: Callable[..., Any] | None
    """Called with the connection, returns its Dagster assets; None: one asset per stream."""
    runtime: HttpRuntime | None = None
    locked: tuple[Locked, ...] = ()
    """The streams that the source listed, as the lock file has them."""

    def streams(self) -> Sequence[Stream]:
        """The streams, checked as those of a spec are; raises SpecError."""
        found = [of_locked(one) for one in self.locked]
        return streams_of(self.id, [*self.fixed({}), *found], may_be_empty=self.discovers)

    @property
    def discovers(self) -> bool:
        return self.discoverer is not None

    def listed(self, ctx: ReadContext[Any]) -> Iterator[Listed]:
        """What its `discover` yields, asked now; raises SpecError with all that is wrong."""
        own = self._context(ctx)
        with _blaming_plugin(ctx.connection, own):
            assert self.discoverer is not None
            yield from listed(self.id, self.discoverer(own))

    def with_streams(self, streams: Sequence[Locked]) -> PluginConnector:
        return replace(self, locked=tuple(streams))

    def needs(self, stream: Stream, auth: str | int | None = None) -> Needs:  # noqa: ARG002 - the Protocol's shape
        """The values of its model, its secrets, and what its requests are let in by."""
        names = config_names(self.config_schema)
        needed = names.secrets | set(self.secret_names)
        own = Needs(
            config=names.required,
            optional=names.optional,
            secrets=(needed,),
            known_secrets=needed | names.optional_secrets,
        )
        sends = self._sender()
        if sends is None:
            return own
        both = own & sends.needs(sends.streams()[0], auth)
        # What the model has a default for need not be given.
        return replace(both, config=both.config - names.optional)

    def known_secrets(self) -> frozenset[str]:
        names = config_names(self.config_schema)
        sends = self._sender()
        own = names.secrets | names.optional_secrets | set(self.secret_names)
        return own | (sends.known_secrets() if sends else frozenset())

    def default(self, name: str) -> Any:  # noqa: ARG002 - the Protocol's shape
        """None: the plugin's own model has its defaults."""
        return None

    def sends_to(self) -> Sequence[str] | None:
        """None, also with `http`: nothing keeps a plugin from opening a socket of its own."""
        return None

    def with_config(self, config: Mapping[str, Any]) -> PluginConnector:
        """The same with the streams that follow from `config`, and discovery; raises SpecError."""
        asks = self.discoverer if self.may_discover(config) else None
        streams = streams_of(self.id, self.fixed(config), may_be_empty=asks is not None)
        return replace(self, fixed=lambda _: streams, discoverer=asks)

    def with_runtime(self, runtime: HttpRuntime) -> PluginConnector:
        """The same, its `ctx.http` sending through `runtime`."""
        return replace(self, runtime=runtime) if self.http else self

    def fingerprint(self, stream: Stream) -> str:
        """Of the plugin's `version` and the stream: no code is looked at."""
        # 2: checkpoints are JSON values.
        # Without warnings: the one value that a partition is of stands there as it is.
        parts = ("2", self.id, self.version, stream.model_dump_json(warnings=False))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def read(self, ctx: ReadContext[Any]) -> Iterator[Batch]:
        """What the plugin yields, as batches of which the last is marked complete."""
        own = self._context(ctx)
        with _blaming_plugin(ctx.label, own):
            rows = self.reader(own)
            if not isinstance(rows, Iterable) or isinstance(rows, str | bytes | Mapping):
                what = f"read returned a {type(rows).__name__}, and no rows"
                raise ResponseError(what, where=ctx.label, fix=YIELD)
            for batch in in_batches(rows, own, where=ctx.label):
                ctx.stats.rows += batch.count
                ctx.stats.pages += 1
                yield batch

    def unwatchable(self, stream: Stream) -> str:
        return "" if self.prober else super().unwatchable(stream)

    def probe(self, ctx: ReadContext[Any], before: Mapping[str, Any], position: Any) -> Probe:
        """What the plugin's `probe` tells; ConfigError where it has none."""
        if self.prober is None:
            return super().probe(ctx, before, position)
        own = self._context(ctx)
        with _blaming_plugin(ctx.label, own):
            return self.prober(own, position)

    def check(self, ctx: ReadContext[Any]) -> Check:
        """Call the plugin's `test_connection`; an exception is a failed test."""
        try:
            own = self._context(ctx)
            if self.test is None:
                return Check(ok=True, message="its values are complete; it has no connection test")
            with _blaming_plugin(ctx.connection, own):
                given = (own.config, own.secrets) if _takes_secrets(self.test) else (own.config,)
                return _outcome(self.test(*given))
        except ConnectorError as error:
            return _failed(error)

    def _context(self, ctx: ReadContext[Any]) -> PluginContext[Any]:
        config = read_config(
            self.config_schema,
            ctx.config,
            scope={**ctx.vars, "stream": ctx.stream.name},
            secrets=ctx.secrets,
            where=ctx.connection,
        )
        typed = replace(ctx, config=config)
        return PluginContext(typed, http=(lambda: self._http(typed)) if self.http else None)

    def _sender(self) -> YamlConnector | None:
        """Its requests as a connector of their own."""
        return YamlConnector(self.http, self.runtime or HttpRuntime()) if self.http else None

    def _http(self, ctx: ReadContext[Any]) -> StreamHttp:
        sends = self._sender()
        assert sends is not None
        config = ctx.config
        values = config.model_dump(by_alias=True) if isinstance(config, BaseModel) else config
        return sends.http(replace(ctx, config=values, stream=as_asked(ctx)))


def _takes_secrets(test: Callable[..., Tested]) -> bool:
    positional = [
        one
        for one in inspect.signature(test).parameters.values()
        if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    return len(positional) > 1


def _failed(error: ConnectorError) -> Check:
    """A test that raised; what failed is known of errors that say more than a plugin's own do."""
    return Check(False, str(error)) if type(error) is ConnectorError else Check.of(error)


def _outcome(result: Tested) -> Check:
    if isinstance(result, Check):
        return result
    if isinstance(result, Mapping):
        return Check(ok=bool(result.get("ok")), message=str(result.get("message", "")))
    return Check(ok=result is None or bool(result))


@contextmanager
def _blaming_plugin(where: str, ctx: PluginContext[Any]) -> Iterator[None]:
    """An exception of the plugin's own as one line, without secrets, its frames kept."""
    try:
        yield
    except ConnectorError as error:
        raise error.masked(ctx.secrets.mask).within(where) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
        text = ctx.secrets.mask(str(error))
        blamed = ConnectorError(f"{type(error).__name__}: {text}", where=f"{where}: plugin")
        raise blamed.with_traceback(error.__traceback__) from None
