"""What YAML specs and plugins both are: a thing with streams that can be read and checked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from connector_assets.errors import ConnectorError, StartOver
from connector_assets.redact import Secrets
from connector_assets.runtime.diagnosis import part_of
from connector_assets.runtime.slices import ParentRows
from connector_assets.runtime.stats import Stats
from connector_assets.spec.partitions import Partition
from connector_assets.spec.stream import Stream, WriteMode

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
    `partial` says that the page goes on in the next batch.
    """

    rows: Any
    count: int
    checkpoint: str | None = None
    complete: bool = False
    cursor: Mapping[str, Any] | None = None
    void_after: str | None = None
    unchanged: bool = False
    partial: bool = False


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
    """All that one read of one stream may know.

    `connection` is the connection's id. `resume` is the checkpoint of the last batch that is safely
    staged, `reached` the positions of those batches; `cursor` are the positions stored with the
    table; of many items both are mappings on disk. `fingerprint` stands for all that decides the
    rows, but for secrets. `vars` are the connection's. `parent_rows(stream, keys)` gives values of
    a parent's rows from its table; None: there is no table. `partition` is the part of the stream
    that is read, None for all of it; `stream` is narrowed to it. `on_request` is told each
    request's line. `prompt`: no batch is kept waiting, so the next one may be on its way meanwhile.
    """

    connection: str
    config: Config
    stream: Stream
    secrets: Secrets = field(default_factory=Secrets)
    vars: Mapping[str, Any] = field(default_factory=dict)
    auth: str | int | None = None
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
    prompt: bool = False

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
