"""What must hold of a table, as a stream or a connection says it; each becomes an asset check."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated

from pydantic import AfterValidator, Field

from connector_assets.spec.names import dates
from connector_assets.spec.names.model import Many, Model
from connector_assets.spec.names.names import Prose
from connector_assets.spec.stream.asset_settings import Span

_CHECK = re.compile(r"[a-z][a-z0-9_]{0,62}")


class Checks(Model):
    """What must hold of a table; each becomes an asset check."""

    min_rows: Annotated[int, Field(ge=0)] | None = None
    """Fewest rows the whole table may hold after a load. With fewer the asset check is red;
    the load is not undone.
    """
    max_rows: Annotated[int, Field(ge=0)] | None = None
    """Most rows the whole table may hold after a load."""
    max_drop: Annotated[float, Field(ge=0, le=1)] | None = None
    """Largest share of its rows that the table may lose from one load to the next, as 0.1."""
    max_growth: Annotated[float, Field(ge=0)] | None = None
    """Largest share by which its rows may grow from one load to the next, as 0.5 for a half."""
    key: bool = False
    """Whether `primaryKey` has a value in every row, and no two rows have the same."""
    same_columns: bool = False
    """Whether the columns and their types are those of the load before."""
    not_null: Many[str] = ()
    """Fields that must have a value in every row of the table, by the table's names; one
    that lacks makes the asset check red, the load is not undone.
    """
    fresh_within: Span | None = None
    """How long after a load the asset counts as fresh, as P1D or PT6H; at least a minute. After
    that its check is red, and Dagster shows it as stale, also where nothing runs any more.
    """
    blocking: bool | Many[str] = False
    """Whether a red check keeps assets downstream from being loaded in the same run: all of
    them, or those that are named, as `[key, min_rows]`.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """The checks that there are; `complete` is there always."""
        there = {
            "min_rows": self.min_rows is not None,
            "max_rows": self.max_rows is not None,
            "rows_change": self.max_drop is not None or self.max_growth is not None,
            "key": self.key,
            "same_columns": self.same_columns,
            "not_null": bool(self.not_null),
            "fresh": self.fresh_within is not None,
        }
        return ("complete", *(name for name, is_there in there.items() if is_there))

    def unknown_blocking(self) -> str:
        """What is wrong with `blocking`, if anything."""
        listed = () if isinstance(self.blocking, bool) else self.blocking
        known = ", ".join(self.names)
        wrong = [name for name in listed if name not in self.names]
        return f'names "{wrong[0]}", which is no check here; use some of {known}' if wrong else ""

    def blocks(self, name: str) -> bool:
        """Whether the check called `name` is blocking."""
        return self.blocking if isinstance(self.blocking, bool) else name in self.blocking

    @property
    def fresh_for(self) -> dt.timedelta | None:
        """The span of `freshWithin`."""
        return dates.duration(self.fresh_within).span if self.fresh_within else None


def _check_name(value: str) -> str:
    if not _CHECK.fullmatch(value):
        raise ValueError("must be small letters, digits and underscores, a letter first")
    return value


CheckName = Annotated[str, AfterValidator(_check_name)]


class SqlCheck(Model):
    """A query for rows that should not be there: `select * from {table} where paid is null`."""

    name: CheckName
    """Name of the asset check."""
    query: Annotated[str, Field(min_length=1, max_length=10_000)]
    """One statement that reads, in the store's SQL; `{table}` is the stream's table. The check is
    red if it gives a row.
    """
    description: Prose = ""
    """Shown with the check."""


class ConnectionChecks(Checks):
    """What a connection demands of a table, also in SQL, which a connector cannot say."""

    sql: Many[SqlCheck] = ()
    """Checks in SQL, each of its own name."""

    @property
    def names(self) -> tuple[str, ...]:
        return (*super().names, *(one.name for one in self.sql))
