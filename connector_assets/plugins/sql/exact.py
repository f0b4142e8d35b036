"""Rows as a driver gives them, in the types that the table is to have: exactly, or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connector_assets.plugins.sql.dialects.dialect import Dialect
from connector_assets.plugins.sql.faults import DatabaseError
from connector_assets.plugins.sql.source import Field, Query


def read_exactly(
    session: Any, dialect: Dialect, query: Query, fields: Sequence[Field]
) -> Iterator[pa.Table]:
    """The rows of a query whose columns are `fields` and then their guards, a batch at a time.

    DatabaseError names the column of a value that would not arrive as it is.
    """
    is_first = True
    bound = dialect.bound(session, Query(dialect.lines(query.sql, fields), query.values))
    try:
        for batch in session.batches(bound, fields):
            rows = dialect.after(pa.Table.from_batches([batch]), is_first=is_first)
            is_first = False
            if rows.num_rows:
                yield exact(rows, fields)
    except DatabaseError as error:
        raise dialect.explained(error, fields) from None


def exact(rows: pa.Table, fields: Sequence[Field]) -> pa.Table:
    """`rows` in the types of `fields`; DatabaseError for a value that does not fit."""
    guarded = [field for field in fields if field.guard]
    for number, field in enumerate(guarded, len(fields)):
        if not pc.all(rows.column(number).cast(pa.bool_())).as_py():
            raise DatabaseError(f'column "{field.name}" {field.otherwise}')
    columns = [_as(rows.column(number), field) for number, field in enumerate(fields)]
    schema = pa.schema([(field.name, field.type) for field in fields])
    return pa.Table.from_arrays(columns, schema=schema)


def _as(column: pa.ChunkedArray, field: Field) -> pa.ChunkedArray:
    if isinstance(column.type, pa.BaseExtensionType):
        storage = column.type.storage_type
        column = pa.chunked_array([one.storage for one in column.chunks], storage)
    is_extension = isinstance(field.type, pa.BaseExtensionType)
    plain = field.type.storage_type if is_extension else field.type
    try:
        found = column if column.type == plain else column.cast(plain)
        if pa.types.is_string(plain):
            found.validate(full=True)  # SQLite, and SQL_ASCII, keep whatever bytes they are given
    except pa.ArrowException:
        is_text = pa.types.is_string(plain)
        what, fix = (
            ("a text that is no UTF-8", "read it as bytes, by a query that casts it")
            if is_text
            else (f"a value that is no {plain}", "give it the type text in columns")
        )
        raise DatabaseError(f'column "{field.name}" has {what}; {fix}') from None
    if not is_extension:
        return found
    chunks = [pa.ExtensionArray.from_storage(field.type, one) for one in found.chunks]
    return pa.chunked_array(chunks, field.type)
