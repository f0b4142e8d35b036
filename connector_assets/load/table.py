"""What a destination is told and what it answers: tables, segments, cursors, results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from connector_assets.load.kinds import Profile

LOADED_AT, LOAD_ID = "_loaded_at", "_load_id"
"""Columns that say when a row was written last, and by which load."""
LOAD_COLUMNS = {LOADED_AT: "timestamptz", LOAD_ID: "text"}

WriteMode = Literal["append", "replace", "merge", "scd2"]
SchemaPolicy = Literal["evolve", "freeze", "quarantine"]
SegmentFormat = Literal["ndjson", "parquet"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim says which connection loads a table, and what the operator allows it.

    `connection` is the id of the connection, "" where there is none. With `adopt` it may take over
    a table that somebody else made, or another connection loaded. With `full` the table is loaded
    anew, and the position that is stored with it is ignored.
    """

    connection: str = ""
    adopt: bool = False
    full: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """An index says which row keys a store is to find rows by fast; `unique` ones only once."""

    columns: tuple[str, ...]
    unique: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a spec wants of a table besides its rows, for people and for the database.

    `description` is the table's comment, `descriptions` has those of columns, by row key. Rows must
    have a value under each key of `required`, unless the key `unless` is true in them. With
    `has_key` the primary key is one to the database, too. `load_columns` are those of
    `LOAD_COLUMNS` that the table is to have.
    """

    description: str = ""
    descriptions: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    unless: str | None = None
    indexes: tuple[Index, ...] = ()
    has_key: bool = False
    load_columns: tuple[str, ...] = ()

    @property
    def has_rules(self) -> bool:
        """Whether there is more than descriptions: something that rows have to do with."""
        return bool(self.required or self.indexes or self.has_key or self.load_columns)


@dataclass(frozen=True, slots=True)
class Overflow:
    """An overflow says that only `after` keys of the rows get columns, and others go `into` one."""

    into: str
    after: int


@dataclass(frozen=True, slots=True)
class Table:
    """A table says where rows are loaded, and the rules that they are loaded by.

    `primary_key` and the names in `columns` are top-level row keys, or dotted paths into the row.
    `columns` maps a name to the destination's name of its type; types of other columns come from
    the rows. `partition` names the part of the table that a load and a stored position are for: a
    replace then replaces that part only. None is the whole table.
    `deleted` is a row key: a row where it is true says that its primary key is gone.
    `reject` is a row key, too: the reader writes there why a row has to be set aside. Neither is
    stored. With `on_misfit` "drop" a value that does not fit its column is left out, and its row
    kept. `claim` says which connection loads the table, `wanted` how it is to be kept, `overflow`
    what becomes of keys beyond those that get columns; None: each gets one.
    """

    schema: str
    name: str
    primary_key: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    schema_policy: SchemaPolicy = "evolve"
    partition: str | None = None
    deleted: str | None = None
    reject: str | None = None
    on_misfit: Literal["fail", "drop"] = "fail"
    claim: Claim = Claim()
    wanted: Wanted = Wanted()
    overflow: Overflow | None = None

    @property
    def where(self) -> str:
        """The table, for messages."""
        return f"{self.schema}.{self.name}"


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
    """A column of a table, as it is stored.

    `type` is the destination's own name of the type, as `BIGINT`. `nullable` says that the column
    may hold NULL.
    """

    name: str
    type: str
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did: `received` rows came, the table now holds `rows`.

    `rejected` of them were set aside by quarantine; `dropped` has, by column, how many values were
    left out since they did not fit. `notes` are for the person who reads the log.
    """

    received: int
    rows: int
    columns: Sequence[Column]
    uri: str
    rejected: int = 0
    notes: tuple[str, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
