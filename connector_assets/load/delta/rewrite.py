"""One commit that takes rows out of a Delta table's files and adds others, in bounded memory.

delta-rs's own merge holds what it writes anew, nearly uncompressed. Here a file that has a row
which goes is copied without it, a few rows at a time, and the log is told of the copies by name.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connector_assets.load.delta.parts import DeltaPart, in_schema, parts_of
from connector_assets.load.delta.statistics import statistics_of
from connector_assets.load.delta.store import DeltaStore
from connector_assets.load.lake.gone import Gone
from connector_assets.load.lake.parts import grouped, rows_but
from connector_assets.load.lake.store import Change, Fence

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from deltalake.transaction import AddAction, RemoveAction

FILE_BYTES = 128 << 20
# Settings that ask nothing of who writes rows.
_HARMLESS = (
    "delta.autoOptimize",
    "delta.checkpoint",
    "delta.dataSkipping",
    "delta.deletedFileRetentionDuration",
    "delta.enableExpiredLogCleanup",
    "delta.logRetentionDuration",
    "delta.minReaderVersion",
    "delta.minWriterVersion",
    "delta.targetFileSize",
    "delta.tuneFileSizesForRewrites",
)
_FEATURES = {"appendOnly", "invariants", "checkConstraints", "changeDataFeed", "generatedColumns"}
_FEATURES |= {"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"}


def can_rewrite(delta: DeltaTable) -> bool:
    """Whether the table asks nothing of its rows: no constraint, partition, default, change feed.

    What a feature asks is said by a setting or by a column.
    """
    told, features = delta.metadata(), delta.protocol().writer_features or []
    asks = (one for one in told.configuration if one.startswith("delta."))
    columns = delta.schema().to_json()
    return (
        not told.partition_columns
        and set(features) <= _FEATURES
        and all(one.startswith(_HARMLESS) for one in asks)
        and ":false" not in columns
        and "CURRENT_DEFAULT" not in columns
        and '"delta.' not in columns
    )


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The change of a table that `can_rewrite`; `written` gets the names of its new files."""

    store: DeltaStore
    delta: DeltaTable
    change: Change
    fence: Fence
    written: list[str]

    def run(self, properties: Any) -> None:
        """Write the files, and commit them on top of the version that was looked at."""
        actions = [*self._copies(), *self._new_rows()]
        self.delta.create_write_transaction(
            actions, "append", self.delta.schema(), commit_properties=properties
        )

    def _copies(self) -> Iterator[AddAction | RemoveAction]:
        """Each file that has a row which goes is removed, and what is left of it added."""
        schema = self._schema()
        with Gone.of(self.change, schema.names) as gone:
            for part in parts_of(self.delta, self.change.bounds):
                if numbers := gone.rows(part):
                    yield _removed(part)
                    yield from self._added(rows_but(part.batches(schema.names), numbers))

    def _new_rows(self) -> Iterator[AddAction]:
        with self.change.rows.reader(self.fence) as rows:
            schema = self._schema()
            yield from self._added(in_schema(schema, batch, {}) for batch in rows)

    def _schema(self) -> Any:
        """The table's columns as pyarrow has them."""
        import pyarrow as pa

        return pa.schema(self.delta.schema().to_arrow())

    def _added(self, batches: Iterable[Any]) -> Iterator[AddAction]:
        """Rows in as many files as it takes."""
        groups = grouped(batches)
        for first in groups:
            yield self._file(first, groups)

    def _file(self, first: Any, groups: Iterator[Any]) -> AddAction:
        """One file of the first row group and of those that follow, until it is large."""
        from deltalake.transaction import AddAction
        from pyarrow.parquet import ParquetWriter

        name = f"part-00000-{uuid.uuid4()}-c000.snappy.parquet"
        self.written.append(name)
        with self.store.writing(name) as file:
            with ParquetWriter(file, first.schema) as writer:
                writer.write_table(first)
                while file.size < FILE_BYTES and (group := next(groups, None)) is not None:
                    writer.write_table(group)
            footer = writer.writer.metadata
        return AddAction(name, file.size, {}, _now_ms(), True, statistics_of(footer))


def _removed(part: DeltaPart) -> RemoveAction:
    from deltalake.transaction import RemoveAction

    size = part.added["size_bytes"]
    return RemoveAction(part.path, True, _now_ms(), size=size, partition_values={})


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
