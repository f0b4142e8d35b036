"""Arrow as Parquet that holds each value exactly, and from which DuckDB reads the type it had.

Most of Arrow's types are Parquet's own. Some are not, and would be refused, or lose digits in
silence: a decimal of 50 digits would be read as a double, a duration as a number. Those are written
as what holds them, and what they are meant to be stands in the file's metadata.
"""

from __future__ import annotations

import json
from collections import Counter
from io import BytesIO
from typing import Any

from connector_assets.errors import RowsError

TYPES = "connector_assets.types"
"""The key of the file's metadata that has types of columns by name, where Parquet has none."""
# Without dictionaries, which take more than half of the time: the file is read once.
_OPTIONS: dict[str, Any] = {
    "compression": "lz4",
    "use_dictionary": False,
    "write_statistics": False,
}
_MOST_DIGITS = 38  # of DuckDB's decimals
_INTERVAL = "INTERVAL"


def parquet_of(table: Any, *, where: str) -> bytes:
    """The table as one Parquet file; RowsError names a column that cannot be held exactly."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    _refuse_names(table.schema.names, where)
    columns, meant = [], {}
    for name, column in zip(table.schema.names, table.columns, strict=True):
        try:
            values, type_ = _storable(column)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, _Unheld) as error:
            what = f'column "{name[:60]}" of type {column.type} cannot be held: {error}'
            raise RowsError(what, where=where, fix="cast it at the source") from None
        columns.append(values)
        if type_:
            meant[name] = type_
    made = pa.table(columns, names=table.schema.names)
    buffer = BytesIO()
    pq.write_table(made.replace_schema_metadata({TYPES: json.dumps(meant)}), buffer, **_OPTIONS)
    return buffer.getvalue()


class _Unheld(Exception):
    """Nothing holds values of this type."""


def _refuse_names(names: list[str], where: str) -> None:
    """DuckDB would give columns that it cannot tell apart names of its own."""
    twice = [name for name, count in Counter(map(str.casefold, names)).items() if count > 1]
    if twice:
        what = f'two columns are called "{twice[0][:60]}", which differ in case at most'
        raise RowsError(what, where=where, fix="rename one at the source")


def _storable(column: Any) -> tuple[Any, str]:
    """A column as Parquet holds it, and what its type is if that does not say it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    types, type_ = pa.types, column.type
    if types.is_run_end_encoded(type_):
        chunks = [pc.run_end_decode(chunk) for chunk in column.chunks]
        return _storable(pa.chunked_array(chunks, type_.value_type))
    if types.is_dictionary(type_):
        return _storable(column.cast(type_.value_type))
    if types.is_duration(type_):
        numbers = column.cast(pa.duration("us")).cast(pa.int64()).cast(pa.string())
        return pc.binary_join_element_wise(numbers, "microseconds", " "), _INTERVAL
    if types.is_interval(type_):
        texts = [_interval(one) for one in column.to_pylist()]
        return pa.chunked_array([texts], pa.string()), _INTERVAL
    _refuse_odd(type_, nested=False)
    held = _held_as(type_)
    return column.cast(held) if held else column, ""


def _held_as(type_: Any) -> Any:
    """The type that holds a type's values instead; None where that is itself. A cast loses none."""
    import pyarrow as pa

    types = pa.types
    if types.is_decimal(type_):
        places = max(type_.scale, 0)
        digits = type_.precision + places - type_.scale
        return pa.string() if digits > _MOST_DIGITS else pa.decimal128(digits, places)
    if types.is_timestamp(type_) and type_.tz and type_.unit == "ns":
        return pa.timestamp("us", type_.tz)  # only DuckDB has nanoseconds of these
    if types.is_time64(type_):
        return pa.time64("us")
    return pa.bool_() if str(type_) == "extension<arrow.bool8>" else None


def _interval(value: Any) -> str | None:
    if value is None:
        return None
    microseconds, rest = divmod(value.nanoseconds, 1000)
    if rest:
        raise _Unheld("an interval has nanoseconds")
    return f"{value.months} months {value.days} days {microseconds} microseconds"


def _refuse_odd(type_: Any, *, nested: bool) -> None:
    """Raise _Unheld for types that Parquet lacks, and for those that it would change if nested."""
    import pyarrow as pa

    types = pa.types
    if types.is_union(type_) or (types.is_struct(type_) and not type_.num_fields):
        raise _Unheld("no store has it")
    is_long = types.is_decimal(type_) and (type_.precision > _MOST_DIGITS or type_.scale < 0)
    others = (types.is_duration, types.is_interval, types.is_run_end_encoded)
    if nested and (is_long or any(is_one(type_) for is_one in others)):
        raise _Unheld(f"it has {type_} within")
    if types.is_map(type_):
        inner = [type_.key_type, type_.item_type]
    elif types.is_nested(type_):
        inner = [type_.field(number).type for number in range(type_.num_fields)]
    else:
        inner = []
    for one in inner:
        _refuse_odd(one, nested=True)
