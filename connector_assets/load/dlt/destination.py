"""Everything else through dlt: Snowflake, BigQuery, Redshift, Databricks, ClickHouse and others.

Rows are typed by DuckDB and handed over as one dlt package per load. What a kill may leave behind
depends on the destination; see docs/how-to/destinations.md.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from connector_assets.errors import LoadError
from connector_assets.load.destination import Capabilities
from connector_assets.load.dlt.package import Package
from connector_assets.load.dlt.pipeline import Road, TableState, stored_name
from connector_assets.load.dlt.read import columns_of, count_of, found_in, key_rows, query_rows
from connector_assets.load.dlt.typed import ColumnNames, typed_parquet
from connector_assets.load.duckdb.declared import refused_declaration
from connector_assets.load.duckdb.tuning import with_enough_memory
from connector_assets.load.files.scratch_folders import scratch_folder
from connector_assets.load.items import plain, whole
from connector_assets.load.order import Order
from connector_assets.load.ownership import (
    REJECTED,
    REJECTS,
    refused_as_rejects,
    refused_rejects,
    refused_table,
)
from connector_assets.load.table import Column, Loaded, Table, WriteMode


class DltDestination:
    """Tables in any store that dlt loads into, by the name dlt's configuration has for it."""

    def __init__(self, name: str, *, staging: str | None = None, wait_s: float = 300) -> None:
        self._road = Road(name, staging, wait_s)

    def __repr__(self) -> str:
        return f"DltDestination({self.uri!r})"

    @property
    def uri(self) -> str:
        return self._road.uri

    @property
    def capabilities(self) -> Capabilities:
        return self._road.capabilities

    def refuses(self, table: Table, mode: WriteMode) -> LoadError | None:
        """The error of what is declared, or of what is there, if a load could only end in it."""
        if refused := self._refused(table, mode) or self._refused_as_rejects(table):
            return refused
        with self._road.pipeline(table) as pipeline:
            return refused_table(table, mode, found_in(pipeline, table))

    def _refused(self, table: Table, mode: WriteMode) -> LoadError | None:
        """The error of what is declared."""
        if mode == "scd2" and table.deleted is not None:
            what = "dlt keeps no versions of deleted rows"
            return LoadError(what, where=table.where, fix="use merge")
        return refused_declaration(table, mode) or self.capabilities.refuses(table, mode)

    def _refused_as_rejects(self, table: Table) -> LoadError | None:
        """The error where one stream's table is where another's rows are set aside.

        Each stream has a pipeline of its own, which alone knows what it has loaded.
        """
        if table.name.endswith(REJECTED):
            other = replace(table, name=table.name.removesuffix(REJECTED))
            with self._road.pipeline(other) as pipeline:
                names = [one.name for one in columns_of(pipeline, table)]
            if refused := refused_as_rejects(table, [name for name in names if name in REJECTS]):
                return refused
        if table.schema_policy != "quarantine":
            return None
        rejects = replace(table, name=table.name + REJECTED)
        with self._road.pipeline(rejects) as pipeline:
            is_stream = TableState.of(pipeline).found().is_known
        return refused_rejects(table, is_table=not is_stream, columns=())

    def load(self, order: Order) -> Loaded:
        """Put the order's rows into its table, with the cursor in the same package."""
        return with_enough_memory(lambda: self._load(order))

    def _load(self, order: Order) -> Loaded:
        table, cursor = order.table, order.cursor
        if refused := self._refused(table, order.mode) or self._refused_as_rejects(table):
            raise refused
        with scratch_folder() as folder, self._road.pipeline(table) as pipeline:
            state, part = TableState.of(pipeline), table.partition or ""
            done = state.loads.get(part, {})
            if order.load_id and done.get("load_id") == order.load_id:
                return self._loaded(order, pipeline, done["received"], done["rejected"])
            if refused := refused_table(table, order.mode, found_in(pipeline, table)):
                raise refused
            order.require_last(state.last_load(table))
            order.require_position(state.cursor(table))
            names = ColumnNames(state.names, lambda name: stored_name(pipeline, name))
            typed = typed_parquet(
                order, state.columns, Path(folder), names, has_nul=self.capabilities.nul
            )
            owned = {
                "connection": table.claim.connection or state.owned.get("connection", ""),
                "key": list(table.primary_key),
                "mode": order.mode,
            }
            after = replace(state, columns=typed.columns, names=names.by_column, owned=owned)
            if cursor is not None:
                after.cursors[part] = json.dumps(plain(whole(cursor)))
            after.loads[part] = {
                "load_id": order.kept_id,
                "received": typed.received,
                "rejected": typed.rejected,
            }
            Package(pipeline, order, names, typed, after).load()
            loaded = self._loaded(order, pipeline, typed.received, typed.rejected)
            return replace(loaded, dropped=typed.dropped)

    def read_cursor(self, table: Table) -> Any:
        """The stored position of `table`, or None."""
        with self._road.pipeline(table) as pipeline:
            return TableState.of(pipeline).cursor(table)

    def last_load(self, table: Table) -> str:
        """The name of the load that came last into `table`, "" without any."""
        with self._road.pipeline(table) as pipeline:
            return TableState.of(pipeline).last_load(table)

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
