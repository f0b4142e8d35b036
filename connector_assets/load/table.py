"""What a destination is told and what it answers: tables, segments, cursors, results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

WriteMode = Literal["append", "replace", "merge", "scd2"]
SchemaPolicy = Literal["evolve", "freeze", "quarantine"]


@dataclass(frozen=True, slots=True)
class Table:
    """Where rows go and what holds there.

    `primary_key` and the names in `columns` are top-level row keys or dotted paths into the row.
    `columns` maps a name to the destination's type name; what is not named is inferred.
    """

    schema: str
    name: str
    primary_key: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    schema_policy: SchemaPolicy = "evolve"


@dataclass(frozen=True, slots=True)
class Segment:
    """One staged file of newline-delimited JSON objects, complete and synced to disk."""

    path: Path
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """A stored position: the load writes `value` only if the table's position is still `expected`.

    Both are JSON values; None means that no position is stored.
    """

    value: Any
    expected: Any = None


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did: `received` rows came, the table now holds `rows`."""

    received: int
    rows: int
    columns: Sequence[Column]
    uri: str
    rejected: int = 0


class Destination(Protocol):
    """A table store. One load is one transaction: rows and cursor, or neither."""

    @property
    def uri(self) -> str:
        """The store's address without credentials, as `duckdb:///data.duckdb`."""
        ...

    def load(
        self,
        table: Table,
        segments: Sequence[Segment],
        mode: WriteMode,
        cursor: Cursor | None = None,
    ) -> Loaded:
        """Put the rows of `segments` into `table`; raise LoadError and change nothing on failure."""
        ...

    def read_cursor(self, table: Table) -> Any:
        """The stored position of `table`, or None."""
        ...
