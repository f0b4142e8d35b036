"""Rows as a connector hands them over, made into bytes for staging."""

from __future__ import annotations

import json
from typing import Any

from msgspec import Struct

from connector_assets.errors import LoadError
from connector_assets.load.staging.arrow import parquet_of
from connector_assets.load.table import SegmentFormat


class Encoded(Struct, frozen=True):
    data: bytes
    format: SegmentFormat


def encode(rows: Any, count: int, *, where: str) -> Encoded:
    """Lines of JSON stand as they are, dicts become such lines, an Arrow table becomes Parquet."""
    if isinstance(rows, (bytes, bytearray, memoryview)):
        data = bytes(rows)
        if data and not data.endswith(b"\n"):
            raise LoadError("staging: the last row has no line end", where=where)
        return Encoded(data, "ndjson")
    if len(rows) != count:
        raise LoadError(f"staging: {count} rows announced, {len(rows)} came", where=where)
    if isinstance(rows, (list, tuple)):
        return Encoded(_lines(rows, where), "ndjson")
    return Encoded(parquet_of(rows, where=where), "parquet")


def _lines(rows: list[dict[str, Any]] | tuple[dict[str, Any], ...], where: str) -> bytes:
    lines = []
    for number, row in enumerate(rows, 1):
        try:
            lines.append(_ENCODER.encode(row).encode())
        except (TypeError, ValueError, RecursionError) as error:
            raise LoadError(
                f"row {number} of a batch cannot be written as JSON: {error}", where=where
            ) from error
    lines.append(b"")
    return b"\n".join(lines)


def _plain(value: Any) -> Any:
    """Dates as ISO text, decimals and UUIDs as text, bytes as base64; TypeError for the rest."""
    import msgspec

    return msgspec.to_builtins(value)


# Not msgspec or orjson: both write NaN and Infinity as null.
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain
)
