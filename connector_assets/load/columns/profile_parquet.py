"""What staged Parquet holds: its columns have types already, and keep them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from connector_assets.load.kinds import NOTHING, Kind
from connector_assets.load.table import Segment

_MEANT = "connector_assets.types"
# Types that inference gives too, so that such columns widen like those of JSON rows.
_KINDS = {
    "BOOLEAN": Kind.BOOLEAN,
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER"), Kind.INTEGER),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER"), Kind.INTEGER),
    "BIGINT": Kind.INTEGER_64,
    **dict.fromkeys(("UBIGINT", "HUGEINT"), Kind.INTEGER_128),
    **dict.fromkeys(("FLOAT", "DOUBLE"), Kind.FLOAT),
    "VARCHAR": Kind.TEXT,
    "JSON": Kind.NESTED,
    '"NULL"': NOTHING,
}


def parquet_types(segments: Sequence[Segment]) -> dict[str, str]:
    """DuckDB's type of each column of Parquet files taken together."""
    import duckdb

    with duckdb.connect() as connection:
        files = [str(segment.path) for segment in segments]
        rows = connection.read_parquet(files, union_by_name=True, hive_partitioning=False)
        return {name: str(type_) for name, type_ in zip(rows.columns, rows.types, strict=True)}


def meant_types(segments: Sequence[Segment]) -> dict[str, str]:
    """The types of columns that Parquet has no type for, and holds as texts."""
    import duckdb

    files = [str(segment.path) for segment in segments]
    found: dict[str, str] = {}
    with duckdb.connect() as connection:
        sql = "select decode(value) from parquet_kv_metadata($files) where decode(key) = $key"
        rows = connection.execute(sql, {"files": files, "key": _MEANT}).fetchall()
    for (text,) in rows:
        found |= json.loads(text)
    return found


def parquet_kinds(type_: str) -> Kind | None:
    """The kinds of value in a column of this type; None if the type itself is to be kept."""
    return _KINDS.get(type_)
