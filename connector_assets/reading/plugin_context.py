"""What `read(ctx)` of a plugin is given, as is Python that a connection has for one stream."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic

from connector_assets.errors import ConfigError, ResponseError
from connector_assets.reading.connector import COMPLETE, Config, ReadContext
from connector_assets.redact import Secrets
from connector_assets.runtime.by_hand import StreamHttp
from connector_assets.spec.stream.incremental import Window
from connector_assets.spec.stream.stream import Stream
from connector_assets.spec.templates.template import Template

_VALUE = "value"
_NOT_SET = object()


@dataclass(frozen=True, slots=True)
class Deleted:
    """Rows whose primary keys are gone at the source; `PluginContext.deleted` makes it."""

    rows: Any


@dataclass(frozen=True, slots=True)
class Mark:
    """A checkpoint that was set, with the positions at that moment."""

    checkpoint: str
    positions: Mapping[str, Any] | None


class PluginLog:
    """Lines for whoever watches the run: Dagster's log, or stderr. Secrets are masked.

    The lines of a level above `debug` are shown; at most 1,000 wait to be shown at once.

    >>> ctx.log.info("%s: %s messages", topic, 17)
    """

    def __init__(self, reading: ReadContext[Any]) -> None:
        self._reading = reading

    def debug(self, text: str, *values: Any) -> None:
        """Say what only `-v` shows."""
        self._say(logging.DEBUG, text, values)

    def info(self, text: str, *values: Any) -> None:
        """Say how it goes."""
        self._say(logging.INFO, text, values)

    def warning(self, text: str, *values: Any) -> None:
        """Say what somebody should look at."""
        self._say(logging.WARNING, text, values)

    def _say(self, level: int, text: str, values: tuple[Any, ...]) -> None:
        said = text % values if values else text
        self._reading.stats.say(level, self._reading.secrets.mask(said))


class PluginContext(Generic[Config]):
    """What `read(ctx)` is given: what to read, from where to go on, and how to tell how it goes.

    >>> def read(ctx: PluginContext[Config]) -> Iterator[Row]:
    ...     for event in events(ctx.config.url, after=ctx.resume or ctx.cursor):
    ...         yield {"id": event.id, "at": event.time}
    ...         ctx.position = event.number
    """

    def __init__(
        self,
        reading: ReadContext[Config],
        *,
        http: Callable[[], StreamHttp] | None = None,
        spec_rows: Callable[[], Iterator[dict[str, Any]]] | None = None,
    ) -> None:
        self._reading, self._make_http, self._spec_rows = reading, http, spec_rows
        self._http: StreamHttp | None = None
        self._position: Any = _NOT_SET
        self._mark: Mark | None = None
        self._log = PluginLog(reading)

    @property
    def connection(self) -> str:
        """The connection's id."""
        return self._reading.connection

    @property
    def config(self) -> Config:
        """The connection's values, as the plugin's model has them."""
        return self._reading.config

    @property
    def secrets(self) -> Secrets:
        """The secrets by name; they are masked in whatever is said of this read.

        `secrets.learn("token", value)` has one masked that was obtained on the way.
        """
        return self._reading.secrets

    @property
    def stream(self) -> Stream:
        """The stream to read: `name`, `primary_key`, `mode`, and whatever else is said of it."""
        return self._reading.stream

    @property
    def vars(self) -> Mapping[str, Any]:
        """The `vars` of the stream, and over them those of the connection."""
        own = {name: getattr(one, "source", one) for name, one in self.stream.vars.items()}
        return {**own, **self._reading.vars}

    @property
    def cursor(self) -> Any:
        """The position that is stored with the table's rows: what an earlier run set last.

        Where there is none it is `incremental.start` of the stream, if that is given, else None.
        """
        stored = _own(self._reading.cursor)
        return self._start if stored is None else stored

    @property
    def _start(self) -> Any:
        start = self.stream.incremental.start if self.stream.incremental else None
        if isinstance(start, Template):
            return start.source if start.is_literal else None
        return start

    @property
    def position(self) -> Any:
        """How far this run has read: a JSON value, at first `cursor`.

        What is set last is stored with the rows in the one transaction of the load, and is the
        `cursor` of the next run. A run that fails stores none; nor does one that reads a `window`.
        """
        if self._position is not _NOT_SET:
            return self._position
        reached = _own(self._reading.reached) if self._reading.resume else None
        return self.cursor if reached is None else reached

    @position.setter
    def position(self, value: Any) -> None:
        self._position = value  # and looked at when it is kept: it may be set for every row

    def checkpoint(self, value: Any) -> Mark:
        """Make safe what was yielded so far: a run that is killed goes on after it.

        `read` is then called again with `value`, which is any JSON value but None, as `ctx.resume`.
        It is written to disk with the rows when the next one is yielded; where that may take long,
        `yield ctx.checkpoint(…)` writes it at once. Every few thousand rows will do, or each page.
        """
        if value is None:
            raise ConfigError("a checkpoint is None", where=self.label, fix="give it a value")
        self._mark = Mark(self._kept("checkpoint", value), self._positions())
        return self._mark

    @property
    def resume(self) -> Any:
        """The value of the last checkpoint of a run that was killed; None to begin anew."""
        found = self._reading.resume
        return None if found in (None, COMPLETE) else json.loads(found)

    @property
    def window(self) -> Window | None:
        """The stretch of time to read: from `start` on, up to and without `end`, both in UTC.

        None where all is read, or all that is new.
        """
        part = self._reading.partition
        return part.window if part else None

    @property
    def partition(self) -> str | None:
        """The key of the partition to read; None where the stream is read as a whole."""
        part = self._reading.partition
        return part.key if part else None

    @property
    def cancelled(self) -> bool:
        """Whether the run is to end: what waits or works long between rows asks for it."""
        return self._reading.cancel.is_set()

    @property
    def cancel(self) -> threading.Event:
        """The event behind `cancelled`; `ctx.cancel.wait(5)` is a pause that ends with the run."""
        return self._reading.cancel

    @property
    def preview(self) -> bool:
        """Whether the rows are only looked at: the first few will do."""
        return self._reading.preview

    @property
    def http(self) -> StreamHttp:
        """Requests that are guarded, within the connection's budget, signed and retried.

        A plugin says in `http=` of `define_connector` where it sends and how it is let in.
        """
        if self._make_http is None:
            fix = "say baseUrl, auth and rateLimit in define_connector(http=…)"
            raise ConfigError("the plugin does not say where it sends", where=self.label, fix=fix)
        if self._http is None:
            self._http = self._make_http()
        return self._http

    def spec_rows(self) -> Iterator[dict[str, Any]]:
        """The rows as the stream's spec says, where it has one."""
        if self._spec_rows is None:
            raise ConfigError("a plugin has no spec that gives rows", where=self.label)
        return self._spec_rows()

    @property
    def log(self) -> PluginLog:
        """Lines for whoever watches the run, by `info`, `warning` and `debug`."""
        return self._log

    def progress(self, *, total: int | None = None, part: str | None = None) -> None:
        """Say how many rows there are in all, and which part of them is read now."""
        stats = self._reading.stats
        stats.total = stats.total if total is None else total
        stats.part = stats.part if part is None else self.secrets.mask(part)

    def metadata(self, **values: Any) -> None:
        """Say what the asset shows of this load: texts, numbers, or JSON values by name.

        A number is plotted. The value that is given last stays.
        """
        for name, value in values.items():
            self._text(f"metadata {name}", value)
            self._reading.stats.metadata[name] = self.secrets.mask_data(value)

    def deleted(self, rows: Any) -> Deleted:
        """Rows to yield whose primary keys are gone at the source; the load deletes those.

        They may be what any rows may be (a dict, Arrow, NDJSON), and hold the key at least. For
        streams with `primaryKey` and `writeMode: merge`.
        """
        if self.stream.mode != "merge":
            fix = "give the stream primaryKey and writeMode: merge"
            raise ConfigError("only a merge can delete rows", where=self.label, fix=fix)
        return Deleted(rows)

    @property
    def label(self) -> str:
        """The name that messages about this read begin with: `shop.orders [2024-01-31]`."""
        return self._reading.label

    @property
    def reading(self) -> ReadContext[Config]:
        """What the SDK itself works with, for those who yield a `Batch` with positions by item."""
        return self._reading

    def _positions(self) -> Mapping[str, Any] | None:
        """The position that was set, as it is stored; None where none is to be."""
        if self._position is _NOT_SET or (self.window is not None and self.window.closed):
            return None
        return {"": {_VALUE: json.loads(self._kept("position", self._position))}}

    def _kept(self, what: str, value: Any) -> str:
        """The value as it is kept on disk."""
        text = self._text(what, value)
        if self.secrets.holds(text):
            fix = "it is kept on disk: leave the secret out"
            raise ResponseError(f"{what} holds a secret", where=self.label, fix=fix)
        return text

    def _text(self, what: str, value: Any) -> str:
        try:
            return json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ResponseError(
                f"{what} is no JSON value: {error}", where=self.label, fix="write it as a text"
            ) from None


def take_mark(ctx: PluginContext[Any]) -> Mark | None:
    """The checkpoint that was set since the last call."""
    mark, ctx._mark = ctx._mark, None  # noqa: SLF001 - made here, and nothing for a plugin
    return mark


def positions_of(ctx: PluginContext[Any]) -> Mapping[str, Any] | None:
    """The position that was set last, as it is stored; None where none is to be."""
    return ctx._positions()  # noqa: SLF001 - as above


def _own(positions: Mapping[str, Any] | None) -> Any:
    """The one position of a stream without items."""
    entry = (positions or {}).get("")
    return entry.get(_VALUE) if isinstance(entry, Mapping) else entry
