"""Python values as one line of JSON: what decoders of Avro and Protobuf give."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from connector_assets.plugins.kafka.formats import Undecodable


def line(value: Any) -> bytes:
    """Times are ISO 8601, decimals and UUIDs texts, bytes base64; no number becomes another."""
    try:
        return _encoder.encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Undecodable(f"cannot be written as JSON: {error}") from None


# Not msgspec itself, which writes NaN and Infinity as null.
_encoder = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=msgspec.to_builtins
)
