"""One read of a stream: the statement, and where a run that was killed goes on.

A result stays with Snowflake for a day, and its chunks stay as they are: what is kept of a read is
the query's id and the number of chunks that are safe. Where the result is gone, all is read anew.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, repeat
from typing import Any

from connector_assets.errors import Cancelled, ConfigError
from connector_assets.plugins.snowflake.columns import as_described, described
from connector_assets.plugins.snowflake.faults import told
from connector_assets.plugins.snowflake.settings import (
    QuerySettings,
    SnowflakeSettings,
    TableSettings,
)
from connector_assets.plugins.snowflake.unload import Unload
from connector_assets.reading.connector import Batch
from connector_assets.reading.plugin_context import PluginContext
from connector_assets.snowflake.literals import sf_literal
from connector_assets.snowflake.session import Refused, Session, session
from connector_assets.spec.names.paths import own_key

_PREVIEWED = 1_000
_POLLS_S = (0.05, 0.1, 0.2, 0.5, 1, 2)
_RUNNING = {"RUNNING", "QUEUED", "RESUMING_WAREHOUSE", "QUEUED_REPAIRING_WAREHOUSE", "BLOCKED"}
# A query that has just begun is not known everywhere; one that never is was forgotten.
_UNKNOWN, _MOST_UNKNOWN = "NO_DATA", 8
_ANEW = Batch(b"", 0, void_after="")
"""Takes back what earlier runs staged."""


def read(ctx: PluginContext[SnowflakeSettings]) -> Iterator[Any]:
    """The rows of the stream, as Arrow tables; raises a ConnectorError."""
    settings = ctx.config
    tag = settings.query_tag or json.dumps({"app": "connector-assets", "stream": ctx.label})
    try:
        with session(settings.as_account, settings.proof, tag=tag, keeps_queries=True) as found:
            yield from Reading(ctx, found).rows()
    except Refused as refused:
        if ctx.cancelled:
            raise Cancelled("cancelled", where=ctx.label) from None
        raise told(refused, ctx.label, settings.as_account.server) from None


@dataclass(frozen=True)
class Reading:
    """A stream's rows, read in one session."""

    ctx: PluginContext[SnowflakeSettings]
    session: Session

    def rows(self) -> Iterator[Any]:
        """All rows there are to read; checkpoints and the position are said as they come."""
        resumed: Mapping[str, Any] | None = self.ctx.resume
        high = resumed["high"] if resumed else self._highest()
        if self.is_unloaded:
            yield from Unload(self.ctx, self.session, self._select(high), high).rows()
        else:
            high = yield from self._by_result(resumed, high)
        if high is not None and self.ctx.window is None:
            self.ctx.position = high

    # What is read

    @cached_property
    def own(self) -> TableSettings:
        """What is said of this table or query."""
        given, settings = self.ctx.vars, self.ctx.config
        if "query" not in given:
            return settings.of_table(f"{given['schema']}.{given['table']}")
        if given["query"] not in settings.queries:
            known = ", ".join(settings.queries) or "none is there"
            what = f'queries has no "{given["query"]}"'
            fix = f"discover again; known are: {known}"
            raise ConfigError(what, where=self.ctx.label, fix=fix)
        return settings.queries[given["query"]]

    @cached_property
    def source(self) -> str:
        """What stands after FROM."""
        if isinstance(self.own, QuerySettings):
            return f"({self.own.sql.rstrip().rstrip(';')}\n)"  # which may end with a comment
        given = self.ctx.vars
        return ".".join(map(_quoted, (self.ctx.config.database, given["schema"], given["table"])))

    @cached_property
    def cursor(self) -> str:
        """The column that grows with each change, in SQL; "" without one."""
        incremental = self.ctx.stream.incremental
        if incremental is None or incremental.cursor_field is None:
            return ""
        return _quoted(own_key(str(incremental.cursor_field)))

    @cached_property
    def is_unloaded(self) -> bool:
        """Whether the rows come through files in a stage."""
        settings, resumed = self.ctx.config, self.ctx.resume
        if self.ctx.preview:
            return False
        if resumed:
            return "stage" in resumed
        if self.own.unload is not None or settings.unload != "auto":
            return (
                bool(self.own.unload)
                if self.own.unload is not None
                else settings.unload == "always"
            )
        if self.ctx.cursor is not None or "table" not in self.ctx.vars:
            return False
        return (self._estimate() or 0) > settings.unload_rows

    def _estimate(self) -> int | None:
        """How many rows the table has, as Snowflake keeps it."""
        given = self.ctx.vars
        found = self.session.run(
            f"select row_count from {_quoted(self.ctx.config.database)}.information_schema.tables "
            "where table_schema = ? and table_name = ?",
            given["schema"],
            given["table"],
        )
        return int(found[0][0]) if found and found[0][0] is not None else None

    def _highest(self) -> Any:
        """The position that this run reaches: the highest there is now."""
        if not self.cursor or self.ctx.window is not None:
            return None
        sql = f"select to_varchar(max({self.cursor})) from {self.source}{self._where(None)}"
        found = self.session.run(sql)[0][0]
        return self.ctx.cursor if found is None else found

    def _select(self, high: Any) -> str:
        limit = f" limit {_PREVIEWED}" if self.ctx.preview else ""
        return f"select * from {self.source}{self._where(high)}{limit}"

    def _where(self, high: Any) -> str:
        """The rows between the stored position and `high`; texts are compared as the column is."""
        # Literals: COPY INTO a stage binds no values.
        found = " and ".join(
            f"{self.cursor} {operator} {sf_literal(bound)}"
            for operator, bound in self._bounds(high)
        )
        if found and self.ctx.window is None and self.ctx.stream.mode == "merge":
            # A row without a cursor may have changed, too; to append it again would double it.
            found = f"({found} or {self.cursor} is null)"
        own = f"({self.own.where}\n)" if self.own.where else ""
        both = " and ".join(filter(None, [found, own]))
        return f" where {both}" if both else ""

    def _bounds(self, high: Any) -> Iterator[tuple[str, str]]:
        if not self.cursor:
            return
        if window := self.ctx.window:
            for operator, end in ((">=", window.start), ("<", window.end)):
                if end is not None:
                    yield operator, str(end)
            return
        if self.ctx.cursor is not None:
            yield ">", str(self.ctx.cursor)
        if high is not None:
            yield "<=", str(high)

    # By the result of the query

    def _by_result(self, resumed: Mapping[str, Any] | None, high: Any) -> Generator[Any, None, Any]:
        """The rows of the result; returns the position that they reach."""
        with self.session.cursor() as cursor:
            done, query = 0, ""
            if resumed and (found := self._kept(cursor, resumed)) is not None:
                done, query = found
            else:
                if resumed:
                    self.ctx.log.warning("the result is no longer kept: reading anew")
                    yield _ANEW
                    high = self._highest()
                query = cursor.execute_async(self._select(high))["queryId"]
                yield self.ctx.checkpoint({"query": query, "done": 0, "high": high})
                self._wait(cursor, query)
                cursor.query_result(query)
            self.ctx.metadata(query_id=query)
            columns = described(cursor.description)
            chunks = cursor.get_result_batches() or []
            self.ctx.progress(total=sum(chunk.rowcount or 0 for chunk in chunks))
            for number, chunk in enumerate(chunks[done:], done + 1):
                if chunk.rowcount:
                    rows = chunk.to_arrow(number_to_decimal=True)
                    yield as_described(rows, columns, self.ctx.label)
                self.ctx.checkpoint({"query": query, "done": number, "high": high})
            return high

    def _kept(self, cursor: Any, resumed: Mapping[str, Any]) -> tuple[int, str] | None:
        """The chunks that are safe of a result that Snowflake still has, and the query."""
        from snowflake.connector import errors

        try:
            if not self._wait(cursor, resumed["query"]):
                return None
            cursor.query_result(resumed["query"])
        except errors.Error:
            return None
        return resumed["done"], resumed["query"]

    def _wait(self, cursor: Any, query: str) -> bool:
        """Wait until a query is done; end it at the server where the run is cancelled.

        Whether the server knows it at all is the answer.
        """
        unknown = 0
        for pause in chain(_POLLS_S, repeat(_POLLS_S[-1])):
            status = cursor.connection.get_query_status_throw_if_error(query).name
            unknown = unknown + 1 if status == _UNKNOWN else 0
            if status not in {*_RUNNING, _UNKNOWN} or unknown > _MOST_UNKNOWN:
                break
            if self.ctx.cancel.wait(pause):
                cursor.abort_query(query)
                raise Cancelled("cancelled", where=self.ctx.label)
        return not unknown


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
