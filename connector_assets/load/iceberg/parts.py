"""The data files of an Iceberg table: read by the library, written a few rows at a time."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from connector_assets.load.lake.parts import grouped
from connector_assets.load.lake.store import Bounds

FILE_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class IcebergPart:
    """A data file, with what others deleted of it; `task` is the library's for reading it."""

    table: Any
    task: Any

    def schema(self, columns: Sequence[str]) -> Any:
        return arrow_schema(self.table.schema().select(*columns))

    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        from pyiceberg.expressions import AlwaysTrue
        from pyiceberg.io.pyarrow import ArrowScan

        schema = self.schema(columns)
        wanted = self.table.schema().select(*columns)
        scan = ArrowScan(self.table.metadata, self.table.io, wanted, AlwaysTrue())
        for batch in scan.to_record_batches([self.task]):
            # Texts may be of another size, and columns are in the table's order.
            yield batch.select(schema.names).cast(schema)


def parts_of(table: Any, bounds: Bounds | None) -> Iterator[IcebergPart]:
    """The files that may have rows within the bounds, in the order in which they came."""
    if table is None:
        return
    from pyiceberg import expressions

    # Their arguments are by position, which mypy does not see through pydantic.
    known: Any = expressions
    scan = table.scan()
    if bounds is not None:
        low = known.GreaterThanOrEqual(bounds.column, _plain(bounds.low))
        high = known.LessThanOrEqual(bounds.column, _plain(bounds.high))
        scan = table.scan(known.And(low, high))
    # A later snapshot's manifests are first.
    yield from (IcebergPart(table, task) for task in list(scan.plan_files())[::-1])


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str) else str(value)


def arrow_schema(schema: Any) -> Any:
    """The columns as pyarrow has them."""
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    return schema_to_pyarrow(schema, include_field_ids=False)


def written_files(transaction: Any, batches: Iterable[Any], written: list[str]) -> Iterator[Any]:
    """Write rows into as many data files as it takes; `written` gets their paths first.

    The library's own writer reads rows for all files at once, ahead of writing them.
    """
    metadata, io = transaction.table_metadata, transaction._table.io  # noqa: SLF001
    if not metadata.spec().is_unpartitioned():  # by somebody
        yield from _partitioned(metadata, io, batches, written)
        return
    groups = grouped(batches)
    for first in groups:
        yield _file(metadata, io, first, groups, written)


def _file(metadata: Any, io: Any, first: Any, groups: Iterator[Any], written: list[str]) -> Any:
    """One file of the first row group and of those that follow, until it is large."""
    from pyiceberg.io.fileformat import FileFormatFactory
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
    from pyiceberg.schema import sanitize_column_names
    from pyiceberg.table.locations import load_location_provider
    from pyiceberg.typedef import Record

    model = FileFormatFactory.get(FileFormat.PARQUET)
    places = load_location_provider(metadata.location, metadata.properties)
    path = places.new_data_location(f"00000-0-{uuid.uuid4()}.{model.file_extension()}")
    written.append(path)
    schema, output, size = (
        sanitize_column_names(metadata.schema()),
        io.new_output(path),
        first.nbytes,
    )
    with model.create_writer(output, schema, metadata.properties) as writer:
        writer.write(_stored(metadata, schema, first, model))
        while size < FILE_BYTES and (group := next(groups, None)) is not None:
            writer.write(_stored(metadata, schema, group, model))
            size += group.nbytes
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        file_size_in_bytes=len(output),
        sort_order_id=None,
        spec_id=metadata.default_spec_id,
        equality_ids=None,
        key_metadata=None,
        **writer.result().to_serialized_dict(),
    )


def _stored(metadata: Any, schema: Any, rows: Any, model: Any) -> Any:
    """Rows in the table's columns, which are told by numbers in its files."""
    import pyarrow as pa
    from pyiceberg.io.pyarrow import ArrowAccessor, pyarrow_to_schema
    from pyiceberg.schema import visit_with_partner

    version, names = metadata.format_version, metadata.schema().name_mapping
    given = pyarrow_to_schema(rows.schema, name_mapping=names, format_version=version)
    visitor = _keeping_nulls()(given, include_field_ids=True, format_model=model)
    return pa.Table.from_batches(
        pa.RecordBatch.from_struct_array(
            visit_with_partner(schema, batch, visitor, ArrowAccessor(given))
        )
        for batch in rows.to_batches()
    )


@cache
def _keeping_nulls() -> Any:
    """The library's class that brings rows into a schema, which makes no list of no list.

    Its own makes lists and maps of objects anew from their offsets, where NULL is an empty one.
    """
    import pyarrow.compute as pc
    from pyiceberg.io.pyarrow import ArrowProjectionVisitor

    def kept(made: Any, given: Any) -> Any:
        if made is None or not given.null_count:
            return made
        return pc.if_else(given.is_null(), None, made)

    class KeepingNulls(ArrowProjectionVisitor):
        def list(self, list_type: Any, list_array: Any, value_array: Any) -> Any:
            return kept(super().list(list_type, list_array, value_array), list_array)

        def map(self, map_type: Any, map_array: Any, key_result: Any, value_result: Any) -> Any:
            return kept(super().map(map_type, map_array, key_result, value_result), map_array)

    return KeepingNulls


def _partitioned(
    metadata: Any, io: Any, batches: Iterable[Any], written: list[str]
) -> Iterator[Any]:
    """The library splits rows by partition, if not as they come."""
    import pyarrow as pa
    from pyiceberg.io.pyarrow import _dataframe_to_data_files, bin_pack_record_batches

    for packed in bin_pack_record_batches(batches, FILE_BYTES):
        for file in _dataframe_to_data_files(metadata, pa.Table.from_batches(packed), io):
            written.append(file.file_path)
            yield file
