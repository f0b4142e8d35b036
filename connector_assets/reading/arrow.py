"""Tables as Arrow has them, from whatever library: taken by Arrow's own interface, without a copy.

Any object that has `__arrow_c_stream__` or `__arrow_c_array__` is one: of pyarrow, of polars, of
nanoarrow, a reader of ADBC. A stream is taken a batch at a time, however long it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from connector_assets.errors import ConfigError, ResponseError


class ArrowStream(Protocol):
    """Several record batches: a table, or a reader."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Give a capsule, as Arrow's PyCapsule interface says."""
        ...


class ArrowArray(Protocol):
    """One record batch."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        """Give two capsules, as Arrow's PyCapsule interface says."""
        ...


def is_arrow(rows: Any) -> bool:
    """Whether `rows` is a table of Arrow, or a stream of such."""
    return hasattr(rows, "__arrow_c_stream__") or hasattr(rows, "__arrow_c_array__")


def as_record_batches(rows: Any, most_rows: int, most_bytes: int) -> Iterator[Any]:
    """`rows` as record batches of pyarrow, of at most so many rows and about so many bytes each.

    Raises ConfigError without pyarrow, and ResponseError for what has no columns.
    """
    try:
        import pyarrow as pa
    except ModuleNotFoundError:
        fix = 'pip install "connector-assets[arrow]"'
        raise ConfigError("rows in Arrow need pyarrow", fix=fix) from None
    try:
        if hasattr(rows, "__arrow_c_stream__"):
            batches = iter(pa.RecordBatchReader.from_stream(rows))
        else:
            batches = iter([pa.record_batch(rows)])
    except (pa.ArrowException, TypeError, ValueError) as error:
        what = f"{type(rows).__name__} has no columns ({error})"
        raise ResponseError(what, fix="yield a table or a record batch") from None
    for batch in batches:
        pieces = max(1, batch.nbytes // most_bytes)
        most = max(1, min(most_rows, batch.num_rows // pieces))
        for start in range(0, batch.num_rows, most):
            yield batch.slice(start, most)


def table_of(batches: list[Any]) -> Any:
    """Record batches of one schema as one table, without a copy."""
    import pyarrow as pa

    return pa.Table.from_batches(batches)


def with_column(batch: Any, name: str) -> Any:
    """A record batch with one more column, of which every value is true."""
    import pyarrow as pa

    return batch.append_column(name, pa.array([True] * batch.num_rows, pa.bool_()))
