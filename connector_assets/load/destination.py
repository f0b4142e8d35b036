"""What a destination is: a table store that takes an order whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from connector_assets.errors import LoadError
from connector_assets.load.order import Order
from connector_assets.load.table import Column, Loaded, Segment, Table, WriteMode

ALL_MODES: frozenset[WriteMode] = frozenset({"append", "replace", "merge", "scd2"})


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a destination can do; what it claims here the contract's tests hold it to.

    `modes` are the write modes. `partitions` says that one part of a table can be replaced, `nul`
    that a text or a key may hold U+0000, `widens` that a column's type may change, `tombstones`
    that rows which delete a key leave no column, also in scd2, `empty_columns` that a column exists
    before it has a value, and `long_numbers` that numbers of more than 38 digits are kept, and not
    refused.
    """

    modes: frozenset[WriteMode] = ALL_MODES
    partitions: bool = True
    nul: bool = True
    widens: bool = True
    tombstones: bool = True
    empty_columns: bool = True
    long_numbers: bool = True

    def refuses(self, table: Table, mode: WriteMode) -> LoadError | None:
        """The error for a table and a mode that are beyond these."""
        if mode not in self.modes:
            known = ", ".join(sorted(self.modes))
            return LoadError(f"this store cannot {mode}", where=table.where, fix=f"use {known}")
        if table.partition is not None and not self.partitions:
            return LoadError("this store has no partitions", where=table.where, fix="load it whole")
        return None


class Ahead(Protocol):
    """A first load that is begun before all rows are there; nobody sees it before `load`."""

    def offer(self, segments: Sequence[Segment]) -> None:
        """Take files that are done, in order; each is offered once."""
        ...

    def give_up(self) -> None:
        """Forget everything: rows were staged that are not to be loaded."""
        ...

    def load(self, order: Order) -> Loaded:
        """Load the order, from what was done ahead or from the start."""
        ...

    def close(self) -> None:
        """Leave nothing behind."""
        ...


@runtime_checkable
class LoadsAhead(Protocol):
    """A destination that may begin a load while rows are on their way."""

    def ahead(self, table: Table, mode: WriteMode, folder: Path) -> Ahead | None:
        """What does, None where this table cannot be loaded so; `folder` is for it alone."""
        ...


@runtime_checkable
class TellsLoads(Protocol):
    """A store that says which load it took last, so that older rows are not loaded over its own."""

    def last_load(self, table: Table) -> str:
        """The name of the load that came last into this part of the table, "" without any."""
        ...


class Destination(Protocol):
    """A table store. One load is one transaction: rows and cursor, or neither."""

    @property
    def uri(self) -> str:
        """The store's address without credentials, as `duckdb:///data.duckdb`."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What the store can do."""
        ...

    def refuses(self, table: Table, mode: WriteMode) -> LoadError | None:
        """The error with which `load` would refuse, None where it would begin.

        It is asked before anything is fetched, and again by `load`. It may look at the store.
        """
        ...

    def load(self, order: Order) -> Loaded:
        """Put the order's rows into its table, or change nothing and raise LoadError."""
        ...

    def read_cursor(self, table: Table) -> Any:
        """The stored position of `table`, or None; many items' are a mapping on disk."""
        ...

    def describe(self, table: Table) -> Sequence[Column] | None:
        """The table's columns, None where there is no table."""
        ...

    def count(self, table: Table) -> int | None:
        """The number of rows, None where there is no table."""
        ...

    def keys(self, table: Table, columns: Sequence[str]) -> Iterator[list[Any]]:
        """The values of row keys `columns`, as JSON values, row by row in bounded memory."""
        ...

    def name_in_sql(self, table: Table) -> str:
        """The table's name as `query` takes it."""
        ...

    def query(
        self, sql: str, limit: int | None = None
    ) -> tuple[Sequence[Column], Sequence[tuple[Any, ...]]]:
        """The columns and at most `limit` rows of a query that reads."""
        ...
