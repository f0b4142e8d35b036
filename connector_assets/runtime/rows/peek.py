"""One value out of a row, without decoding the rest of it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from connector_assets.spec.names.paths import MISSING, Path

_whole = msgspec.json.Decoder(float_hook=Decimal)


@lru_cache(maxsize=256)  # a class is made for each path, and asked for once an item
def peek(path: Path) -> Callable[[bytes], Any]:
    """A function from a row's JSON to the value at `path`, MISSING where there is none.

    >>> peek(Path("owner.id"))(b'{"owner": {"id": 7, "x": 1}, "y": 2}')
    7
    """
    if path.keys is None:
        return lambda line: path.find(_whole.decode(line))
    kind: Any = Any
    for key in reversed(path.keys):
        kind = msgspec.defstruct("Peek", [("value", kind, msgspec.UNSET)], rename={"value": key})
    decoder = msgspec.json.Decoder(kind)
    depth = len(path.keys)

    def read(line: bytes) -> Any:
        try:
            value = decoder.decode(line)
        except msgspec.ValidationError:  # something on the way is no object
            return path.find(_whole.decode(line))
        for _ in range(depth):
            value = value.value
            if value is msgspec.UNSET:
                return MISSING
        return value

    return read
