"""What a destination is told and what it answers: tables, segments, cursors, results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from connector_assets.load.kinds import Profile

WriteMode = Literal["append", "replace", "merge", "scd2"]
SchemaPolicy = Literal["evolve", "freeze", "quarantine"]
SegmentFormat = Literal["ndjson", "parquet"]


@dataclass(frozen=True, slots=True)
class Table:
    """Where rows go and what holds there.

    `primary_key` and the names in `columns` are top-level row keys or dotted paths into the row.
    `columns` maps a name to the destination's type name; what is not named is inferred.
    `partition` names the part of the table that a load and a stored cursor are for: a replace
    then replaces that part only. None is the whole.
    `deleted` is a row key that is true in rows which say "this key is gone"; it is not stored.
    """

    schema: str
    name: str
    primary_key: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    schema_policy: SchemaPolicy = "evolve"
    partition: str | None = None
    deleted: str | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """One staged file: `rows` rows in its first `bytes` bytes; `batches` has the rows of each page.

    `profile` is what exactly these rows hold, where that is known already.
    A load that has taken a `load_id` before takes no segment of it again: a process killed between
    commit and cleaning up would else load its rows twice.
    """

    path: Path
    rows: int
    bytes: int
    format: SegmentFormat = "ndjson"
    load_id: str = ""
    batches: tuple[int, ...] = ()
    profile: Profile | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A stored position: the load writes `value` only if the table's position is still `expected`.

    Both are JSON values, or mappings of them; None means that no position is stored. `is_all` says
    that the rows are all that the source has, as without a cursor, and not only those after a
    position. With `adds` both are mappings: the entries of `value` are put over those of
    `expected`, and others stay.
    """

    value: Any
    expected: Any = None
    is_all: bool = False
    adds: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did: `received` rows came, the table now holds `rows`.

    `rejected` of them were set aside by quarantine.
    """

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
        *,
        fence: Callable[[], None] | None = None,
        run_id: str = "",
    ) -> Loaded:
        """Put the rows of `segments` into `table`, or change nothing and raise LoadError.

        `fence` is called just before the commit; what it raises undoes the load.
        """
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
