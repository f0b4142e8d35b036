"""Keys that a JSON object has twice: decoders keep one of the values, and say nothing."""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import suppress
from typing import Any

import msgspec

_SPACED = re.compile(rb'"\s+:')
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode, _encode_lines = msgspec.json.Encoder().encode, msgspec.json.Encoder().encode_lines
_decode_lines = msgspec.json.Decoder().decode_lines

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


def key_twice_within(line: bytes) -> str | None:
    """As `key_twice`, and of the objects within it as well: the path of the key.

    >>> key_twice_within(b'{"b": [{"a": 1}, {"a": 1, "a": 2}]}')
    'b.a'
    """
    if have_keys_once(line):
        return None
    found = json.loads(line, object_pairs_hook=_twice_in, parse_int=str, parse_float=str)
    return found if isinstance(found, _Twice) else None


def have_keys_once(lines: bytes) -> bool:
    """Whether no object in these lines has a key twice, as can be told of most at once.

    What decoders have dropped does not come back when it is written again. False tells nothing.
    """
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        for compact in (lines.rstrip(), b"\n".join(map(_compact, lines.splitlines()))):
            if _encode_lines(_decode_lines(compact)) == compact + b"\n":
                return True
    return False


class _Twice(str):
    """The path of a key that an object has twice."""

    __slots__ = ()


def _twice_in(pairs: list[tuple[str, Any]]) -> _Twice | None:
    """What stands for an object: the key it has twice, or one within has."""
    keys: set[str] = set()
    for key, value in pairs:
        if key in keys:
            return _Twice(key)
        keys.add(key)
        if (inner := _first(value)) is not None:
            return _Twice(f"{key}.{inner}")
    return None


def _first(value: Any) -> _Twice | None:
    if isinstance(value, list):
        return next((found for one in value if (found := _first(one)) is not None), None)
    return value if isinstance(value, _Twice) else None


def _is_sure(line: bytes) -> bool:
    """Whether no key is there twice, as can be told of most rows without looking at each."""
    fields = _fields.decode(line)
    if line.count(b'":') == len(fields) and not _SPACED.search(line):
        return True
    return len(_encode(fields)) == len(line.rstrip())


def _compact(line: bytes) -> bytes:
    return msgspec.json.format(line, indent=-1)


def _keys(pairs: list[tuple[str, Any]]) -> list[str]:
    return [key for key, _ in pairs]
