"""What kinds of JSON value a column has held: the facts that its type follows from.

Kinds only ever add up, over pages, runs and years, so a column's type widens and never flips back.
They are stored with the table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntFlag
from math import isfinite
from typing import Self

# The largest integer up to which a double tells neighbours apart.
EXACT_IN_DOUBLE = 2**53


class Kind(IntFlag):
    """Kinds of value; null is none. Integers by size: exact in a double, 64 bit, 128 bit, more."""

    BOOLEAN = 1
    INTEGER = 2
    INTEGER_64 = 4
    INTEGER_128 = 8
    INTEGER_ANY = 16
    FLOAT = 32
    FLOAT_ANY = 64  # beyond a double, as 1e400, or nearer to 0 than any, as 1e-400
    TEXT = 128
    NESTED = 256


NOTHING = Kind(0)
WHOLE = Kind.INTEGER | Kind.INTEGER_64 | Kind.INTEGER_128


@dataclass(slots=True)
class Profile:
    """Keys in order of appearance, with their kinds; `longest` bounds a line's bytes.

    `shapes` has the one shape of each column of texts that may all be times, `types` what has a
    type of its own already, since it came as Arrow. `has_long` says that a column of any JSON may
    have a number with more digits than a double.
    """

    kinds: dict[str, Kind] = field(default_factory=dict)
    shapes: dict[str, str | None] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    rows: int = 0
    longest: int = 0
    has_long: bool = False

    def add(self, other: Profile) -> Self:
        """Hold what `other` holds, too; `other` stays as it is."""
        for key, kinds in other.kinds.items():
            before = self.kinds.get(key, NOTHING)
            self.kinds[key] = before | kinds
            self.has_long |= any(settles_floats(one, before | kinds) for one in (before, kinds))
        for key, shape in other.shapes.items():
            self.shapes[key] = shape if self.shapes.get(key, shape) == shape else None
        self.types |= other.types
        self.rows += other.rows
        self.longest = max(self.longest, other.longest)
        self.has_long |= other.has_long
        return self


def kind_of(value: object) -> Kind:
    """Return the kind of a decoded JSON value."""
    if value is None:
        return NOTHING
    if isinstance(value, int) and not isinstance(value, bool):
        return _size_of(value)
    if isinstance(value, float) and not isfinite(value):
        return Kind.FLOAT_ANY  # JSON has no infinity: it was a number such as 1e400
    return _KINDS.get(type(value), Kind.NESTED)


def is_settled(kinds: Kind) -> bool:
    """Return whether no further value can change the type: the column holds any JSON."""
    return column_type(kinds) == "json" and kinds != NOTHING


def settles_floats(before: Kind, after: Kind) -> bool:
    """Return whether a column of numbers becomes one of any JSON, where digits count.

    As long as it held numbers only, nobody looked how many digits they have.
    """
    has_points = bool(before & (Kind.FLOAT | Kind.FLOAT_ANY))
    return has_points and is_settled(after) and not is_settled(before)


def column_type(kinds: Kind) -> str:
    """Return the one type that holds all kinds exactly, `json` if there is no narrower one.

    >>> column_type(Kind.INTEGER | Kind.FLOAT), column_type(Kind.INTEGER_64 | Kind.FLOAT)
    ('double', 'json')
    """
    for type_name, fitting in _TYPES:
        if kinds and not kinds & ~fitting:
            return type_name
    return "json"


_KINDS = {bool: Kind.BOOLEAN, float: Kind.FLOAT, str: Kind.TEXT}
# In order: the first type whose kinds cover all that was seen.
_TYPES = (
    ("boolean", Kind.BOOLEAN),
    ("bigint", Kind.INTEGER | Kind.INTEGER_64),
    ("hugeint", WHOLE),
    ("double", Kind.INTEGER | Kind.FLOAT),
    ("text", Kind.TEXT),
)


def _size_of(value: int) -> Kind:
    if -EXACT_IN_DOUBLE <= value <= EXACT_IN_DOUBLE:
        return Kind.INTEGER
    if -(2**63) <= value < 2**63:
        return Kind.INTEGER_64
    # DuckDB's hugeint has no -2**127.
    return Kind.INTEGER_128 if abs(value) < 2**127 else Kind.INTEGER_ANY
