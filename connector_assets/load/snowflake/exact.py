"""What Snowflake holds less of than DuckDB: long numbers in a VARIANT, and chosen lengths.

Snowflake would round a number of more than 38 digits, or a fraction of a second, in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.errors import RowsError
from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.columns.policy import Misfit, Numbered
from connector_assets.load.duckdb.sql import literal
from connector_assets.load.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_DIGITS = 38
_LONG = rf"[0-9.]{{{_DIGITS - 1},}}|[eE][+-]?[0-9]{{2,}}"
# A text may have what looks like a number in it: texts are passed by, first.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?')
_MICROSECONDS = 6


def unfit_in_sql(field: str, type_: str) -> str:  # noqa: PLR0911 # a kind of type each
    """DuckDB SQL of whether a value in the file may not fit; "" where all of them do."""
    base, _, rest = type_.partition("(")
    if base in {"VARIANT", "OBJECT", "ARRAY"}:
        wrong = f"regexp_matches({field}, {literal(_LONG)})"
        if base != "VARIANT":
            wrong += f" or json_type({field}) <> '{base}'"
        return wrong
    if type_ == "NUMBER(38,0)":
        return f"length(ltrim(CAST({field} AS VARCHAR), '-')) > {_DIGITS}"
    digits = int(rest.rstrip(")")) if rest.rstrip(")").isdigit() else None
    if digits is None:
        return ""
    if base == "VARCHAR":
        return f"length({field}) > {digits}"
    if base == "BINARY":
        return f"length({field}) > {2 * digits}"
    if base.startswith("TIME") and digits < _MICROSECONDS:
        return rf"regexp_matches({field}, '\.\d{{{digits}}}\d*[1-9]')"
    return ""


def fits(text: Any, type_: str) -> bool:
    """Whether a value that may not fit does: JSON whose numbers a VARIANT holds exactly.

    >>> fits('{"a": 1e300, "b": "12345678901234567890123456789012345678901"}', "VARIANT")
    True
    >>> fits("[12345678901234567890123456789012345678901]", "VARIANT")
    False
    """
    base = type_.partition("(")[0]
    if base == "OBJECT" and not str(text).startswith("{"):
        return False
    if base == "ARRAY" and not str(text).startswith("["):
        return False
    if base not in {"VARIANT", "OBJECT", "ARRAY"}:
        return False
    tokens = _TOKEN.findall(str(text))
    return all(_is_exact(token) for token in tokens if not token.startswith('"'))


def _is_exact(token: str) -> bool:
    """Whether a number has up to 38 digits, or is the shortest spelling of a double."""
    try:
        number = Decimal(token)
    except InvalidOperation:
        return False
    _, digits, exponent = number.as_tuple()
    kept = "".join(map(str, digits)).rstrip("0")
    power = int(exponent) + len(digits) - len(kept)
    if not kept or (len(kept) + max(power, 0) < _DIGITS and -power < _DIGITS):
        return True
    double = float(token)
    return double not in {float("inf"), float("-inf")} and Decimal(repr(double)) == number


Found = Mapping[str, Sequence[int]]
"""Numbers of rows, from 1, by column."""


def unfit_rows(
    connection: DuckDBPyConnection,
    rows: Path,
    types: Mapping[str, str],
    *,
    number: str,
    field: Callable[[str], str],
) -> dict[str, list[int]]:
    """The rows whose value Snowflake would not hold exactly, by column; `types` are Snowflake's."""
    found: dict[str, list[int]] = {}
    for name, type_ in types.items():
        if not (wrong := unfit_in_sql(field(name), type_)):
            continue
        suspects = connection.execute(
            f"select {number}, {field(name)} from read_parquet({literal(str(rows))}) where {wrong}"
        )
        bad = [row for row, value in _each(suspects) if not fits(value, type_)]
        if bad:
            found[name] = bad
    return found


def _each(result: Any) -> Iterator[tuple[int, Any]]:
    while some := result.fetchmany(1000):
        yield from some


def refuse(table: Table, unfit: Found, types: Mapping[str, str]) -> None:
    """Raise Misfit, to set the rows aside, or the error that names the first of them."""
    reasons: dict[int, str] = {}
    for name, rows in unfit.items():
        reason = f'column "{name[:60]}" has a value that is not exactly a {types[name].lower()}'
        reasons = {**dict.fromkeys(rows, reason), **reasons}
    if not reasons:
        return
    if table.schema_policy == "quarantine":
        raise Misfit(Numbered(reasons))
    first = min(reasons)
    raise RowsError(
        f"row {first}: {reasons[first]}",
        where=table.where,
        fix="declare the column as text, or set schemaPolicy to quarantine",
    )


def may_drop(table: Table, name: str, stored: Mapping[str, KeyColumn]) -> bool:
    """Whether a value may be left out, and its row kept."""
    key = stored[name].key if name in stored else name
    return table.on_misfit == "drop" and key not in {*table.wanted.required, *table.primary_key}
