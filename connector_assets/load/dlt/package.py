"""One load as a dlt package: its rows, its rejects, and the state that counts once both are in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dlt

from connector_assets.load.dlt.pipeline import TableState, capabilities, stored_name, takes_parquet
from connector_assets.load.dlt.read import columns_of
from connector_assets.load.dlt.typed import (
    LOAD,
    PARTITION,
    VALID_FROM,
    VALID_TO,
    VERSION,
    ColumnNames,
    hint,
    own_columns,
)
from connector_assets.load.duckdb.typed import REJECTED, Typed, TypedRows
from connector_assets.load.order import Order

_BATCH = 50_000


@dataclass(frozen=True, slots=True)
class Package:
    """What goes into the destination together."""

    pipeline: dlt.Pipeline
    order: Order
    names: ColumnNames
    typed: Typed
    state: TableState

    def load(self) -> None:
        """Extract, normalize and load it; the fence is asked before the destination is touched."""
        self.pipeline.extract(list(self._resources()))
        self.pipeline.normalize()
        self.order.look()
        if PARTITION in own_columns(self.order) and not self.typed.rows.count:
            self._empty_partition()
        self.pipeline.load(raise_on_failed_jobs=True)

    def _empty_partition(self) -> None:
        """Dlt deletes what new rows replace, and here are none."""
        name = stored_name(self.pipeline, self.order.table.name)
        if not columns_of(self.pipeline, self.order.table):
            return
        with self.pipeline.sql_client() as client:
            column = client.escape_column_name(PARTITION)
            client.execute_sql(
                f"delete from {client.make_qualified_table_name(name)} where {column} = %s",
                self.order.table.partition,
            )

    def _resources(self) -> Iterator[Any]:
        table, columns = self.order.table, self._columns(*self._keys())

        def rows() -> Iterator[Any]:
            self.state.keep()
            yield from _batches(self.typed.rows, list(columns))

        yield dlt.resource(
            rows(),
            name=table.name,
            write_disposition=self._way(),
            columns=columns,
            file_format=self._format(),
        )
        if self.typed.rejects.types:
            yield self._rejects()

    def _rejects(self) -> Any:
        rejects = self.typed.rejects
        columns: Any = {self.names[name]: hint(type_) for name, type_ in rejects.types.items()}
        way: Any = "replace" if self.order.way == "replace" else "append"
        return dlt.resource(
            _batches(rejects, list(columns)),
            name=self.order.table.name + REJECTED,
            write_disposition=way,
            columns=columns,
            file_format=self._format(),
        )

    def _format(self) -> Any:
        """Parquet where the destination takes it, and never CSV, where dlt makes "" a NULL."""
        able = capabilities(self.pipeline)
        formats = able.supported_loader_file_formats or []
        types = self.typed.rows.types.values()
        # BigQuery reads no JSON from Parquet.
        has_json = any(hint(type_)["data_type"] == "json" for type_ in types)
        if able.sqlglot_dialect == "bigquery" and has_json:
            return "jsonl"
        if takes_parquet(self.pipeline):
            return "parquet"
        return "insert_values" if "insert_values" in formats else None

    def _way(self) -> Any:
        """How dlt writes; a merge by load or partition is how rows are replaced, not doubled."""
        order, mode, table = self.order, self.order.way, self.order.table
        merges = capabilities(self.pipeline).supported_merge_strategies or []
        if mode == "replace" and table.partition is None:
            return "replace"
        if mode == "append" and not (order.load_id and "delete-insert" in merges):
            return "append"
        strategy = "scd2" if mode == "scd2" else "delete-insert"
        way: dict[str, Any] = {"disposition": "merge", "strategy": strategy}
        if mode == "scd2":
            way |= {
                "validity_column_names": [VALID_FROM, VALID_TO],
                "row_version_column_name": VERSION,
            }
        return way

    def _keys(self) -> tuple[set[str], set[str]]:
        """Primary and merge keys, as the destination names them."""
        mode, table = self.order.way, self.order.table
        columns = {row["key"]: row["column_name"] for row in self.typed.columns}
        primary = {self.names[columns[key]] for key in table.primary_key if key in columns}
        if mode == "append":
            return set(), {LOAD} if self.order.load_id else set()
        if mode == "scd2":
            return set(), set() if self.order.is_all(self.typed.rejected) else primary
        return primary, {PARTITION} if mode == "replace" and table.partition is not None else set()

    def _columns(self, primary: set[str], merge: set[str]) -> dict[str, Any]:
        """The hints of each column that goes in; dlt would go on with the keys of a load before."""
        types = self._types()
        deleted = self.order.table.deleted
        gone = self.names[deleted] if deleted and deleted in self.typed.rows.types else None
        return {
            name: {
                **type_,
                "nullable": True,
                "primary_key": name in primary,
                "merge_key": name in merge,
                **({"hard_delete": True} if name == gone else {}),
            }
            for name, type_ in types.items()
        }

    def _types(self) -> dict[str, Any]:
        """Dlt's type of each column; one that never had a value has none, and waits for it."""
        empty = {
            row["column_name"]
            for row in self.typed.columns
            if not row["kinds"] and not row["fixed"]
        }
        types = {
            self.names[name]: hint(type_)
            for name, type_ in self.typed.rows.types.items()
            if name not in empty
        }
        # TypedRows of nothing at all still count.
        own = own_columns(self.order) or ([LOAD] if empty and not types else [])
        return {**types, **dict.fromkeys(own, hint("VARCHAR"))}


def _batches(rows: TypedRows, columns: list[str]) -> Iterator[Any]:
    """Arrow tables; of a file without rows one, for its columns."""
    if not rows.types:
        return
    import pyarrow.parquet as pq

    with pq.ParquetFile(rows.path) as file:
        if not rows.count:
            yield file.schema_arrow.empty_table().select(columns)
        for batch in file.iter_batches(_BATCH):
            # Not iter_batches(columns=…): it leaves out in silence what the file has not.
            yield batch.select(columns)
