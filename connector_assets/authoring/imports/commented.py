r"""Plain data with comments → YAML text, in which nothing that others wrote can be more than text.

A document to import from is a stranger's: a name in it may hold line breaks, a description what
looks like a directive or a template. So every text is quoted unless it is plainly a word, a comment
is one line of a bounded length, and no comment can begin another.

>>> to_yaml({"pagination": Noted({"type": "link_header"}, why="the answer declares a Link header")})
'pagination: # the answer declares a Link header\n  type: link_header\n'
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector_assets.legible import legible

WIDTH = 100
LONGEST_COMMENT = 240
_WORD = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
_NO_WORD = re.compile(
    r"(?:y|n|yes|no|on|off|true|false|null|nan|inf)|[A-Za-z_./-]*:|.*(?:---|\.\.\.).*",
    re.IGNORECASE,
)
_TOO_ODD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_ESCAPED = re.compile("[\x80-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


@dataclass(frozen=True)
class Noted:
    """A value with what is to be said of it.

    `why` stands beside the line: what the value was guessed from. `open` is a question, which
    stands above as `# TODO: …`. `above` are further lines there.
    """

    value: Any
    why: str = ""
    open: Sequence[str] = ()
    above: Sequence[str] = ()


def bare(value: Any) -> Any:
    """The data without its comments."""
    if isinstance(value, Noted):
        return bare(value.value)
    if isinstance(value, Mapping):
        return {key: bare(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [bare(one) for one in value]
    return value


def to_yaml(data: Mapping[str, Any], *, head: Sequence[str] = ()) -> str:
    """The document, with `head` as comments before it."""
    lines = [f"# {comment(one)}" for one in head]
    lines += _mapping(data, "")
    return "\n".join(lines) + "\n"


def comment(text: str) -> str:
    """`text` as one line that ends in itself: no line break, no `#`, and of bounded length."""
    flat = " ".join(legible(_TOO_ODD.sub(" ", text)).replace("#", "").split())
    return flat if len(flat) <= LONGEST_COMMENT else f"{flat[: LONGEST_COMMENT - 1]}…"


def _mapping(data: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in data.items():
        yield from _entry(f"{scalar(str(key))}:", value, indent)


def _sequence(items: Sequence[Any], indent: str) -> Iterator[str]:
    for item in items:
        noted = item if isinstance(item, Noted) else Noted(item)
        value = noted.value
        if not isinstance(value, Mapping) or not value or _flow(value, noted, f"{indent}- "):
            yield from _entry("-", item, indent)
            continue
        yield from _remarks(noted, indent)
        head, *rest = _mapping(value, f"{indent}  ")
        # Comments of the first key stand before the dash, or they would take its place.
        while head.lstrip().startswith("#"):
            yield indent + head.lstrip()
            head, *rest = rest
        yield f"{indent}- {head.lstrip()}"
        yield from rest


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    noted = value if isinstance(value, Noted) else Noted(value)
    yield from _remarks(noted, indent, beside=True)
    why = f" # {comment(noted.why)}" if noted.why else ""
    flow = _flow(noted.value, noted, f"{indent}{head} ")
    if flow is not None:
        yield f"{indent}{head} {flow}{why}"
        return
    yield f"{indent}{head}{why}"
    below = f"{indent}  "
    if isinstance(noted.value, Mapping):
        yield from _mapping(noted.value, below)
    else:
        yield from _sequence(noted.value, below)


def _remarks(noted: Noted, indent: str, *, beside: bool = False) -> Iterator[str]:
    yield from (f"{indent}# {comment(one)}" for one in noted.above)
    yield from (f"{indent}# TODO: {comment(one)}" for one in noted.open)
    if noted.why and not beside:
        yield f"{indent}# {comment(noted.why)}"


def _flow(value: Any, noted: Noted, before: str) -> str | None:
    """A scalar, or a collection that fits the line and has no comment within; else None."""
    if not isinstance(value, Mapping | list | tuple):
        return scalar(value)
    if not value:
        return "{}" if isinstance(value, Mapping) else "[]"
    if _has_notes(value):
        return None
    room = WIDTH - len(before) - (len(noted.why) and min(len(noted.why), 20))
    shown = _in_flow(value, room)
    return shown if shown is not None and len(shown) <= room else None


def _has_notes(value: Any) -> bool:
    if isinstance(value, Noted):
        return True
    inner = value.values() if isinstance(value, Mapping) else value
    return isinstance(value, Mapping | list | tuple) and any(map(_has_notes, inner))


def _in_flow(value: Any, room: int) -> str | None:
    """In braces and brackets; None as soon as it is sure not to fit."""
    parts: list[str] = []
    if isinstance(value, Mapping):
        pairs = [(f"{scalar(str(key))}: ", one) for key, one in value.items()]
    elif isinstance(value, list | tuple):
        pairs = [("", one) for one in value]
    else:
        return scalar(value)
    for key, one in pairs:
        inner = _in_flow(one, room - len(key))
        room -= len(key) + len(inner or "") + 2
        if inner is None or room < 0:
            return None
        parts.append(key + inner)
    opened, closed = "{}" if isinstance(value, Mapping) else "[]"
    return f"{opened}{', '.join(parts)}{closed}"


def scalar(value: Any) -> str:
    """One value as YAML and JSON both read it; a text without quotes only where it is a word."""
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(str(value))
    if not isinstance(value, str):
        return json.dumps(value)
    text = _TOO_ODD.sub("", value)
    if _WORD.fullmatch(text) and not _NO_WORD.fullmatch(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
