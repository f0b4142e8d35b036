"""Rows in order of a column, cut only between different values of it."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc


class Ties:
    """Batches of rows that are sorted by a column, each ended where its value changes.

    So what follows a batch is what is beyond its last value. Rows of one value are kept in memory
    until the next value comes, but not more than `most` of them.
    """

    def __init__(self, batches: Iterator[pa.Table], column: str, most: int) -> None:
        self._batches, self._column, self._most = batches, column, most

    def __iter__(self) -> Iterator[tuple[pa.Table, pa.Scalar | None]]:
        """Each batch with its last value; None where the next batch may have more rows of it."""
        held: pa.Table | None = None
        for batch in self._batches:
            rows = batch if held is None else pa.concat_tables([held, batch])
            last = rows.column(self._column)[-1]
            first_of_last = _first(rows.column(self._column), last)
            if first_of_last:
                whole = rows.slice(0, first_of_last)
                yield whole, whole.column(self._column)[-1]
            held = rows.slice(first_of_last)
            if held.num_rows > self._most:
                yield held, None
                held = None
        if held is not None:
            yield held, held.column(self._column)[-1]


def _first(column: pa.ChunkedArray, value: pa.Scalar) -> int:
    """Where the rows of the last value begin."""
    found: int = pc.index(column, value).as_py()
    return found
