"""The data files of a Delta table, read through its log and its object store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connector_assets.load.lake.parts import ROWS_AT_ONCE
from connector_assets.load.lake.store import Bounds

if TYPE_CHECKING:
    from deltalake import DeltaTable

# What is read of all columns at a time, and at most of one: else it is all of a row group.
_BUFFERS_BYTES, _BUFFER_BYTES = 32 << 20, 1 << 20
_SECTOR_BYTES = 4 << 10


@dataclass(frozen=True, slots=True)
class DeltaPart:
    """A data file: `added` is what the log says of it."""

    fragment: Any
    all_columns: Any
    added: Mapping[str, Any]

    @property
    def path(self) -> str:
        return str(self.added["path"])

    def schema(self, columns: Sequence[str]) -> Any:
        import pyarrow as pa

        return pa.schema([self.all_columns.field(name) for name in columns])

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Not by a scanner of pyarrow's datasets: it reads row groups whole, and some ahead."""
        from pyarrow.dataset import get_partition_keys
        from pyarrow.parquet import ParquetFile

        schema, given = self.schema(columns), get_partition_keys(self.fragment.partition_expression)
        buffer = max(_SECTOR_BYTES, min(_BUFFER_BYTES, _BUFFERS_BYTES // len(columns)))
        with self.fragment.open() as source, ParquetFile(source, buffer_size=buffer) as file:
            stored = [name for name in columns if name in file.schema_arrow.names]
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=stored, use_threads=False):
                yield in_schema(schema, batch, given)


def in_schema(schema: Any, batch: Any, given: Mapping[str, Any]) -> Any:
    """A batch with all columns of a schema; one that it lacks is `given` for all rows, or NULL."""
    import pyarrow as pa

    columns = [
        batch.column(one.name).cast(one.type)
        if one.name in batch.schema.names
        else pa.repeat(pa.scalar(given.get(one.name), one.type), len(batch))
        for one in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def parts_of(delta: DeltaTable, bounds: Bounds | None) -> Iterator[DeltaPart]:
    """The files that may have rows within the bounds, in the order in which they came."""
    found = delta.to_pyarrow_dataset()
    added = added_files(delta)
    fragments = found.get_fragments(filter=_within(bounds, found.schema))
    for fragment in sorted(fragments, key=lambda one: _came(added[one.path])):
        yield DeltaPart(fragment, found.schema, added[fragment.path])


def dataset(delta: DeltaTable) -> Any:
    """The table's rows as a pyarrow dataset, file by file in the order in which they came."""
    from pyarrow.dataset import FileSystemDataset

    found = delta.to_pyarrow_dataset()
    fragments = [part.fragment for part in parts_of(delta, None)]
    return FileSystemDataset(fragments, found.schema, found.format, found.filesystem)


def added_files(delta: DeltaTable) -> dict[str, Mapping[str, Any]]:
    """By path, what the log says of each data file."""
    import pyarrow as pa

    return {row["path"]: row for row in pa.table(delta.get_add_actions()).to_pylist()}


def _came(added: Mapping[str, Any]) -> tuple[int, str]:
    return added["modification_time"], added["path"]


def _within(bounds: Bounds | None, schema: Any) -> Any:
    if bounds is None:
        return None
    import pyarrow as pa
    import pyarrow.compute as pc

    column, type_ = pc.field(bounds.column), schema.field(bounds.column).type
    return (column >= pa.scalar(bounds.low, type_)) & (column <= pa.scalar(bounds.high, type_))
