"""JSON whose numbers, and keys that stand twice, stay as they are written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any


class Number(str):
    """A number by its digits: 1e-400 and 1.10 are no others after they were read."""

    __slots__ = ()


class Members(list[tuple[str, Any]]):
    """An object in which a key stands twice."""


def read_json(text: str) -> Any:
    """The data of a document; ValueError or RecursionError for what is none."""
    return json.loads(
        text,
        parse_int=Number,
        parse_float=Number,
        parse_constant=Number,
        object_pairs_hook=_object,
    )


def _object(pairs: list[tuple[str, Any]]) -> Any:
    named = dict(pairs)
    return named if len(named) == len(pairs) else Members(pairs)


def members(value: Any) -> Iterator[tuple[str, Any]] | None:
    """The keys of an object with their values; None where it is none."""
    if isinstance(value, dict):
        return iter(value.items())
    return iter(value) if isinstance(value, Members) else None


def made_anew(value: Any, pairs: list[tuple[str, Any]]) -> Any:
    """An object of the same kind as `value`."""
    return Members(pairs) if isinstance(value, Members) else dict(pairs)


def write_json(value: Any, indent: str = "", *, step: str = " ") -> str:
    """The document, a line for each value; with `step=""` all in one line."""
    return "".join(_pieces(value, indent, step))


def _pieces(value: Any, indent: str, step: str) -> Iterator[str]:
    pairs = members(value)
    if pairs is not None:
        yield from _grouped(list(pairs), "{}", indent, step, _member)
    elif isinstance(value, list | tuple):
        yield from _grouped(list(value), "[]", indent, step, _pieces)
    else:
        yield value if isinstance(value, Number) else _text(value)


def _grouped(
    inner: list[Any], signs: str, indent: str, step: str, pieces: Callable[..., Iterator[str]]
) -> Iterator[str]:
    deeper = indent + step
    line, end = (f"\n{deeper}", f"\n{indent}") if step and inner else ("", "")
    yield signs[0]
    for number, one in enumerate(inner):
        yield ("," if number else "") + (line or (" " if number else ""))
        yield from pieces(one, deeper, step)
    yield end + signs[1]


def _member(pair: tuple[str, Any], indent: str, step: str) -> Iterator[str]:
    yield f"{_text(pair[0])}: "
    yield from _pieces(pair[1], indent, step)


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, which a file cannot hold but by its number
        return json.dumps(value)
    return text


def plain_numbers(value: Any) -> Any:
    """The data with Python's own numbers, for what need not be more exact."""
    pairs = members(value)
    if pairs is not None:
        return {key: plain_numbers(one) for key, one in pairs}
    if isinstance(value, list):
        return [plain_numbers(one) for one in value]
    if isinstance(value, Number):
        return int(value) if value.lstrip("-").isdigit() else float(value)
    return value
