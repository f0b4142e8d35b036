"""Exact casts in DuckDB: the expression, and the condition under which it would change a value.

DuckDB's own casts round and guess in silence: '1.5' is 2 as an integer, a text with an offset loses
it as a TIMESTAMP, a DATE drops the hour.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from connector_assets.load.columns.times import strftime
from connector_assets.load.duckdb.sql import is_nested, literal, quoted, with_texts

_NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT|U?INTEGER|DOUBLE|FLOAT|BOOLEAN|DECIMAL.*")
_INTEGERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT|U?INTEGER")
_FLOATS = {"FLOAT", "DOUBLE"}
_NUMBER = r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*"
_NOT_ZERO = r"^[^eE]*[1-9]"
_DECIMAL = re.compile(r"DECIMAL\(\d+,(\d+)\)")
# No "epoch", "infinity" or years BC, and no year 0, which DuckDB takes for 1 BC.
_DAY = r"\s*0{0,3}[1-9]\d{0,5}[-/ ]\d{1,2}[-/ ]\d{1,2}"
_CLOCK = r"\s*\d{1,2}:\d{2}(:\d{2}(\.\d{0,6}0*)?)?"
_SPELLED = {
    "BOOLEAN": r"\s*([tT]rue|TRUE|[fF]alse|FALSE|1|0)\s*",
    "DATE": _DAY + r"([T ]0?0:00(:00(\.0*)?)?\s*(Z|[+-]00(:?00)?)?)?\s*",
    "TIME": _CLOCK + r"\s*",
    # DuckDB takes a day for its midnight, any number for an interval, and no bits for one of them.
    "TIME WITH TIME ZONE": _CLOCK + r"\s*(Z|[+-]\d{2}(:?\d{2}){0,2})?\s*",
    "INTERVAL": r"[^+]*[a-df-zA-DF-Z:][^+]*",
    "BIT": r"[01]+",
    **dict.fromkeys(
        ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"),
        _DAY + r"([T ]\s*\d[^(]*)?Z?\s*",
    ),
}
_DECIMALS = {"TIMESTAMP_S": 0, "TIMESTAMP_MS": 3, "TIMESTAMP_NS": 9}


@dataclass(frozen=True, slots=True)
class Cast:
    """`value` is the SQL of the new value; `unfit` is true where the old one does not fit."""

    value: str
    unfit: str = "false"


def time_cast(text: str, shape: str, type_: str) -> Cast:
    """A text of that shape as a time: it must look the same when written again."""
    again = f"strftime(TRY_CAST({text} AS TIMESTAMP), {literal(strftime(shape))})"
    # There is no year 0: DuckDB takes it for 1 BC, and other stores for something else.
    is_other = f"({again} IS DISTINCT FROM {text} OR {text} < '0001')"
    return Cast(f"CAST({text} AS {type_})", f"({text} IS NOT NULL AND {is_other})")


def exact_cast(value: str, source: str, target: str) -> Cast:
    """A value as another type: no digit, hour or field may be lost."""
    if source == target:
        return Cast(value)
    if target == "JSON":
        return Cast(f"to_json({value})")
    if is_nested(target):
        return _nested_cast(value, source, target)
    if source == "JSON":
        return _text_cast(f"({value} ->> '$')", target)
    if source == "VARCHAR" or not _NUMBERS.fullmatch(target):
        return _text_cast(f"CAST({value} AS VARCHAR)", target)
    cast = f"TRY_CAST({value} AS {target})"
    back = f"TRY_CAST({cast} AS {source})"
    changed = f"({cast} IS NULL OR {back} IS DISTINCT FROM {value})"
    if (source, target) == ("DOUBLE", "FLOAT"):
        changed = f"({changed} AND {_as_written(cast)} IS DISTINCT FROM {value})"
    return Cast(cast, f"({value} IS NOT NULL AND {'true' if source == 'BOOLEAN' else changed})")


def _as_written(number: str) -> str:
    """A float as the double that its digits say: 0.1 is none to the last bit, but is written so."""
    return f"TRY_CAST(CAST({number} AS VARCHAR) AS DOUBLE)"


def holds_digits(type_: str) -> bool:
    """Whether the type may hold digits that a double has not."""
    return bool(type_ == "VARCHAR" or _INTEGERS.fullmatch(type_) or _DECIMAL.fullmatch(type_))


def without_nanoseconds(name: str) -> str:
    """A column as microseconds, which other stores have, or an error: they would round."""
    column = quoted(name)
    message = literal(f'column "{name[:60]}" has nanoseconds, which this store cannot hold')
    exact = f"CAST(CAST({column} AS TIMESTAMP) AS TIMESTAMP_NS) IS NOT DISTINCT FROM {column}"
    return f"CASE WHEN {exact} THEN CAST({column} AS TIMESTAMP) ELSE error({message}) END"


def _text_cast(text: str, target: str) -> Cast:
    cast = f"TRY_CAST({text} AS {target})"
    if target.startswith("TIMESTAMP") and target != "TIMESTAMP WITH TIME ZONE":
        cast = _without_offset(text, target)
    return Cast(
        cast, f"({text} IS NOT NULL AND ({cast} IS NULL OR NOT {_is_spelled(text, target)}))"
    )


def _is_spelled(text: str, target: str) -> str:
    if target in _FLOATS:
        # DuckDB takes more texts, as "nan", and numbers that are infinite, or 0, as a double.
        number = f"TRY_CAST({text} AS {target})"
        is_zero = f"NOT regexp_matches({text}, {literal(_NOT_ZERO)})"
        kept = f"isfinite({number}) AND ({number} <> 0 OR {is_zero})"
        if target == "FLOAT":
            double = f"TRY_CAST({text} AS DOUBLE)"
            kept += f" AND ({number} = {double} OR {_as_written(number)} = {double})"
        return f"(regexp_full_match({text}, {literal(_NUMBER)}) AND {kept})"
    if holds_digits(target) and target != "VARCHAR":
        return _is_exact(text, target)
    if target not in _SPELLED:
        return "true"
    spelled = f"regexp_full_match({text}, {literal(_SPELLED[target])})"
    if target.startswith("TIMESTAMP") or target == "INTERVAL":
        finer = rf"\.\d{{{_DECIMALS.get(target, 6)}}}\d*[1-9]"
        return f"({spelled} AND NOT regexp_matches({text}, {literal(finer)}))"
    return spelled


def _without_offset(text: str, target: str) -> str:
    """A text as UTC: straight to TIMESTAMP its offset would be dropped; the session is in UTC."""
    utc = f"CAST(TRY_CAST({text} AS TIMESTAMP WITH TIME ZONE) AS TIMESTAMP)"
    if target != "TIMESTAMP_NS":
        return utc if target == "TIMESTAMP" else f"TRY_CAST({utc} AS {target})"
    # Only microseconds come through that; the three digits below are the same in any zone.
    below = f"epoch_ns(TRY_CAST({text} AS TIMESTAMP_NS)) % 1000"
    return f"TRY(make_timestamp_ns(epoch_ns({utc}) + ({below} + 1000) % 1000))"


def _is_exact(text: str, target: str) -> str:
    """Whether a number is one of a decimal or integer type, whose casts from text round."""
    scale = found[1] if (found := _DECIMAL.fullmatch(target)) else "0"
    plain = rf"regexp_full_match({text}, '\s*[+-]?\d*(\.\d{{0,{scale}}}0*)?\s*')"
    again = f"CAST(TRY_CAST({text} AS {target}) AS VARCHAR)"
    size = f"TRY_CAST({text} AS DOUBLE) = TRY_CAST({again} AS DOUBLE)"
    power = f"regexp_full_match({text}, {literal(_NUMBER)}) AND {size}"
    return f"({plain} OR ({power} AND {_digits(text)} = {_digits(again)}))"


def _digits(text: str) -> str:
    """A number's digits without zeros around them, which its size tells."""
    return f"trim(regexp_replace({text}, '[eE].*|[^0-9]', '', 'g'), '0')"


def _nested_cast(value: str, source: str, target: str) -> Cast:
    if source != "JSON":
        return Cast(f"CAST(NULL AS {target})", f"({value} IS NOT NULL)")
    import duckdb

    structure = json.dumps(_structure(duckdb.type(target)))
    cast = f"json_transform({value}, {literal(structure)})"
    # Decimals come as texts with all places, see digits; as numbers both would be doubles here.
    texts = with_texts(target, r"DECIMAL\(\d+,\d+\)")
    back = f"to_json({cast if texts == target else f'CAST({cast} AS {texts})'})"
    # Keys that the type lacks and leaves that it changes are missing from what it gives back.
    whole = f"json_contains({_numbers(back)}, {_numbers(value)})"
    return Cast(cast, f"({value} IS NOT NULL AND NOT coalesce({whole}, false))")


def _numbers(value: str) -> str:
    """JSON with 1.0 written as 1, since a double column gives back the former."""
    return rf"regexp_replace(CAST({value} AS VARCHAR), '(\d)\.0+([,\]}}])', '\1\2', 'g')"


def _structure(type_: Any) -> Any:
    """A nested `DuckDBPyType` as `json_transform` wants it: {"a": "BIGINT", "b": ["VARCHAR"]}."""
    if type_.id == "struct":
        return {name: _structure(child) for name, child in type_.children}
    if type_.id == "list":
        return [_structure(type_.children[0][1])]
    return str(type_)
