"""A query's columns: the Arrow types of their values, and how each gets there without loss.

Snowflake sends integers in as many bytes as a chunk needs, so that chunks of one column differ. To
Parquet it unloads no time with a zone, and others rounded: there such values are texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connector_assets.errors import ResponseError
from connector_assets.snowflake.session import type_name

_INT64_DIGITS = 18
_UTC = pa.timestamp("us", tz="UTC")
_NTZ = pa.timestamp("us")
_TYPES: dict[str, pa.DataType] = {
    "REAL": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP_NTZ": _NTZ,
    "TIMESTAMP": _NTZ,
    "TIMESTAMP_TZ": _UTC,
    "TIMESTAMP_LTZ": _UTC,
    "BINARY": pa.binary(),
    **dict.fromkeys(("VARIANT", "OBJECT", "ARRAY"), pa.json_()),
}
_UNLOADED = {
    "TIMESTAMP_NTZ": "to_varchar({}, 'YYYY-MM-DD\"T\"HH24:MI:SS.FF9')",
    "TIMESTAMP": "to_varchar({}, 'YYYY-MM-DD\"T\"HH24:MI:SS.FF9')",
    "TIMESTAMP_TZ": "to_varchar(convert_timezone('UTC', {}), 'YYYY-MM-DD\"T\"HH24:MI:SS.FF9')",
    "TIMESTAMP_LTZ": "to_varchar(convert_timezone('UTC', {}), 'YYYY-MM-DD\"T\"HH24:MI:SS.FF9')",
    "TIME": "to_varchar({}, 'HH24:MI:SS.FF9')",
    "DATE": "to_varchar({}, 'YYYY-MM-DD')",
    "BINARY": "hex_encode({})",
    "REAL": "{}",
    "BOOLEAN": "{}",
    **dict.fromkeys(("VARIANT", "OBJECT", "ARRAY"), "to_json({})"),
}


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A column as Snowflake describes it; `type` is its name of the type, as FIXED."""

    name: str
    type: str
    precision: int = 0
    scale: int = 0

    @property
    def arrow(self) -> pa.DataType:
        """The type of its values; what Arrow has no type for is a text.

        >>> SourceColumn("N", "FIXED", 38, 0).arrow, SourceColumn("N", "FIXED", 10, 0).arrow
        (Decimal128Type(decimal128(38, 0)), DataType(int64))
        """
        if self.type == "FIXED":
            if not self.scale and self.precision <= _INT64_DIGITS:
                return pa.int64()
            return pa.decimal128(self.precision, self.scale)
        return _TYPES.get(self.type, pa.string())

    def unloaded(self) -> str:
        """SQL of its values as they stand in a Parquet file."""
        quoted = '"' + self.name.replace('"', '""') + '"'
        value = _UNLOADED.get(self.type, "{}::varchar").format(quoted)
        return f"{value} as {quoted}"


def described(description: Sequence[Any]) -> list[SourceColumn]:
    """The columns of a cursor's result."""
    return [
        SourceColumn(item.name, type_name(item), item.precision or 0, item.scale or 0)
        for item in description
    ]


def as_described(rows: pa.Table, columns: Sequence[SourceColumn], where: str) -> pa.Table:
    """The rows in the types of their columns; ResponseError where a value would change."""
    arrays = []
    for column, values in zip(columns, rows.columns, strict=True):
        try:
            arrays.append(_cast(values, column.arrow))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise ResponseError(
                f'column "{column.name[:60]}" has values beyond microseconds or beyond '
                f"{column.arrow}",
                where=where,
                fix=f"read it by a query that says {column.name[:60]}::varchar",
            ) from None
    return pa.table(arrays, schema=pa.schema([(one.name, one.arrow) for one in columns]))


def _cast(  # noqa: PLR0911 # a kind of type each
    values: pa.ChunkedArray, type_: pa.DataType
) -> pa.ChunkedArray:
    if values.type == type_:
        return values
    if pa.types.is_binary(type_) and pa.types.is_string(values.type):
        found = [None if one is None else bytes.fromhex(one) for one in values.to_pylist()]
        return pa.chunked_array([pa.array(found, type_)])
    if pa.types.is_timestamp(type_) and pa.types.is_string(values.type):
        return _cast(pc.cast(values, pa.timestamp("ns")), _NTZ).cast(type_)
    if pa.types.is_time(type_) and pa.types.is_string(values.type):
        day = pc.binary_join_element_wise("1970-01-01T", values, "")
        return pc.cast(day, pa.timestamp("ns")).cast(pa.time64("ns")).cast(type_)
    if isinstance(type_, pa.JsonType):
        texts = pc.cast(values, pa.string()).combine_chunks()
        return pa.chunked_array([pa.ExtensionArray.from_storage(type_, texts)])
    if pa.types.is_null(values.type):
        return pa.chunked_array([pa.nulls(len(values), type_)])
    return pc.cast(values, type_)
