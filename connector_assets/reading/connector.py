"""What YAML specs and plugins both are: a thing with streams that can be read and checked."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, Protocol, Self, TypeVar

from connector_assets.errors import ConfigError, ConnectorError, StartOver
from connector_assets.redact import Secrets
from connector_assets.runtime.answers.diagnosis import part_of
from connector_assets.runtime.by_hand import AS_THE_SPEC_SAYS, ByHand
from connector_assets.runtime.http.network import Network
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.runtime.stats import Stats
from connector_assets.runtime.walk.slices import ParentRows
from connector_assets.spec.dynamic import Listed, Locked
from connector_assets.spec.stream.partitions import Partition
from connector_assets.spec.stream.stream import DynamicStream, Stream, WriteMode

Config = TypeVar("Config")
COMPLETE = "complete"
"""The checkpoint after the last page."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows on their way to staging, and where a later run would go on after them.

    `rows` is newline-delimited JSON, dicts, or an Arrow table. `checkpoint` is opaque text for the
    same connector; None means a rerun starts over. `complete` marks the last batch.
    `cursor` maps what is now read in full to its position, JSON values: an item of a `forEach`, or
    "" for a stream without; the positions of all batches together are stored with the table.
    `void_after` says that the server had the list begun anew: all batches before this one are void,
    back to the last one with that checkpoint; "" is the beginning.
    `unchanged` says that the source is as it was at the last load: the table is kept as it is.
    `partial` says that the page goes on in the next batch. `lacks` is why rows may be missing from
    a list that ends with this batch.
    """

    rows: Any
    count: int
    checkpoint: str | None = None
    complete: bool = False
    cursor: Mapping[str, Any] | None = None
    void_after: str | None = None
    unchanged: bool = False
    partial: bool = False
    lacks: str = ""


def lasting(batches: Iterable[Batch]) -> Iterator[Batch]:
    """`batches` for a reader that cannot take rows back; StartOver where some become void."""
    given = 0
    for batch in batches:
        if batch.void_after is not None and given:
            raise StartOver(
                "the server asks to begin the list anew, and rows of it were given already",
                fix="load it instead",
            )
        yield batch
        given += batch.count


@dataclass(frozen=True, slots=True)
class ReadContext(Generic[Config]):
    """A read context holds everything that a connector needs to read one stream once.

    `connection` is the connection's id, and `config`, `secrets`, `vars` and `auth` are what it
    gives. `origins` are the only ones that it lets a spec send to, None for all; `network` says
    how requests leave (proxy, certificates). `stream` is narrowed to `partition`, the part that is
    read; None is all of it.

    `cursor` has the positions that are stored with the table, `resume` the checkpoint of the last
    batch that is safely staged, and `reached` the positions of the staged batches. Positions are
    JSON values by item, "" for a stream without; those of many items are a mapping on disk.
    `fingerprint` changes with whatever decides the rows, secrets left aside.
    `parent_rows(stream, keys)` reads values of a parent's rows from its table; None says that there
    is no table.

    `preview` says that the rows are only looked at, and `max_pages` stops after so many pages.
    `cancel` is set to end the read, which then raises Cancelled. `stats` counts what is done, and
    `on_request` is called with a line for each request. `ask_ahead` says that each batch is taken
    at once, so that the next page may be asked for meanwhile.

    `by_hand` has the functions that the connection gives for parts of the stream, instead of the
    spec.
    """

    connection: str
    config: Config
    stream: Stream
    secrets: Secrets = field(default_factory=Secrets)
    vars: Mapping[str, Any] = field(default_factory=dict)
    auth: str | int | None = None
    origins: Collection[str] | None = None
    network: Network | None = None
    by_hand: ByHand = AS_THE_SPEC_SAYS
    cursor: Mapping[str, Any] | None = None
    reached: Mapping[str, Any] | None = None
    resume: str | None = None
    fingerprint: str = ""
    parent_rows: ParentRows | None = None
    partition: Partition | None = None
    preview: bool = False
    max_pages: int | None = None
    cancel: threading.Event = field(default_factory=threading.Event)
    stats: Stats = field(default_factory=Stats)
    on_request: Callable[[str], None] | None = None
    ask_ahead: bool = False

    @property
    def label(self) -> str:
        """The name that messages about this read begin with: `shop.orders [2024-01-31]`."""
        name = f"{self.connection}.{self.stream.name}"
        return f"{name} [{self.partition.key}]" if self.partition else name

    @property
    def mode(self) -> WriteMode:
        """What a load of these rows does to the table."""
        return self.partition.mode if self.partition else self.stream.mode


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of a connection test; `message` says what is wrong and what to do.

    `failed` names the part, as in `runtime.diagnosis`, and `secrets` those that were refused.
    """

    ok: bool
    message: str = ""
    failed: str = ""
    secrets: Sequence[str] = ()

    @classmethod
    def of(cls, error: ConnectorError) -> Check:
        """A test that ended in `error`."""
        return cls(False, str(error), part_of(error), getattr(error, "secrets", ()))


@dataclass(frozen=True, slots=True)
class Probe:
    """What one small request told of a source.

    `state` is for the next one: JSON values. `changed` is None where there was nothing to compare
    with; `told` says in a few words what was seen, `metadata` in values that a check may show.
    """

    state: Mapping[str, Any]
    changed: bool | None
    told: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lists:
    """The lists that a read goes through, and how they may be asked for.

    `count` is their number, one for each item and window. `is_one_answer` says that a list has no
    further pages, `is_counted` that later pages can be asked for before the earlier ones came, and
    `goes_on` that the read begins at a stored position. `page_size` is the number of rows that are
    asked for at once, None where nobody says. `at_once` requests may be under way, `per_second`
    begin in a second (None: no limit is known), and `burst` after a pause. `extra` are requests
    that each list takes beside its pages, and `may_be_more` says that there may be others.
    """

    count: int
    is_one_answer: bool = False
    is_counted: bool = False
    goes_on: bool = False
    page_size: int | None = None
    at_once: int = 1
    per_second: float | None = None
    burst: int = 1
    extra: int = 0
    may_be_more: bool = False

    def requests(self, pages: int) -> int:
        """All requests, where the lists have so many pages."""
        return pages + self.count * self.extra


@dataclass(frozen=True, slots=True)
class FirstPage:
    """The first page of a list, as it was asked for.

    It has `rows` of `total`, None where the source does not tell; `whole` says that it is all of
    the list. The answer took `seconds`.
    """

    rows: int
    total: int | None
    whole: bool
    seconds: float


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

    def __and__(self, other: Needs) -> Needs:
        """What takes both, each in any of its ways."""
        ways = self.secrets
        if other.secrets != ways:
            ways = tuple(dict.fromkeys(one | another for one in ways for another in other.secrets))
        return Needs(
            self.config | other.config,
            self.optional | other.optional,
            ways,
            self.known_secrets | other.known_secrets,
        )


class Connector(Protocol[Config]):
    """A source of streams: what a YAML spec or a plugin gives to everything else."""

    @property
    def id(self) -> str:
        """The id by which connections name the connector."""
        ...

    @property
    def display_name(self) -> str:
        """The connector's name for people."""
        ...

    @property
    def description(self) -> str:
        """What the connector reads, in a sentence or two; "" where nothing is said."""
        ...

    @property
    def docs_url(self) -> str | None:
        """The URL of the vendor's documentation, None where none is known."""
        ...

    def streams(self) -> Sequence[Stream]:
        """The streams there are, known without a request."""
        ...

    def needs(self, stream: Stream, auth: str | int | None = None) -> Needs:
        """Return the names of the values that reading `stream` takes.

        `auth` chooses one of the connector's auths, by type or by position from 0.
        """
        ...

    def known_secrets(self) -> frozenset[str]:
        """The names of all secrets that a connection may give."""
        ...

    def default(self, name: str) -> Any:
        """Return the value of the config key `name` where a connection gives none.

        None says that there is no default: the connection has to give a value.
        """
        ...

    def fingerprint(self, stream: Stream) -> str:
        """Return a digest of what decides the stream's rows, the connection's values left aside."""
        ...

    def read(self, ctx: ReadContext[Config]) -> Iterator[Batch]:
        """Read `ctx.stream`, from where `ctx.resume` and `ctx.cursor` say."""
        ...

    def check(self, ctx: ReadContext[Config]) -> Check:
        """Test the connection with as few requests as will do."""
        ...

    def unwatchable(self, stream: Stream) -> str:
        """Return why no small request tells whether `stream` has changed; "" where one does."""
        ...

    def probe(self, ctx: ReadContext[Config], before: Mapping[str, Any], position: Any) -> Probe:
        """Ask the source by one request whether `ctx.stream` has changed.

        `before` is the state of an earlier probe, empty for the first, and `position` the stored
        cursor of the rows that were loaded, None where there is none.
        """
        ...

    def limits(self, stream: Stream) -> Lists | None:
        """Return how one list of `stream` may be asked for; None where that is not known."""
        ...

    def first_page(self, ctx: ReadContext[Config]) -> FirstPage:
        """Ask for the first page of the first list that a read of `ctx.stream` goes through."""
        ...

    def lists(self, ctx: ReadContext[Config]) -> Lists | None:
        """Return what a read of `ctx.stream` goes through; None where that is not known.

        Nothing is sent. Raises ConfigError where the items are not known.
        """
        ...

    def records(self, ctx: ReadContext[Config]) -> Iterator[Mapping[str, Any]]:
        """Read the rows of `ctx.stream` as the source sends them, one dict each.

        Discovery calls it: each row describes a stream that the source has (`read.dynamic`).
        """
        ...

    def scope(self, ctx: ReadContext[Config]) -> Mapping[str, Any]:
        """The values that templates of `ctx.stream` may name."""
        ...

    def now(self) -> dt.datetime:
        """The time by the connector's clock, in UTC."""
        ...

    @property
    def dynamic(self) -> Sequence[DynamicStream]:
        """The `read.dynamic` blocks, for streams that only the source can list; else empty."""
        ...

    @property
    def discovers(self) -> bool:
        """Whether there are streams that only the source can list."""
        ...

    def listed(self, ctx: ReadContext[Config]) -> Iterator[Listed]:
        """Ask the source for its streams, where no `dynamic` block says how."""
        ...

    def with_streams(self, streams: Sequence[Locked]) -> Connector[Config]:
        """This connector with the streams that were discovered."""
        ...

    def with_config(self, config: Mapping[str, Any]) -> Connector[Config]:
        """This connector for a connection with this `config`, from which its streams may follow."""
        ...

    def with_runtime(self, runtime: HttpRuntime) -> Connector[Config]:
        """This connector with its requests made by `runtime`, if it makes them through one."""
        ...

    def sends_to(self) -> Sequence[str] | None:
        """Return the origins that it may send to, as far as it says; None where it says nothing."""
        ...

    def source_of(self, stream: Stream) -> str:
        """Where the rows of `stream` come from, as people read it: `GET https://…/orders`."""
        ...

    @property
    def may_delete(self) -> bool:
        """Whether it may yield rows whose keys are gone, whatever the stream says."""
        ...

    @property
    def owners(self) -> Sequence[str]:
        """The owners of the connector's assets, where a connection names none."""
        ...

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags of the connector's assets."""
        ...

    @property
    def assets(self) -> Callable[..., Any] | None:
        """The function that makes the Dagster assets of a connection.

        None makes one asset of each stream.
        """
        ...


class CodeConnector:
    """The answers of a connector written in Python, where a spec would say more.

    It talks to its source as it likes: no spec tells where it sends, and no runtime is its own.
    """

    assets: Callable[..., Any] | None = None
    docs_url: str | None = None
    may_delete = True
    dynamic: Sequence[DynamicStream] = ()
    owners: Sequence[str] = ()
    tags: Mapping[str, str] = MappingProxyType({})

    def records(self, ctx: ReadContext[Any]) -> Iterator[Mapping[str, Any]]:
        del ctx
        return iter(())

    def limits(self, stream: Stream) -> Lists | None:
        del stream
        return None

    def first_page(self, ctx: ReadContext[Any]) -> FirstPage:
        raise ConfigError("a connector in Python has no pages to ask for", where=ctx.label)

    def lists(self, ctx: ReadContext[Any]) -> Lists | None:
        del ctx
        return None

    def unwatchable(self, stream: Stream) -> str:
        del stream
        return "is of a connector in Python, which has no small question"

    def probe(self, ctx: ReadContext[Any], before: Mapping[str, Any], position: Any) -> Probe:
        del before, position
        raise ConfigError(self.unwatchable(ctx.stream), where=ctx.label)

    def scope(self, ctx: ReadContext[Any]) -> Mapping[str, Any]:
        del ctx
        return {}

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    @property
    def discovers(self) -> bool:
        return False

    def listed(self, ctx: ReadContext[Any]) -> Iterator[Listed]:
        del ctx
        return iter(())

    def with_streams(self, streams: Sequence[Locked]) -> Self:
        del streams
        return self

    def with_config(self, config: Mapping[str, Any]) -> Self:
        del config
        return self

    def with_runtime(self, runtime: HttpRuntime) -> Self:
        del runtime
        return self

    def sends_to(self) -> Sequence[str] | None:
        return None

    def source_of(self, stream: Stream) -> str:
        return stream.name
