"""How columns stand in a table format: names that every engine takes, and types that it has.

What the format has no type for is text there: integers beyond 64 bits, JSON, UUIDs. The type by
which values are read back is remembered with the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from connector_assets.load.duckdb.casts import without_nanoseconds
from connector_assets.load.duckdb.sql import quoted

_LONGEST_NAME = 200
_TEXTS = ("HUGEINT", "UHUGEINT", "BIGNUM", "JSON", "UUID", "INTERVAL", "BIT", "TIME WITH TIME ZONE")
COMMON: Mapping[str, str] = {
    **dict.fromkeys(_TEXTS, "VARCHAR"),
    **dict.fromkeys(("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "TIMESTAMP"),
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "UBIGINT": "DECIMAL(20,0)",
}
"""DuckDB's types that no table format has, and what their values are there, exactly."""


@dataclass(frozen=True, slots=True)
class Storing:
    """The types of one format: `instead` has what stands for those of DuckDB's that it lacks."""

    instead: Mapping[str, str]

    def type(self, type_: str) -> str:
        """The type in which values of a type of DuckDB's are stored, as DuckDB calls it.

        >>> Storing(COMMON).type("STRUCT(a HUGEINT, b UINTEGER[])")
        'STRUCT(a VARCHAR, b BIGINT[])'

        What never had a value within others has the type of nothing, which DuckDB quotes.

        >>> Storing(COMMON).type('STRUCT("NULL" BIGINT, a "NULL")')
        'STRUCT("NULL" BIGINT, a VARCHAR)'
        """
        if type_.startswith(("ENUM(", "UNION(")):
            return "VARCHAR"
        names = "|".join(sorted(map(re.escape, self.instead), key=len, reverse=True))
        # What else is quoted is a name, and a bare name has its type behind it.
        end = r"(?=[,)\[]|$)"
        pattern = rf"""("NULL"){end}|("(?:[^"]|"")*"|'(?:[^']|'')*')|\b({names}){end}"""

        def stored(found: re.Match[str]) -> str:
            return "VARCHAR" if found[1] else found[2] or self.instead[found[3]]

        return re.sub(pattern, stored, type_)

    def value(self, name: str, type_: str) -> str:
        """The SQL of a column's values as they are stored."""
        stored = self.type(type_)
        if type_ == "TIMESTAMP_NS":
            return f"{without_nanoseconds(name)} AS {quoted(name)}"
        if stored == type_:
            return quoted(name)
        value = f"to_json({quoted(name)})" if type_.startswith("UNION(") else quoted(name)
        return f"CAST({value} AS {stored}) AS {quoted(name)}"

    def values(self, types: Mapping[str, str]) -> str:
        return ", ".join(self.value(name, type_) for name, type_ in types.items())


def safe_names(
    keys: Iterable[str], taken: Mapping[str, str], reserved: Iterable[str] = ()
) -> dict[str, str]:
    """Row keys to names of columns: what is not a letter, a digit or `_` becomes `_`.

    Engines split names at dots, and Parquet's and Hive's rules know no spaces or brackets.

    >>> safe_names(["id", "a b", "a.b"], {})
    {'id': 'id', 'a b': 'a_b', 'a.b': 'a_b_1'}
    """
    names = dict(taken)
    used = {name.casefold() for name in (*names.values(), *reserved)}
    last: dict[str, int] = {}
    for key in keys:
        if key in names:
            continue
        stem = name = re.sub(r"\W", "_", key)[:_LONGEST_NAME] or "_"
        number = last.get(stem.casefold(), 0)
        while name.casefold() in used:
            number += 1
            name = f"{stem}_{number}"
        names[key] = name
        used.add(name.casefold())
        last[stem.casefold()] = number
    return names
