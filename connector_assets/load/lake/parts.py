"""A table's data files, a few rows at a time, and of these the rows that a load is about.

A table may be larger than the machine. So of each file the columns that decide are read first, and
all columns only where rows are wanted, or where others have to go.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# More are hardly faster, and of wide rows these are megabytes already.
ROWS_AT_ONCE = 8_192
# Of a row group, which is held until it is written; larger ones hardly compress better.
_GROUP_ROWS, _GROUP_BYTES = 122_880, 16 << 20
PART = "connector_assets_part"
ROW = "connector_assets_row"


class Part(Protocol):
    """One data file."""

    def schema(self, columns: Sequence[str]) -> Any:
        """These columns as a pyarrow.Schema."""
        ...

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """These columns of the rows as pyarrow.RecordBatches, each time in one order."""
        ...


@contextmanager
def showing(connection: DuckDBPyConnection, schema: Any, batches: Iterable[Any]) -> Iterator[None]:
    """Show batches as `PART`, which can be read once."""
    import pyarrow as pa

    connection.register(PART, pa.RecordBatchReader.from_batches(schema, batches))
    try:
        yield
    finally:
        connection.unregister(PART)


def rows_where(
    connection: DuckDBPyConnection, part: Part, columns: Sequence[str], condition: str
) -> array[int]:
    """The numbers of the rows which a query has: `condition` comes behind its `from PART`.

    The first row of a part is 0. A query sees only `columns`, and the number as `ROW`.
    """
    import pyarrow as pa

    schema = part.schema(columns).append(pa.field(ROW, pa.int64()))
    with showing(connection, schema, _numbered(schema, part.batches(columns))):
        found = connection.execute(f"select distinct {ROW} {condition} order by 1").fetchall()
    return array("q", [row for (row,) in found])


def _numbered(schema: Any, batches: Iterable[Any]) -> Iterator[Any]:
    import pyarrow as pa

    start = 0
    for batch in batches:
        numbers = pa.array(range(start, start + len(batch)), pa.int64())
        yield pa.RecordBatch.from_arrays([*batch.columns, numbers], schema=schema)
        start += len(batch)


def rows_at(batches: Iterable[Any], numbers: array[int]) -> Iterator[Any]:
    """The rows with these numbers, which ascend."""
    for batch, within in _found_in(batches, numbers):
        if len(within):
            yield batch.take(within)


def rows_but(batches: Iterable[Any], numbers: array[int]) -> Iterator[Any]:
    """All other rows, as they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for batch, within in _found_in(batches, numbers):
        if not len(within):
            yield batch
        elif len(within) < len(batch):
            every = pa.array(range(len(batch)), pa.int64())
            yield batch.filter(pc.invert(pc.is_in(every, value_set=within)))


def _found_in(batches: Iterable[Any], numbers: array[int]) -> Iterator[tuple[Any, Any]]:
    """Each batch, with the places in it of the rows that have such a number."""
    import pyarrow as pa

    start = at = 0
    for batch in batches:
        end = bisect_left(numbers, start + len(batch), at)
        yield batch, pa.array([number - start for number in numbers[at:end]], pa.int64())
        start, at = start + len(batch), end


def grouped(batches: Iterable[Any]) -> Iterator[Any]:
    """The rows of batches as a pyarrow.Table for each row group of a Parquet file."""
    import pyarrow as pa

    group: list[Any] = []
    rows = size = 0
    for batch in batches:
        group.append(batch)
        rows, size = rows + len(batch), size + batch.nbytes
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield pa.Table.from_batches(group)
            group, rows, size = [], 0, 0
    if rows:
        yield pa.Table.from_batches(group)
