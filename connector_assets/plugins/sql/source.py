"""What is read: a table or a query, its columns as the database has them, and stretches of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import pyarrow as pa

_TEXTS = ("text", "varchar", "bpchar", "char")


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column as the driver describes it.

    `type` is the database's own name in small letters. `precision` and `scale` are of numbers; 0
    and 0 where none are declared. `code` is that of `java.sql.Types`, `arrow` the
    driver's Arrow type.
    """

    name: str
    type: str
    precision: int = 0
    scale: int = 0
    code: int = 0
    nullable: bool = True
    arrow: pa.DataType | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A column of the stream: the SQL that gives it, and the Arrow type that it has in the table.

    `wire` is the type in which a JDBC driver is asked for it. `guard` is SQL that is true where the
    value arrives as it is, and `otherwise` says what it is else. `orders` is the SQL type of values
    that the column is compared with; "" where its order is nothing to go by. `is_time_in_text` has
    texts compared as times, whether T or a space stands before the hour.
    """

    name: str
    expression: str
    type: pa.DataType
    wire: str = "text"
    guard: str = ""
    otherwise: str = ""
    orders: str = ""
    is_time_in_text: bool = False

    @property
    def is_text(self) -> bool:
        """Whether its values are compared as texts."""
        return self.orders in _TEXTS


@dataclass(frozen=True, slots=True)
class Found:
    """A table as discovery finds it."""

    schema: str
    name: str
    is_view: bool = False
    comment: str = ""
    primary_key: tuple[str, ...] = ()
    columns: tuple[FoundColumn, ...] = ()

    @property
    def path(self) -> str:
        """What settings call it: `public.orders`."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True)
class FoundColumn:
    """A column as discovery finds it."""

    name: str
    type: str
    nullable: bool = True
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the rows by one column, from `low` to `high`; None is open.

    Both are texts as the database writes the value. `nulls` stands for the rows that have none.
    """

    low: str | None = None
    high: str | None = None
    with_low: bool = False
    with_high: bool = True
    nulls: bool = False

    def up_to(self, value: str) -> Stretch:
        """The first part, with `value` as its last."""
        return replace(self, high=value, with_high=True)

    def beyond(self, value: str) -> Stretch:
        """What follows that part."""
        return replace(self, low=value, with_low=False)

    def told(self) -> list[Any]:
        """The stretch as JSON."""
        return [self.low, self.high, self.with_low, self.with_high, self.nulls]

    @classmethod
    def of(cls, told: Sequence[Any]) -> Stretch:
        """What `told` gave."""
        return cls(*told)


@dataclass(frozen=True, slots=True)
class Query:
    """A statement, and the texts bound to its placeholders in their order."""

    sql: str
    values: tuple[str, ...] = ()


class Session(Protocol):
    """One connection to the database. But for `cancel`, one thread at a time uses it."""

    def execute(self, sql: str) -> None:
        """Run a statement that gives no rows."""
        ...

    def commit(self) -> None:
        """End the transaction; the next statement begins another."""
        ...

    def rollback(self) -> None:
        """End a transaction in which something failed."""
        ...

    def describe(self, sql: str) -> list[SourceColumn]:
        """The columns that a query would give; it is not run where the driver can tell."""
        ...

    def rows(self, query: Query, columns: int = 1) -> list[tuple[Any, ...]]:
        """The rows of a small answer of so many columns, all of them texts."""
        ...

    def batches(self, query: Query, fields: Sequence[Field]) -> Any:
        """The rows as record batches, in the types of the driver; an iterator."""
        ...

    def placeholder(self, number: int) -> str:
        """What stands in a statement for the value of this number, from 1."""
        ...

    def cancel(self) -> None:
        """Stop at the server what runs now; from any thread, and harmless where nothing runs."""
        ...

    def close(self) -> None:
        """End the connection, and its transaction."""
        ...
