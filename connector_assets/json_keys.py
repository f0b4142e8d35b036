"""Keys that a JSON object has twice: decoders keep one of the values, and say nothing."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import msgspec

_SPACED = re.compile(rb'"\s+:')
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode

KEY_TWICE_FIX = "tell the vendor, or set schemaPolicy to quarantine to set such rows aside"


def key_twice(line: bytes) -> str | None:
    """Return the first key that the object in `line` has twice, None where there is none.

    Of objects within it nothing is asked.

    >>> key_twice(b'{"a": 1, "b": {"a": 1, "a": 2}, "a": 3}'), key_twice(b'{"b": {"a": 1}}')
    ('a', None)
    """
    if _is_sure(line):
        return None
    keys: Any = json.loads(line, object_pairs_hook=_keys, parse_int=str, parse_float=str)
    return next((key for key, times in Counter(keys).items() if times > 1), None)


def _is_sure(line: bytes) -> bool:
    """Whether no key is there twice, as can be told of most rows without looking at each."""
    fields = _fields.decode(line)
    if line.count(b'":') == len(fields) and not _SPACED.search(line):
        return True
    return len(_encode(fields)) == len(line.rstrip())


def _keys(pairs: list[tuple[str, Any]]) -> list[str]:
    return [key for key, _ in pairs]
