"""Everything else through dlt: Snowflake, BigQuery, Redshift, Databricks, ClickHouse and others.

Rows are typed by DuckDB and handed over as one dlt package per load. What a kill may leave behind
depends on the destination; see docs/how-to/destinations.md.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from connector_assets.errors import Busy, LoadError
from connector_assets.load.dlt_package import Package
from connector_assets.load.dlt_pipeline import Road, TableState, stored_name, takes_nul
from connector_assets.load.dlt_read import columns_of, count_of, key_rows, query_rows
from connector_assets.load.dlt_typed import Names, typed_parquet
from connector_assets.load.duckdb_load import Order, require_key
from connector_assets.load.items import plain, whole
from connector_assets.load.table import Column, Cursor, Loaded, Segment, Table, WriteMode


class DltDestination:
    """Tables in any store that dlt loads into, by the name dlt's configuration has for it."""

    def __init__(self, name: str, *, staging: str | None = None) -> None:
        self._road = Road(name, staging)

    def __repr__(self) -> str:
        return f"DltDestination({self.uri!r})"

    @property
    def uri(self) -> str:
        return self._road.uri

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
        """Put the rows of `segments` into `table`, with the cursor in the same package."""
        require_key(table, mode)
        order = Order(table, segments, mode, cursor, fence, run_id, self.uri)
        with tempfile.TemporaryDirectory() as folder, self._road.pipeline(table) as pipeline:
            state, part = TableState.of(pipeline), table.partition or ""
            done = state.loads.get(part, {})
            if order.load_id and done.get("load_id") == order.load_id:
                return self._loaded(order, pipeline, done["received"], done["rejected"])
            _expect(order, state.cursor(table))
            names = Names(state.names, lambda name: stored_name(pipeline, name))
            typed = typed_parquet(
                order, state.columns, Path(folder), names, has_nul=takes_nul(pipeline)
            )
            after = replace(state, columns=typed.columns, names=names.by_column)
            if cursor is not None:
                after.cursors[part] = json.dumps(plain(whole(cursor)))
            if order.load_id:
                after.loads[part] = {
                    "load_id": order.load_id,
                    "received": typed.received,
                    "rejected": typed.rejected,
                }
            Package(pipeline, order, names, typed, after).load()
            return self._loaded(order, pipeline, typed.received, typed.rejected)

    def read_cursor(self, table: Table) -> Any:
        """The stored position of `table`, or None."""
        with self._road.pipeline(table) as pipeline:
            return TableState.of(pipeline).cursor(table)

    def describe(self, table: Table) -> list[Column] | None:
        """The table's columns, None where there is no table."""
        with self._road.pipeline(table) as pipeline:
            return columns_of(pipeline, table) or None

    def count(self, table: Table) -> int | None:
        """The number of rows, None where there is no table."""
        with self._road.pipeline(table) as pipeline:
            return count_of(pipeline, table) if columns_of(pipeline, table) else None

    def keys(self, table: Table, columns: Sequence[str]) -> Iterator[list[Any]]:
        """The values of row keys `columns`, as JSON values, row by row in bounded memory."""
        with tempfile.TemporaryFile() as spool:
            with self._road.pipeline(table) as pipeline:
                if columns_of(pipeline, table):
                    for row in key_rows(pipeline, table, columns):
                        spool.write(json.dumps(row).encode() + b"\n")
            spool.seek(0)
            for line in spool:
                yield json.loads(line)

    def name_in_sql(self, table: Table) -> str:
        """The table's name as dlt has normalized it."""
        with self._road.pipeline(table) as pipeline:
            return f"{pipeline.dataset_name}.{stored_name(pipeline, table.name)}"

    def query(
        self, sql: str, limit: int | None = None
    ) -> tuple[list[Column], list[tuple[Any, ...]]]:
        """Run a query that reads; return its columns and at most `limit` rows."""
        return query_rows(self._road, sql, limit)

    def _loaded(self, order: Order, pipeline: Any, received: int, rejected: int) -> Loaded:
        columns = columns_of(pipeline, order.table)
        rows = count_of(pipeline, order.table) if columns else 0
        return Loaded(received, rows, columns, self.uri, rejected)


def _expect(order: Order, found: Any) -> None:
    where = f"{order.table.schema}.{order.table.name}"
    if order.cursor is not None and order.cursor.expected != found:
        raise Busy(
            "its position moved while this run was reading: another run loaded it",
            where=where,
            fix="run it again: it goes on from the new position",
        )
    if order.mode == "scd2" and order.table.deleted is not None:
        raise LoadError("dlt keeps no versions of deleted rows", where=where, fix="use merge")
