"""Which rows of a table's data files a change takes away."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector_assets.load.duckdb.scratch import scratch
from connector_assets.load.duckdb.sql import literal, quoted
from connector_assets.load.duckdb.tables import PARTITION
from connector_assets.load.lake.parts import PART, Part, rows_where
from connector_assets.load.lake.store import Change

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Gone:
    """The rows that go by a change, which names some or a partition, as its scratch file has them.

    `columns` are those that the table has.
    """

    connection: DuckDBPyConnection
    change: Change
    columns: Collection[str]

    @classmethod
    @contextmanager
    def of(cls, change: Change, columns: Collection[str]) -> Iterator[Gone]:
        rows = change.rows
        with scratch(rows.path, where=rows.where) as connection, connection.cursor() as beside:
            beside.execute("set TimeZone = 'UTC'")
            yield cls(beside, change, columns)

    def rows(self, part: Part) -> array[int]:
        """The numbers of the rows of a data file that go."""
        names = [*(self.change.gone.types if self.change.gone else ()), *self._partition()]
        if not names:
            return array("q")
        return rows_where(self.connection, part, names, f"from {PART} old where {self._goes()}")

    def _partition(self) -> list[str]:
        """The column of the partition which the change is about, if the table has any."""
        return (
            [PARTITION] if self.change.partition is not None and PARTITION in self.columns else []
        )

    def _goes(self) -> str:
        value = literal(self.change.partition or "")
        parts = [f"coalesce(old.{name} = {value}, false)" for name in self._partition()]
        if self.change.gone is not None:
            same = " and ".join(
                f"old.{quoted(name)} is not distinct from gone.{quoted(name)}"
                for name in self.change.gone.types
            )
            parts.append(f"exists (select 1 from ({self.change.gone.sql}) gone where {same})")
        return f"({' or '.join(parts)})"
