"""What is remembered of a table in a lake, as JSON and a file: as DuckDB's `_connector_assets`.

It is stored by the commit that brings the rows, so position, load and rows are one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.errors import LoadError
from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.duckdb.sql import literal
from connector_assets.load.duckdb.state import DuckDBState, dump_state, restore_state
from connector_assets.load.duckdb.tables import VALID_FROM, VALID_TO
from connector_assets.load.order import Order
from connector_assets.load.ownership import Found, Owned, is_own_schema
from connector_assets.load.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LOADS_KEPT = 200
_ITEMS = "_connector_assets.items"
_NAMES = {"state", "loads", "columns", "tables"}


@dataclass(frozen=True, slots=True)
class Facts:
    """`state` is what a DuckDB file would remember; positions of many items are in `items`."""

    state: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    items: Path | None = None

    @classmethod
    def parsed(cls, text: str | bytes, where: str, items: Path | None = None) -> Facts:
        """What a table says of itself; LoadError where that makes no sense."""
        try:
            state = json.loads(text)
            _require_rows(state)
            for row in state.get("columns", []):
                row["column_type"] = _type(row["column_type"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise LoadError(
                "what it remembers of its loads cannot be read",
                where=where,
                fix="restore it, or drop the table to load it anew",
            ) from error
        return cls(state, items)

    def text(self) -> str:
        return json.dumps(self.state, separators=(",", ":"))

    @property
    def is_known(self) -> bool:
        return bool(self.state.get("columns"))

    def types(self) -> dict[str, str]:
        """DuckDB's types of the columns that loads have brought."""
        return {row["column_name"]: row["column_type"] for row in self.state.get("columns", [])}

    def owned(self) -> Owned | None:
        row = next(iter(self.state.get("tables", [])), None)
        return Owned(row["connection"], tuple(row["primary_key"]), row["mode"]) if row else None

    def last_load(self, partition: str | None) -> str:
        """The name of the load that came last into this part of the table, "" without any."""
        rows = reversed(self.state.get("loads", []))
        found = (row["load_id"] for row in rows if row["partition"] == (partition or ""))
        return str(next(found, ""))

    def done(self, load_id: str, partition: str | None) -> dict[str, Any] | None:
        """The row of a load of this name; None where it has not been done."""
        this = (load_id, partition or "")
        loads = self.state.get("loads", [])
        found = (row for row in loads if (row["load_id"], row["partition"]) == this)
        return next(found, None) if load_id else None

    def found(self, table: Table, columns: Mapping[str, str] | None, *, has_rows: bool) -> Found:
        """What there is under the table's name; `columns` is None where there is nothing."""
        return Found(
            kind=None if columns is None else "table",
            has_rows=has_rows,
            is_known=self.is_known,
            has_history=self.is_known and {VALID_FROM, VALID_TO} <= set(columns or ()),
            own_schema=is_own_schema(table.schema),
            owned=self.owned() if self.is_known else None,
        )

    def restore(self, connection: DuckDBPyConnection) -> None:
        """Add it to what a DuckDB file remembers."""
        restore_state(connection, self.state)
        if self.items is not None:
            connection.execute(
                f"insert into {_ITEMS} from read_parquet({literal(str(self.items))})"
            )

    def columns(self, connection: DuckDBPyConnection, table: Table) -> list[KeyColumn]:
        return DuckDBState(connection, table).columns()


def taken_facts(connection: DuckDBPyConnection, folder: Path) -> Facts:
    """What a DuckDB file remembers now."""
    state = dump_state(connection)
    state["loads"] = state["loads"][-_LOADS_KEPT:]
    path = folder / "items.parquet"
    copied = connection.execute(
        f"copy (from {_ITEMS}) to {literal(str(path))} (format parquet, compression zstd)"
    ).fetchall()
    return Facts(state, path if copied[0][0] else None)


def facts_of_rejects(before: Facts, order: Order) -> Facts:
    """What is remembered of a table of rejects: the loads that it has taken."""
    loads = [*before.state.get("loads", [])][1 - _LOADS_KEPT :]
    if order.load_id:
        loads.append({"load_id": order.load_id, "partition": order.table.partition or ""})
    return Facts({"loads": loads})


def _require_rows(state: Any) -> None:
    """Raise ValueError where it is not what loads write."""
    for name, rows in state.items():
        if name not in _NAMES or not all(isinstance(row, dict) for row in rows):
            raise ValueError(name)


def _type(text: str) -> str:
    """The type as DuckDB writes it: whoever may write to a store must not write our SQL."""
    import duckdb

    try:
        return str(duckdb.sqltype(text))
    except duckdb.Error:
        raise ValueError("a column's type is none") from None
