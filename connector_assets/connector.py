"""What YAML specs and plugins both are: a thing with streams that can be read and checked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from connector_assets.redact import Secrets
from connector_assets.runtime.stats import Stats
from connector_assets.spec.connector import Stream

Config_contra = TypeVar("Config_contra", contravariant=True)
Config = TypeVar("Config")


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

    `resume` is the checkpoint of the last batch that is safely staged; `cursor` is the position
    stored with the table; `vars` are the connection's. `on_request` is told each request's line.
    """

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


class Connector(Protocol[Config]):
    """YAML specs and plugins meet here."""

    @property
    def id(self) -> str: ...

    @property
    def display_name(self) -> str: ...

    def streams(self, config: Config) -> Sequence[Stream]: ...

    def read(self, ctx: ReadContext[Config]) -> Iterator[Batch]: ...

    def check(self, ctx: ReadContext[Config]) -> Check: ...
