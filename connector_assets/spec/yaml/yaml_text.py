"""The text of a document before and beside YAML: its characters, its lines, what broke it."""

from __future__ import annotations

import re
from pathlib import Path

from connector_assets.errors import Fault, SpecError

MAX_BYTES = 1 << 20

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_BARE_TEMPLATE = re.compile(r"(?:^|[:\-,\[])\s*\{\{")


def read_file(path: str | Path) -> bytes:
    """The bytes of a document, no more of them than one may have and one."""
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        fault = Fault("", f"cannot be read: {reason}")
        raise SpecError([fault], source=str(path)) from None


def split_lines(text: str) -> list[str]:
    """Lines as YAML counts them."""
    return _LINE_BREAK.split(text)


def offset(text: str, line: int, column: int) -> int:
    """How many characters stand before a line and column, both from 1."""
    start = 0
    for found in _LINE_BREAK.finditer(text):
        if line == 1:
            break
        line, start = line - 1, found.end()
    return start + column - 1


def decode(text: str | bytes, source: str | None) -> str:
    """Text without a byte order mark, every character of which YAML allows."""
    if len(text) > MAX_BYTES:
        raise SpecError([Fault("", "is larger than 1 MiB; split it", 1, 1)], source=source)
    if isinstance(text, bytes):
        text = _decode_utf8(text, source)
    text = text.removeprefix("\ufeff")
    found = _UNPRINTABLE.search(text)
    if found:
        message = f"has the control character U+{ord(found[0]):04X}; remove it"
        raise SpecError([Fault("", message, *_end(text[: found.start()]))], source=source)
    return text


def _decode_utf8(raw: bytes, source: str | None) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        end = _end(raw[: error.start].decode("utf-8"))
        fault = Fault("", "is not UTF-8 text; save the file as UTF-8", *end)
        raise SpecError([fault], source=source) from None


def _end(text: str) -> tuple[int, int]:
    lines = split_lines(text.removeprefix("\ufeff"))
    return len(lines), len(lines[-1]) + 1


def explain(problem: str, context: str, line: str, column: int) -> str:
    """What libyaml found, or what people mostly did to get there."""
    at = line[column - 1 : column]
    for applies, meaning in (
        (_BARE_TEMPLATE.search(line), 'quote text that begins with "{{"'),
        (at == "\t" or "tab character" in problem, "found a tab; indent with spaces"),
        (
            "incompatible YAML document" in problem,
            "it asks for another YAML version; use 1.2, or leave %YAML out",
        ),
        (
            "scanning an alias" in context or "scanning an anchor" in context,
            'quote text that begins with "*" or "&"',
        ),
        (at and at in "@`%", f'quote text that begins with "{at}"'),
        (
            "mapping values are not allowed" in problem,
            'found a second ":"; quote text that holds ": "',
        ),
    ):
        if applies:
            return meaning
    return f"{problem}; check quotes, brackets and indentation"
