"""Which rows of a table a load is about: those it has to see, and those that it has changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.load.duckdb.scratch import scratch
from connector_assets.load.duckdb.sql import comparable, literal, quoted
from connector_assets.load.duckdb.state import DuckDBState
from connector_assets.load.duckdb.tables import (
    PARTITION,
    VALID_FROM,
    VALID_TO,
    name_of,
)
from connector_assets.load.lake.parts import PART, ROW, Part, rows_at, rows_where, showing
from connector_assets.load.lake.store import Bounds, Snapshot
from connector_assets.load.lake.stored import Storing
from connector_assets.load.order import Order
from connector_assets.load.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SCHEMA = "connector_assets_lake"
_BEFORE, _CHANGED, GONE = (f"{_SCHEMA}.{name}" for name in ("before", "changed", "gone"))
# Types whose order is the same in DuckDB and in the statistics of files.
_ORDERED = {"BIGINT", "INTEGER", "VARCHAR", "DATE"}


@dataclass(frozen=True, slots=True)
class Affected:
    """The rows of the keys in `keys`, a file; of scd2 the current ones, with `is_all` all these.

    `ids` are the columns that tell rows of the table apart, `key` those of the key alone.
    """

    table: Table
    types: Mapping[str, str]
    key: list[str]
    keys: Path
    bounds: Bounds | None
    is_history: bool
    is_all: bool

    @classmethod
    def of(cls, order: Order, types: Mapping[str, str], probe: Path, *, rejected: int) -> Affected:
        """What the new rows in a scratch file are about."""
        path, table = probe.with_suffix(".keys"), order.table
        is_history = order.way == "scd2"
        is_all = is_history and order.is_all(rejected)
        with scratch(probe, where=order.where) as connection:
            columns = {c.key: c.name for c in DuckDBState(connection, table).columns()}
            key = [columns[one] for one in table.primary_key]
            names, rows = ", ".join(map(quoted, key)), name_of(connection, table)
            connection.execute(
                f"copy (select distinct {names} from {rows}) to {literal(str(path))} "
                "(format parquet)"
            )
            bounds = None if is_all else _bounds(connection, key[0], types.get(key[0], ""), path)
        return cls(table, types, key, path, bounds, is_history, is_all)

    @property
    def ids(self) -> list[str]:
        return [*self.key, VALID_FROM] if self.is_history else self.key

    def restore(self, connection: DuckDBPyConnection, before: Snapshot) -> None:
        """Put the rows into the scratch file's table, and a copy of them beside it."""
        if set(self.key) <= self.types.keys():
            for part in before.parts(self.bounds):
                self._restore(connection, part)
        connection.execute(f"create schema {_SCHEMA}")
        connection.execute(f"create table {_BEFORE} as from {name_of(connection, self.table)}")

    def _restore(self, connection: DuckDBPyConnection, part: Part) -> None:
        names = [*self.key, *([VALID_TO] if self.is_history and VALID_TO in self.types else [])]
        types = {name: self.types[name] for name in names}
        of_keys = f"from (select {restored_values(types)}, {ROW} from {PART}) old"
        numbers = rows_where(connection, part, names, f"{of_keys} {self._join()} {self._where()}")
        if numbers:
            rows = rows_at(part.batches(list(self.types)), numbers)
            _insert(connection, self.table, self.types, part, rows)

    def _join(self) -> str:
        keys = f"read_parquet({literal(str(self.keys))})"
        return "" if self.is_all else _semi_join(keys, self.key, self.types)

    def _where(self) -> str:
        has_end = self.is_history and VALID_TO in self.types
        return f"where old.{VALID_TO} is null" if has_end else ""


def all_rows(
    connection: DuckDBPyConnection, table: Table, types: Mapping[str, str], before: Snapshot
) -> None:
    """Put all rows into the scratch file's table."""
    for part in before.parts():
        _insert(connection, table, types, part, part.batches(list(types)))


def _insert(
    connection: DuckDBPyConnection,
    table: Table,
    types: Mapping[str, str],
    part: Part,
    batches: Iterable[Any],
) -> None:
    """Put rows of a part into the scratch file's table."""
    with showing(connection, part.schema(list(types)), batches):
        connection.execute(
            f"insert into {name_of(connection, table)} select {restored_values(types)} from {PART}"
        )


def changed_rows(
    connection: DuckDBPyConnection,
    table: Table,
    ids: Sequence[str],
    types: Mapping[str, str],
    storing: Storing,
) -> tuple[str, int]:
    """Which rows differ from before: the SQL of those to add, and how many of `GONE` go.

    Where one of the rows of a key is another, all rows of that key go and come.
    """
    rows = name_of(connection, table)
    described = connection.execute(f"describe {_BEFORE}").fetchall()
    had = {name for name, *_ in described}
    after = ", ".join(map(quoted, types))
    before = ", ".join(
        quoted(name) if name in had else f"CAST(NULL AS {type_}) AS {quoted(name)}"
        for name, type_ in types.items()
    )
    named = ", ".join(map(quoted, ids))
    old, new = f"select {before} from {_BEFORE}", f"select {after} from {rows}"
    connection.execute(
        f"create table {_CHANGED} as select distinct {named} from "
        f"(({old} except all {new}) union all ({new} except all {old}))"
    )
    same = " and ".join(
        f"old.{quoted(name)} is not distinct from new.{quoted(name)}" for name in ids
    )
    stored = storing.values({name: types[name] for name in ids})
    connection.execute(
        f"create table {GONE} as select distinct {stored} from {_BEFORE} old "
        f"semi join {_CHANGED} new on {same}"
    )
    added = f"select {storing.values(types)} from {rows} old semi join {_CHANGED} new on {same}"
    return added, int(connection.execute(f"select count(*) from {GONE}").fetchall()[0][0])


def moved_rows(
    connection: DuckDBPyConnection,
    table: Table,
    ids: Sequence[str],
    types: Mapping[str, str],
    before: Snapshot,
) -> int:
    """Fill `GONE` with the stored keys of new rows that other partitions have; return how many."""
    connection.execute(f"create schema {_SCHEMA}")
    join = _semi_join(name_of(connection, table), ids, types)
    if not set(ids) <= types.keys():
        return 0
    names = [*ids, *([PARTITION] if PARTITION in types else [])]
    restored = restored_values({name: types[name] for name in names})
    source = f"(select {restored}, {_stored(ids)} from {PART})"
    other = f"where old.{PARTITION} is distinct from {literal(table.partition or '')}"
    other = other if PARTITION in types else ""
    named = ", ".join(f"old.stored_{n} AS {quoted(name)}" for n, name in enumerate(ids))
    verb = f"create table {GONE} as"
    for part in before.parts():
        with showing(connection, part.schema(names), part.batches(names)):
            connection.execute(f"{verb} select distinct {named} from {source} old {join} {other}")
        verb = f"insert into {GONE}"
    if verb.startswith("create"):
        return 0
    return int(connection.execute(f"select count(*) from {GONE}").fetchall()[0][0])


def restored_values(types: Mapping[str, str]) -> str:
    """The SQL of a lake's columns as DuckDB types them."""
    return ", ".join(
        f"CAST({quoted(name)} AS {type_}) AS {quoted(name)}" for name, type_ in types.items()
    )


def _stored(names: Sequence[str]) -> str:
    return ", ".join(f"{quoted(name)} AS stored_{n}" for n, name in enumerate(names))


def _semi_join(rows: str, key: Sequence[str], types: Mapping[str, str]) -> str:
    same = " and ".join(
        f"{comparable(f'old.{quoted(name)}', types[name])} = "
        f"{comparable(f'new.{quoted(name)}', types[name])}"
        for name in key
    )
    return f"semi join {rows} new on {same}"


def _bounds(connection: DuckDBPyConnection, column: str, type_: str, keys: Path) -> Bounds | None:
    if type_ not in _ORDERED:
        return None
    name = quoted(column)
    found = connection.execute(
        f"select min({name}), max({name}) from read_parquet({literal(str(keys))})"
    ).fetchall()[0]
    return Bounds(column, *found) if found[0] is not None else None
