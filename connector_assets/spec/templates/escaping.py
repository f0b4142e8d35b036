"""Rendered values in their place: what may stand in an origin, a host, a path, a query, a header.

A template's own text stands as its author wrote it. A value is data: it can never change the host,
add or remove a path segment, start a query or a header line. A constant of the spec is its author's
text, too: in a path its slashes part segments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import punctuation
from urllib.parse import quote, unquote

from connector_assets.errors import ConfigError

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_NAME = rf"{_LABEL}(?:\.{_LABEL})*"
# 0 to 65535.
_DIGITS = (
    r"(?:[0-9]{1,4}|[1-5][0-9]{4}|6(?:[0-4][0-9]{3}|5(?:[0-4][0-9]{2}|5(?:[0-2][0-9]|3[0-5]))))"
)
_PORT = re.compile(_DIGITS)
_HOST = re.compile(rf"{_NAME}")
_AUTHORITY = re.compile(rf"(?:{_NAME}|\[[0-9A-Fa-f:.]+\])(?::{_DIGITS})?")
_ORIGIN = re.compile(
    rf"https?://{_AUTHORITY.pattern}(?P<path>(?:/(?:[\w.~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{{2}})+)*/?)",
    re.IGNORECASE | re.ASCII,
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LONGEST_HOST = 253


@dataclass(frozen=True, slots=True)
class Value:
    """What one expression gave, and its names for an error."""

    text: str
    label: str
    is_constant: bool = False


class Constant(str):
    """A text that stands in the spec itself, as a stream's literal `vars` do."""

    __slots__ = ()


Parts = Sequence[str | Value]


def header(text: str, label: str) -> str:
    """`text` if it can be a header's value: Latin-1, one line, no space at its ends."""
    if _CONTROL.search(text):
        raise ConfigError(
            "a header value cannot hold a line break or control character",
            where=label,
            fix="remove it",
        )
    if text != text.strip(" "):
        raise ConfigError("the header value begins or ends with a space", where=label)
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        raise ConfigError(
            "a header value holds Latin-1 characters only",
            where=label,
            fix="use urlencode or base64",
        ) from None
    return text


def url(parts: Parts) -> str:
    """A URL whose values are escaped by place; it is ASCII and fit to be sent.

    Parts that begin with a value take an origin, and perhaps a path prefix, from it.
    """
    for part in parts:
        if isinstance(part, str):
            _check_literal(part)
    head, rest = _head(parts)
    path, query = _cut(rest, "?")
    tail = "/".join([_segment(segment) for segment in _segments(path)])
    if not head and (tail.startswith("//") or ":" in tail.partition("/")[0]):
        raise ConfigError("a relative URL begins with a path", fix="write https:// and a host")
    return head + tail + "".join(map(_escaped, query))


def _check_literal(text: str) -> None:
    if _CONTROL.search(text) or "\\" in text:
        raise ConfigError("a URL cannot hold a backslash or control character", fix="remove it")
    if "#" in text:
        raise ConfigError('a URL\'s "#" part is never sent', fix="remove it, or write %23")


def _head(parts: Parts) -> tuple[str, Parts]:
    """Scheme, host and port (nothing if relative), and the parts after them."""
    if parts and isinstance(parts[0], Value):
        after = parts[1] if len(parts) > 1 else ""
        if isinstance(after, Value) or (after and after[0] not in "/?"):
            raise ConfigError(
                "after the origin comes a path", where=parts[0].label, fix='add a "/"'
            )
        origin = _origin(parts[0])
        return (origin.removesuffix("/") if after.startswith("/") else origin), parts[1:]
    scheme = _SCHEME.match(parts[0]) if parts and isinstance(parts[0], str) else None
    if not scheme:
        return "", parts
    if scheme[1].lower() not in ("http", "https"):
        raise ConfigError(f'the scheme "{scheme[1]}" is not known', fix="use https")
    authority, rest = _cut([scheme.string[scheme.end() :], *parts[1:]], "/?")
    return scheme[0] + _authority(authority), rest


def _origin(value: Value) -> str:
    found = _ORIGIN.fullmatch(value.text)
    segments = found["path"].split("/") if found else []
    if not found or any(unquote(segment) in (".", "..") for segment in segments):
        raise ConfigError(
            "is not an origin",
            where=value.label,
            fix="give https://host, perhaps with a port and a path; no user, query or fragment",
        )
    return value.text


def _authority(parts: Parts) -> str:
    text = ""
    values = [part for part in parts if isinstance(part, Value)]
    for part in parts:
        if isinstance(part, Value):
            _check_host_value(part, is_port=text.endswith(":"))
        elif "@" in part:
            raise ConfigError("a URL cannot hold a user or password", fix="use auth")
        text += part.text if isinstance(part, Value) else part
    if values and not (_AUTHORITY.fullmatch(text) and len(text) <= _LONGEST_HOST):
        raise ConfigError("does not make a host name", where=values[0].label)
    if not text:
        raise ConfigError("the URL has no host", fix="write one after https://")
    return text


def _check_host_value(value: Value, *, is_port: bool) -> None:
    if not (_PORT if is_port else _HOST).fullmatch(value.text):
        raise ConfigError(
            "cannot stand in a port" if is_port else "cannot stand in a host name",
            where=value.label,
            fix="give digits only" if is_port else "give letters, digits, hyphens and dots only",
        )


def _cut(parts: Parts, marks: str) -> tuple[Parts, Parts]:
    """The parts before the first of `marks` in a literal, and from there on."""
    for at, part in enumerate(parts):
        found = re.search(f"[{marks}]", part) if isinstance(part, str) else None
        if found:
            start = found.start()
            return [*parts[:at], found.string[:start]], [found.string[start:], *parts[at + 1 :]]
    return parts, []


def _segments(parts: Parts) -> Iterator[list[str | Value]]:
    """The parts of each path segment: literal slashes part them."""
    segment: list[str | Value] = []
    for part in parts:
        first, *others = _between_slashes(part)
        segment.append(first)
        for piece in others:
            yield segment
            segment = [piece]
    yield segment


def _between_slashes(part: str | Value) -> list[str | Value]:
    if isinstance(part, str):
        return [*part.split("/")]
    if not part.is_constant:
        return [part]
    return [Value(text, part.label) for text in part.text.split("/")]


def _segment(parts: list[str | Value]) -> str:
    text = "".join(map(_escaped, parts))
    label = next((part.label for part in parts if isinstance(part, Value)), "")
    if label and not text:
        raise ConfigError(
            "is empty where a path segment is needed", where=label, fix="give a value"
        )
    # Encoded dots are dot segments too, so these two cannot be escaped.
    if unquote(text) in (".", ".."):
        raise ConfigError('makes the path segment "." or ".."', where=label, fix="give a name")
    return text


def _escaped(part: str | Value) -> str:
    if isinstance(part, Value):
        return quote(part.text, safe="")
    return quote(part, safe=punctuation)
