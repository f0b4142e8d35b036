"""What a load would ask for, told from the tables that are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from connector_assets.errors import ConnectorError
from connector_assets.load.destination import Destination
from connector_assets.project.connection import Connection
from connector_assets.project.partitioned import Indexed, chosen, keys
from connector_assets.project.plan import Planner, StreamPlan
from connector_assets.sync import parent_rows, table_of

ALL = "all"


@dataclass(frozen=True)
class Planning:
    """Plans streams of a connection, whose tables are in `destination`.

    `full` plans a load that ignores stored positions. `latency_s` is what an answer takes.
    """

    connection: Connection
    destination: Destination
    schema: str | None = None
    full: bool = False
    latency_s: float | None = None

    def plan(
        self, stream: str, partitions: str | None = None, *, probe: bool = False
    ) -> StreamPlan:
        """The plan of one stream; with `probe`, its first page is asked for.

        `partitions` is a key, FIRST...LAST or "all", which is meant by None too. Raises a
        ConnectorError.
        """
        table = _Table(self.connection, self.destination, self.schema)
        planner = Planner(self.connection, table, self._rows, self.full, self.latency_s)
        wanted = self._keys(stream, partitions)
        return planner.plan(stream, wanted, planner.first(stream, wanted) if probe else None)

    @cached_property
    def _rows(self) -> Indexed:
        return Indexed(parent_rows(self.connection, self.destination, self.schema))

    def _keys(self, stream: str, asked: str | None) -> Sequence[str] | None:
        if self.connection.partitions(self.connection.stream(stream).name) is None:
            return None
        if asked in (None, ALL):
            return keys(self.connection, stream, self._rows)
        return chosen(self.connection, stream, str(asked), self._rows)


@dataclass(frozen=True)
class _Table:
    """What the tables of a connection tell of its streams."""

    connection: Connection
    destination: Destination
    schema: str | None

    def _table(self, stream: str) -> Any:
        return table_of(self.connection, self.connection.stream(stream), self.schema)

    def rows(self, stream: str) -> int | None:
        return self.destination.count(self._table(stream))

    def partitions(self, stream: str) -> int | None:
        """How many partitions have rows."""
        name = self.destination.name_in_sql(self._table(stream))
        try:
            sql = f"select count(distinct _partition) from {name}"  # noqa: S608 - a quoted name
            (row,) = self.destination.query(sql)[1]
        except ConnectorError:
            return None
        return int(row[0])

    def position(self, stream: str) -> Mapping[str, Any] | None:
        found = self.destination.read_cursor(self._table(stream))
        return found if isinstance(found, Mapping) else None


def plain_plans(connection: str, plans: Sequence[StreamPlan]) -> dict[str, Any]:
    """All plans of a connection as JSON has them."""
    seconds = [one.seconds for one in plans if one.seconds is not None]
    return {
        "connection": connection,
        "streams": [one.plain() for one in plans],
        "requests": sum(one.requests or 0 for one in plans),
        "certainty": certainty_of(plans),
        "seconds": round(sum(seconds), 1),
    }


def certainty_of(plans: Sequence[StreamPlan]) -> str:
    """How the sum of all requests is meant: as the least certain one."""
    said = {one.certainty for one in plans if one.requests is not None}
    if "at least" in said or any(one.requests is None for one in plans):
        return "at least"
    return "about" if "about" in said else "exactly"
