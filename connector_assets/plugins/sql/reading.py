"""One read of a stream: what is asked of the database, in which stretches, and from where on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pyarrow as pa

from connector_assets.errors import Cancelled, ConfigError
from connector_assets.plugins.sql.bounds import beyond, earlier, has_hours, of_time
from connector_assets.plugins.sql.chunks import Chunks
from connector_assets.plugins.sql.databases import connected, dialect_of
from connector_assets.plugins.sql.dialects.dialect import Dialect
from connector_assets.plugins.sql.exact import read_exactly
from connector_assets.plugins.sql.faults import DatabaseError, host_of, told
from connector_assets.plugins.sql.parallel import Parallel
from connector_assets.plugins.sql.settings import QuerySettings, SqlSettings, TableSettings
from connector_assets.plugins.sql.source import Field, Query, Session, Stretch
from connector_assets.plugins.sql.ties import Ties
from connector_assets.reading.plugin_context import PluginContext
from connector_assets.spec.names.paths import own_key

_READERS, _JDBC_READERS = 4, 2
_PREVIEWED = 1_000
_ENDLESS = ("infinity", "inf", "nan")


def read(ctx: PluginContext[SqlSettings]) -> Iterator[pa.Table]:
    """The rows of the stream, as Arrow tables; raises a ConnectorError."""
    with _blaming(ctx), ExitStack() as stack:
        reading = _opened(ctx, stack)
        yield from reading.rows()


@contextmanager
def _blaming(ctx: PluginContext[SqlSettings]) -> Iterator[None]:
    where = f"{ctx.label}: {host_of(ctx.config.uri)}"
    try:
        yield
    except DatabaseError as error:
        if ctx.cancelled:
            raise Cancelled("cancelled", where=where) from None
        raise told(error, where, ctx.secrets.mask) from None


@contextmanager
def cancelling(cancel: threading.Event, session: Session) -> Iterator[None]:
    """Whatever `session` does, a thread of its own has it cancelled at the server."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            if cancel.is_set():
                session.cancel()

    thread = threading.Thread(target=watch, daemon=True, name="sql-cancel")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _opened(ctx: PluginContext[SqlSettings], stack: ExitStack) -> Reading:
    settings = ctx.config
    session = stack.enter_context(closing(connected(settings)))
    stack.enter_context(cancelling(ctx.cancel, session))
    dialect = dialect_of(settings, session)
    holds = settings.snapshot != "none"
    dialect.begin(session, holds=holds)
    token = dialect.export(session) if holds and dialect.snapshot == "shared" else None

    def another() -> Session:
        """A connection for one more reader, of the same moment."""
        more = connected(settings)
        stack.callback(more.close)
        dialect.begin(more, holds=holds, token=token)
        return more

    return Reading(ctx, session, dialect, another)


@dataclass(frozen=True)
class Reading:
    """A stream's rows, read on `session` and on what `another()` gives."""

    ctx: PluginContext[SqlSettings]
    session: Session
    dialect: Dialect
    another: Callable[[], Session]

    def rows(self) -> Iterator[pa.Table]:
        """All rows there are to read; checkpoints and the position are said as they come."""
        left = self._left()
        if not left:
            self._reached()
            return
        self._tell()
        chunks = Chunks(self._cut if not self.is_increment else lambda _: None, left)
        count = self._readers if not self.is_increment else 1
        opened = self.another if count > 1 else lambda: self.session
        work = Parallel(chunks, opened, self._read, count, self.ctx.cancel)
        for stretch, rows in work.results():
            yield from self._in_order(chunks, stretch, rows) if self._sorts(stretch) else rows
            chunks.done(stretch)
            if self._resumes:
                self.ctx.checkpoint(self._mark(chunks.left()))
        self._reached()

    def _reached(self) -> None:
        if self._high is not None:
            self.ctx.position = self._high

    # What is read

    @cached_property
    def settings(self) -> SqlSettings:
        return self.ctx.config

    @cached_property
    def own(self) -> TableSettings:
        """What is said of this table or query."""
        given = self.ctx.vars
        if "query" not in given:
            return self.settings.of_table(_path(given))
        if given["query"] not in self.settings.queries:
            known = ", ".join(self.settings.queries) or "none is there"
            what = f'queries has no "{given["query"]}"'
            raise ConfigError(what, where=self.ctx.label, fix=f"discover again; known are: {known}")
        return self.settings.queries[given["query"]]

    @cached_property
    def source(self) -> str:
        """What stands after FROM."""
        if isinstance(self.own, QuerySettings):
            return self.own.source
        return f"{self.dialect.table(self.ctx.vars.get('schema') or '', self.ctx.vars['table'])} q"

    @cached_property
    def fields(self) -> list[Field]:
        return self.dialect.fields(self.session, self.source, self.own.columns, self.ctx.label)

    def _field(self, name: str, what: str) -> Field:
        found = next((one for one in self.fields if one.name == name), None)
        if found is None:
            raise ConfigError(f'{what} "{name}" is no column', where=self.ctx.label)
        if not found.orders:
            told = f'{what} "{name}" is of a type whose order is not that of its texts'
            raise ConfigError(told, where=self.ctx.label, fix="choose another column")
        return found

    @cached_property
    def cursor(self) -> Field | None:
        """The column that grows with each change."""
        incremental = self.ctx.stream.incremental
        if incremental is None or incremental.cursor_field is None:
            return None
        found = self._field(own_key(str(incremental.cursor_field)), "the cursor")
        window = self.ctx.window
        return replace(found, is_time_in_text=found.is_text and has_hours(window))

    @cached_property
    def _keys(self) -> list[str]:
        return [own_key(one) for one in self.ctx.stream.primary_key]

    @cached_property
    def key(self) -> Field | None:
        """The column that the table is cut by."""
        if self.own.chunk_by:
            return self._field(self.own.chunk_by, "chunkBy")
        keys = self._keys
        if isinstance(self.own, QuerySettings) or self.ctx.vars.get("view") or not keys:
            return None
        named = next((one for one in self.fields if one.name == keys[0]), None)
        return named if named and named.orders else None

    # Where it begins and ends

    @cached_property
    def is_increment(self) -> bool:
        """Whether a stretch of the cursor is read, and not the whole table."""
        return self.cursor is not None and (self._low is not None or self.ctx.window is not None)

    @cached_property
    def _low(self) -> Stretch | None:
        """From where on, by the stored position or the configured start; None: from the first."""
        position = self.ctx.cursor
        if position is None:
            return None
        if not self._is_stored:
            return Stretch(low=str(position), with_low=True)  # the configured start
        if not self.own.lookback:
            return Stretch(low=str(position))
        low = earlier(str(position), self.own.lookback, self.ctx.label)
        return Stretch(low=low, with_low=True)

    @property
    def _is_stored(self) -> bool:
        """Whether a run before this one left a position."""
        return bool(self.ctx.reading.cursor)

    @cached_property
    def _high(self) -> str | None:
        """The position that this run reaches: the highest there is, as of its beginning."""
        if self.cursor is None or self.ctx.window is not None:
            return None
        if self._resumed is not None:
            resumed: str | None = self._resumed["high"]
            return resumed
        largest = self.dialect.as_text(f"max({self.dialect.quoted(self.cursor.name)})")
        where, values = self._where(self._low or Stretch(), self.cursor)
        query = Query(f"select {largest} from {self.source}{where}", values)
        found = self.session.rows(self.dialect.bound(self.session, query))[0][0]
        return self._same() if found is None else self._ended(str(found))

    def _ended(self, largest: str) -> str:
        """The position, if there can be one beyond it."""
        assert self.cursor
        if not self.cursor.is_text and largest.lower() in _ENDLESS:
            fix = "leave such rows out by `where`, or choose another column"
            what = f'the cursor "{self.cursor.name}" holds {largest}, beyond which nothing is new'
            raise ConfigError(what, where=self.ctx.label, fix=fix)
        return largest

    def _same(self) -> str | None:
        """The position that stays as it was; rows without one are looked for all the same."""
        return str(self.ctx.cursor) if self._is_stored else None

    @cached_property
    def _resumed(self) -> Mapping[str, Any] | None:
        """What an earlier run left to do, if this one goes on with it."""
        found = self.ctx.resume
        if found is None:
            return None
        if self.settings.snapshot == "run" and self.dialect.snapshot != "no":
            self.ctx.log.warning("goes on as of now: rows of the run before are of its own moment")
        resumed: Mapping[str, Any] = found
        return resumed

    @property
    def _resumes(self) -> bool:
        """Whether a later run can go on: not where all rows are to be of one moment."""
        return self.settings.snapshot != "table" and (self.key is not None or self.is_increment)

    def _mark(self, left: list[list[Any]]) -> dict[str, Any]:
        return {"high": self._high, "left": left}

    def _left(self) -> list[Stretch]:
        """The stretches to read; the last one may be cut further."""
        if self._resumed is not None:
            return [Stretch.of(one) for one in self._resumed["left"]]
        if not self.is_increment:
            # A primary key may be one in name only: SQLite lets it be null, and so do settings.
            return [*([Stretch(nulls=True)] if self.key is not None else ()), Stretch()]
        if (window := self.ctx.window) is not None:
            assert self.cursor
            return [of_time(window, self.cursor, self.ctx.label)]
        assert self._low
        # A row without a cursor may have changed, too; to append it again would double it.
        again = [Stretch(nulls=True)] if self.ctx.stream.mode == "merge" else []
        return [*again, replace(self._low, high=self._high)]

    # How it is asked for

    @property
    def _readers(self) -> int:
        if self.key is None or self.ctx.preview or self._is_alone:
            return 1
        return self.settings.parallel or (_JDBC_READERS if self.settings.is_jdbc else _READERS)

    @property
    def _is_alone(self) -> bool:
        """Whether only one connection sees the moment that is read."""
        return self.settings.snapshot != "none" and self.dialect.snapshot == "own"

    def _sorts(self, stretch: Stretch) -> bool:
        if not self.is_increment or not self.dialect.sorts or stretch.nulls:
            return False
        # The last row's value has to be one that the database compares with.
        assert self.cursor
        return not self.cursor.is_time_in_text and self.cursor.name not in self.own.columns

    def _where(
        self, stretch: Stretch, by: Field | None, *, upto: str | None = None
    ) -> tuple[str, tuple[str, ...]]:
        """The WHERE of a stretch of the column `by`, and of no row beyond the position `upto`."""
        found: str = ""
        values: tuple[str, ...] = ()
        if by is not None:
            found, values = self.dialect.condition(self.session, by, stretch)
        conditions = [found]
        if upto is not None and self.cursor is not None:
            last, more = self.dialect.condition(
                self.session, self.cursor, Stretch(high=upto), len(values) + 1
            )
            conditions.append(f"({last} or {self.dialect.quoted(self.cursor.name)} is null)")
            values += more
        conditions.append(f"({self.own.where}\n)" if self.own.where else "")
        told = " and ".join(filter(None, conditions))
        return (f" where {told}" if told else ""), values

    def _cut(self, rest: Stretch) -> str | None:
        """The last key of the next chunk of `rest`; None where that is all of it."""
        if self.key is None:
            return None
        where, values = self._where(rest, self.key, upto=self._high)
        key = f"q.{self.dialect.quoted(self.key.name)}"
        size = _PREVIEWED if self.ctx.preview else self.settings.chunk_rows
        ordered = f"select {key} from {self.source}{where} order by {key}"
        # A value of which the text makes another one, as an odd number, is nothing to cut at.
        is_exact = f"case when {self.dialect.is_exact(key, self.key)} then '1' else '0' end"
        last = self.dialect.limited(ordered, size - 1)
        sql = f"select {self.dialect.as_text(key)}, {is_exact} from ({last}) q"
        found = self.session.rows(self.dialect.bound(self.session, Query(sql, values)), 2)
        return str(found[0][0]) if found and found[0][1] == "1" else None

    def _read(self, session: Session, stretch: Stretch) -> Iterator[pa.Table]:
        if self.is_increment:
            where, values = self._where(stretch, self.cursor)
        else:
            where, values = self._where(stretch, self.key, upto=self._high)
        guards = [one.guard for one in self.fields if one.guard]
        select = ", ".join([*(one.expression for one in self.fields), *guards])
        sql = f"select {select} from {self.source}{where}"
        if self._sorts(stretch):
            assert self.cursor
            sql += f" order by q.{self.dialect.quoted(self.cursor.name)}"
        yield from read_exactly(session, self.dialect, Query(sql, values), self.fields)
        if self.settings.snapshot == "none":
            self.dialect.let_go(session)

    def _in_order(
        self, chunks: Chunks, stretch: Stretch, rows: Iterator[pa.Table]
    ) -> Iterator[pa.Table]:
        """Rows in order of the cursor: a run that is killed goes on after the last that is safe."""
        assert self.cursor
        others = [one for one in chunks.left() if one != stretch.told()]
        for batch, last in Ties(rows, self.cursor.name, self.settings.chunk_rows):
            yield batch
            at = None if last is None else beyond(last)
            if at is not None and self._resumes:
                self.ctx.checkpoint(self._mark([*others, stretch.beyond(at).told()]))

    def _tell(self) -> None:
        """Say how many rows there may be, and of what they are."""
        if not self.is_increment and "table" in self.ctx.vars and not self.own.where:
            schema = self.ctx.vars.get("schema") or ""
            total = self.dialect.estimate(self.session, schema, self.ctx.vars["table"])
            self.ctx.progress(total=total)
        if self.settings.snapshot != "none" and self.dialect.snapshot == "no" and self.key:
            self.ctx.log.info(
                "the database holds no moment for us: chunks are of when they are read"
            )


def _path(given: Mapping[str, Any]) -> str:
    """What settings call the table."""
    return ".".join(filter(None, (given.get("schema"), given["table"])))
