"""The functions, filters and methods of a manifest's templates, by what a spec says instead.

Source: the macros and filters of Airbyte's low-code CDK, and Jinja's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from connector_assets.authoring.imports.airbyte.code import (
    ABSENT,
    Code,
    Const,
    Value,
    as_text,
    literal,
    operand,
    piped,
    written,
)
from connector_assets.authoring.imports.airbyte.jinja_trees import Refused
from connector_assets.spec.names import dates

Make = Callable[..., Value]
_EPOCHS = {"%s": "epoch", "%ms": "epoch_ms"}
_DAY_DELTA = Const("%Y-%m-%dT%H:%M:%S.%f%z")
_EMPTY, _SPACE, _ZERO, _NO, _MD5 = Const(""), Const(" "), Const(0), Const(value=False), Const("md5")


def formatted(value: Value, pattern: Value) -> Value:
    """A time by a pattern, which may be one that only a manifest has."""
    if not isinstance(pattern, Const) or not isinstance(pattern.value, str):
        return piped(value, f"date({written(pattern)})", kind="string")
    text = pattern.value
    if text in _EPOCHS:
        return piped(value, _EPOCHS[text], kind="number")
    check_pattern(text)
    return piped(value, f"date({literal(text)})", kind="string")


def check_pattern(text: str) -> None:
    """Refuse a pattern of dates that a spec does not know."""
    try:
        dates.check_format(text)
    except dates.DateError:
        raise Refused(f"the date format {text}") from None


def _format_datetime(value: Value, pattern: Value, given: Value = ABSENT) -> Value:
    if isinstance(given, Const) and isinstance(given.value, str):
        if given.value not in ("%s", "%ms", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"):
            check_pattern(given.value)
            value = piped(value, f"parse_date({literal(given.value)})")
        elif given.value == "%ms":
            value = Code(f"({operand(value)} | int) // 1000", 7)
        elif given.value == "%s":
            value = piped(value, "int")
    return formatted(value, pattern)


def _day_delta(days: Value, pattern: Value = _DAY_DELTA) -> Value:
    if not isinstance(days, Const) or not isinstance(days.value, int):
        raise Refused("day_delta of a computed number of days")
    sign = "-" if days.value < 0 else "+"
    moved = f"now() {sign} duration('P{abs(days.value)}D')" if days.value else "now()"
    return formatted(Code(moved, 5 if days.value else 9), pattern)


def _duration(text: Value) -> Value:
    return Code(f"duration({written(text)})")


def _extreme(name: str) -> Make:
    def make(*values: Value) -> Value:
        if len(values) == 1:
            return piped(values[0], name)
        if all(isinstance(one, Const) for one in values):
            known = [one.value for one in values if isinstance(one, Const)]
            return Const(max(known) if name == "max" else min(known))
        return Code(f"[{', '.join(map(written, values))}] | {name}")

    return make


def _timestamp(value: Value) -> Value:
    return piped(value, "epoch", kind="number")


FUNCTIONS: dict[str, Make] = {
    "now_utc": lambda: Code("now()", kind="time"),
    "today_utc": lambda: Code("today()", kind="date"),
    "day_delta": _day_delta,
    "duration": _duration,
    "format_datetime": _format_datetime,
    "timestamp": _timestamp,
    "str_to_datetime": lambda value: value,
    "max": _extreme("max"),
    "min": _extreme("min"),
    "sanitize_url": lambda value: piped(value, "urlencode", kind="string"),
}


def _default(value: Value, otherwise: Value = _EMPTY, empty: Value = _NO) -> Value:
    if isinstance(value, Const):
        lacks = value.value is None or (
            isinstance(empty, Const) and empty.value and not value.value
        )
        return otherwise if lacks else value
    if isinstance(empty, Const) and empty.value:
        return Code(f"{value.at(1)} or {written(otherwise, 2)}", 1)
    bare = value.text.removesuffix(" | default(none)")
    return Code(f"{bare} | default({written(otherwise)})", 9, value.kind)


def _hash(value: Value, kind: Value = _MD5, salt: Value = ABSENT) -> Value:
    if not isinstance(kind, Const) or kind.value not in ("md5", "sha256"):
        raise Refused("a hash other than md5 and sha256")
    text = piped(value, "string")
    if salt != ABSENT:
        text = Code(f"({text.text} ~ {written(salt, 7)})")
    return piped(text, str(kind.value), kind="string")


def _replaced(value: Value, old: Value, new: Value) -> Value:
    if all(isinstance(one, Const) and isinstance(one.value, str) for one in (value, old, new)):
        return Const(value.value.replace(old.value, new.value))  # type: ignore[union-attr]
    return piped(value, f"replace({written(old)}, {written(new)})", kind="string")


def _regex_search(value: Value, pattern: Value) -> Value:
    if isinstance(pattern, Const) and isinstance(pattern.value, str):
        if re.search(r"\(\?[=!<]|\\[1-9]", pattern.value):
            raise Refused("a regular expression that looks around or back")
        if "(" not in pattern.value:
            # There the CDK finds nothing, as the pattern has no group.
            return Const("")
    return piped(value, f"regex_search({written(pattern)})", kind="string")


def _named(name: str, kind: str = "") -> Make:
    def make(value: Value, *arguments: Value) -> Value:
        given = f"({', '.join(map(written, arguments))})" if arguments else ""
        return piped(value, f"{name}{given}", kind=kind)

    return make


def _folded(name: str, fold: Callable[[Any], Any], kind: str = "string") -> Make:
    """A filter without arguments, computed where its value is known."""

    def make(value: Value, *_: Value) -> Value:
        if isinstance(value, Const) and value.value is not None:
            try:
                return Const(fold(value.value))
            except (TypeError, ValueError, AttributeError):
                raise Refused(f'"{name}" of a constant that it is not for') from None
        return piped(value, name, kind=kind)

    return make


def _number(value: Value, otherwise: Value = _ZERO) -> Value:
    del otherwise
    if isinstance(value, Const):
        return Const(int(value.value or 0))
    return piped(value, "int", kind="number")


def _picked(at: int) -> Make:
    return lambda value: Code(f"{operand(value)}[{at}]")


FILTERS: dict[str, Make] = {
    "default": _default,
    "d": _default,
    "int": _number,
    "float": _named("float", "number"),
    "string": _folded("string", str),
    "lower": _folded("lower", str.lower),
    "upper": _folded("upper", str.upper),
    "trim": _folded("trim", str.strip),
    "replace": _replaced,
    "join": lambda value, by=_EMPTY: piped(value, f"join({written(by)})", kind="string"),
    "length": _named("length", "number"),
    "count": _named("length", "number"),
    "min": _named("min"),
    "max": _named("max"),
    "first": _picked(0),
    "last": _picked(-1),
    "tojson": _named("json", "string"),
    "urlencode": _named("urlencode", "string"),
    "hash": _hash,
    "hmac": lambda value, key, *_: piped(piped(value, "string"), f"hmac({written(key)})"),
    "base64encode": _named("base64", "string"),
    "base64decode": _named("base64_decode", "string"),
    "base64binascii_decode": _named("base64", "string"),
    "regex_search": _regex_search,
    "list": lambda value: value,
}


def _isoformat(value: Value, *arguments: Value) -> Value:
    precise = len(arguments) > 1 and arguments[1] == Const("seconds")
    pattern = "%Y-%m-%dT%H:%M:%S+00:00" if precise else "%Y-%m-%dT%H:%M:%S.%f+00:00"
    if isinstance(value, Code) and value.kind == "date":
        pattern = "%Y-%m-%d"
    return piped(value, f"date({literal(pattern)})", kind="string")


def _joined_by(by: Value, values: Value) -> Value:
    return piped(values, f"join({written(by)})", kind="string")


def _split(value: Value, by: Value = _SPACE, *_: Value) -> Value:
    if isinstance(value, Const) and isinstance(by, Const) and isinstance(value.value, str):
        return Const(value.value.split(by.value))
    return piped(value, f"split({written(by)})")


def _sure(value: Value) -> str:
    """A text that can be cut, also where it lacks."""
    return operand(as_text(value) if isinstance(value, Code) else value)


def _strip(value: Value, *what: Value) -> Value:
    if what:
        return _strip_end(_strip_start(value, *what), *what)
    return FILTERS["trim"](value)


def _strip_end(value: Value, what: Value = _SPACE) -> Value:
    return _stripped(value, what, str.rstrip, "^(.*?)[{}]*$")


def _strip_start(value: Value, what: Value = _SPACE) -> Value:
    return _stripped(value, what, str.lstrip, "^[{}]*(.*)$")


def _stripped(value: Value, what: Value, strip: Callable[..., str], pattern: str) -> Value:
    if not isinstance(what, Const) or not isinstance(what.value, str):
        raise Refused("characters to strip that are computed")
    if isinstance(value, Const):
        return Const(strip(str(value.value), what.value))
    found = pattern.format(re.escape(what.value))
    return piped(value, f"regex_search({literal(found)})", kind="string")


def _starts(value: Value, with_: Value) -> Value:
    if not isinstance(with_, Const) or not isinstance(with_.value, str):
        raise Refused("startswith of a computed text")
    return Code(f"{_sure(value)}[:{len(with_.value)}] == {literal(with_.value)}", 4, "boolean")


def _ends(value: Value, with_: Value) -> Value:
    if not isinstance(with_, Const) or not isinstance(with_.value, str) or not with_.value:
        raise Refused("endswith of a computed text")
    return Code(f"{_sure(value)}[-{len(with_.value)}:] == {literal(with_.value)}", 4, "boolean")


def _got(value: Value, key: Value, otherwise: Value = ABSENT) -> Value:
    if isinstance(value, Const) and isinstance(value.value, dict) and isinstance(key, Const):
        return Const(value.value.get(key.value)) if key.value in value.value else otherwise
    # `(x or {}).get('y')`: what lacks has no field either.
    otherwise = ABSENT if otherwise == Const({}) else otherwise
    return Code(f"{operand(value)}[{written(key)}] | default({written(otherwise)})")


METHODS: dict[str, Make] = {
    "get": _got,
    "strftime": formatted,
    "isoformat": _isoformat,
    "join": _joined_by,
    "split": _split,
    "strip": _strip,
    "rstrip": _strip_end,
    "lstrip": _strip_start,
    "lower": _folded("lower", str.lower),
    "upper": _folded("upper", str.upper),
    "replace": _replaced,
    "startswith": _starts,
    "endswith": _ends,
    "timestamp": lambda value: piped(value, "epoch", kind="number"),
    "date": lambda value: piped(value, "date('%Y-%m-%d')", kind="string"),
}
