"""What YAML specs and plugins both are: a thing with streams that can be read and checked."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from connector_assets.errors import ConnectorError
from connector_assets.redact import Secrets
from connector_assets.runtime.paginate import Step
from connector_assets.runtime.runtime import HttpRuntime, Values
from connector_assets.runtime.stats import Stats
from connector_assets.spec.auth import alternatives
from connector_assets.spec.call import Call
from connector_assets.spec.connector import ConnectorSpec, Stream
from connector_assets.spec.fingerprint import fingerprint
from connector_assets.spec.values import endpoint_names, template_names

Config = TypeVar("Config")
COMPLETE = "complete"
"""The checkpoint after the last page."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows on their way to staging, and where a later run would go on after them.

    `rows` is newline-delimited JSON, dicts, or an Arrow table. `checkpoint` is opaque text for the
    same connector; None means a rerun starts over. `complete` marks the last batch.
    `cursor` is the highest cursor value seen so far in this run, a JSON value.
    """

    rows: Any
    count: int
    checkpoint: str | None = None
    complete: bool = False
    cursor: Any = None


@dataclass(frozen=True, slots=True)
class ReadContext(Generic[Config]):
    """All that one read of one stream may know.

    `connection` is the connection's id. `resume` is the checkpoint of the last batch that is safely
    staged; `cursor` is the position stored with the table; `vars` are the connection's.
    `on_request` is told each request's line.
    """

    connection: str
    config: Config
    stream: Stream
    secrets: Secrets = field(default_factory=Secrets)
    vars: Mapping[str, Any] = field(default_factory=dict)
    auth: str | int | None = None
    cursor: Any = None
    resume: str | None = None
    preview: bool = False
    max_pages: int | None = None
    cancel: threading.Event = field(default_factory=threading.Event)
    stats: Stats = field(default_factory=Stats)
    on_request: Callable[[str], None] | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of a connection test; `message` says what is wrong and what to do."""

    ok: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class Needs:
    """The names of the values that reading a stream takes.

    `secrets` lists alternatives, each a set of names of which all are needed; any one will do.
    `known_secrets` are all that may be given.
    """

    config: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    secrets: tuple[frozenset[str], ...] = ()
    known_secrets: frozenset[str] = frozenset()


class Connector(Protocol[Config]):
    """YAML specs and plugins meet here."""

    @property
    def id(self) -> str: ...

    @property
    def display_name(self) -> str: ...

    def streams(self) -> Sequence[Stream]: ...

    def needs(self, stream: Stream, auth: str | int | None = None) -> Needs: ...

    def fingerprint(self, stream: Stream) -> str:
        """A digest of what decides the stream's rows, beside the connection's values."""
        ...

    def read(self, ctx: ReadContext[Config]) -> Iterator[Batch]: ...

    def check(self, ctx: ReadContext[Config]) -> Check: ...


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
        """What the templates of the stream's endpoint and its auth read."""
        endpoint = self.spec.endpoint_of(stream)
        names = frozenset([*endpoint_names(endpoint), *template_names(stream.vars)])
        auths = alternatives(endpoint.auth or self.spec.auth, auth)
        secrets = _secrets(names)
        names = names.union(*(one.names() for one in auths))
        return Needs(
            config=self._required(names, {"stream", *stream.vars}),
            optional=frozenset(self.spec.config),
            secrets=tuple(secrets | way for one in auths for way in one.ways()),
            known_secrets=_secrets(names),
        )

    def _required(self, names: Collection[str], bound: Collection[str]) -> frozenset[str]:
        declared = self.spec.config
        bare = {
            name.removeprefix("config.").split(".")[0]
            for name in names
            if not name.startswith("secrets.")
        }
        return frozenset(
            name for name in bare.difference(bound) if name not in declared or declared[name].needed
        )

    def fingerprint(self, stream: Stream) -> str:
        return fingerprint(self.spec, stream)

    def read(self, ctx: ReadContext[Any]) -> Iterator[Batch]:
        """One batch a page; the checkpoint is the call that follows it, with secrets sealed."""
        if ctx.resume == COMPLETE:
            return
        start = Call.loads(ctx.secrets.unseal(ctx.resume)) if ctx.resume else None
        for step in self._steps(ctx, start):
            following = step.following
            complete = following is None or step.truncated
            checkpoint = COMPLETE if following is None else ctx.secrets.seal(following.dumps())
            yield Batch(step.page.ndjson(), step.page.count, checkpoint, complete)

    def check(self, ctx: ReadContext[Any]) -> Check:
        """Ask for one page of the stream."""
        try:
            for step in self._steps(dataclasses.replace(ctx, max_pages=1), None):
                return Check(ok=True, message=f"{step.page.count} rows on the first page")
        except ConnectorError as error:
            return Check(ok=False, message=str(error))
        return Check(ok=True)

    def _steps(self, ctx: ReadContext[Any], start: Call | None) -> Iterator[Step]:
        values = Values(ctx.connection, ctx.config, ctx.secrets, ctx.vars, ctx.auth)
        return self.runtime.steps(
            self.spec,
            ctx.stream,
            values,
            stats=ctx.stats,
            start=start,
            max_pages=ctx.max_pages,
            truncate=ctx.preview,
            cancel=ctx.cancel,
            on_request=ctx.on_request,
        )


def _secrets(names: Collection[str]) -> frozenset[str]:
    return frozenset(name.split(".")[1] for name in names if name.startswith("secrets."))
