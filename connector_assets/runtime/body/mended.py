r"""Bodies that would be JSON but for NaN, Infinity, or half a character (\ud800) in a text.

Their tokens are replaced: by what the stream says, or by a text with a mark that no server knows,
so that the rows are found by the usual way and those with a mark can be told apart.

    [{"v": NaN}, {"v": "\ud800"}]
    [{"v": "<mark>NaN"}, {"v": "<mark>\\ud800"}]
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import IO

from connector_assets.errors import ResponseError
from connector_assets.runtime.body.json_document import ESCAPE
from connector_assets.runtime.body.large_text import text_of
from connector_assets.runtime.body.page import Page, json_text
from connector_assets.runtime.http.exchange import Answer
from connector_assets.runtime.http.spill import BEGINNING, Temporary
from connector_assets.runtime.rows.record import fields_of
from connector_assets.spec.stream.odd_text import OddText
from connector_assets.spec.stream.stream import Stream

# Every text, whole or cut off by the end of what was read; what JSON has not between them.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|NaN|-?Infinity', re.DOTALL)
_LONGEST = len(b"-Infinity")
_READ = 1 << 20
_REPLACED = rb"\ufffd"
_MARK = secrets.token_hex(16).encode()
_FORMATS = {"json", "jsonl"}


@dataclass(frozen=True)
class Mending:
    """What a stream says of such tokens; `sets_aside`: of rows that it cannot take as well."""

    text: OddText = field(default_factory=OddText)
    sets_aside: bool = False


AS_JSON_HAS_IT = Mending()


def mending_of(stream: Stream) -> Mending:
    """What `stream` says."""
    return Mending(stream.text, stream.schema_policy == "quarantine")


@dataclass(slots=True)
class _Mended:
    """How many tokens were replaced, and how many of them have a mark."""

    count: int = 0
    marks: int = 0


def mended(answer: Answer, form: str, how: Mending) -> tuple[Answer, int] | None:
    """The answer as JSON, and the number of marks in it; None where there is nothing of that."""
    if form not in _FORMATS:
        return None
    done = _Mended()
    if answer.file is None:
        body = _TOKEN.sub(lambda found: _mend(found[0], how.text, done), json_text(answer))
        fixed = replace(answer, body=body)
    else:
        out = Temporary()
        for piece in _pieces(text_of(answer), how.text, done):
            out.write(piece)
        out.seek(0)
        fixed = replace(answer, body=out.read(BEGINNING), file=out)
    return (fixed, done.marks) if done.count else None


def _pieces(file: IO[bytes], text: OddText, done: _Mended) -> Iterator[bytes]:
    """What is in `file`, mended; no token is cut."""
    held = b""
    while step := file.read(max(_READ, len(held))):
        read = held + step
        end, out = len(read) - _LONGEST, []
        at = 0
        for found in _TOKEN.finditer(read):
            is_open = found[0][:1] == b'"' and (found.end() == len(read))
            if found.start() >= end or is_open:
                break
            out += [read[at : found.start()], _mend(found[0], text, done)]
            at = found.end()
        else:
            found = None
        stop = max(at, min(end, found.start() if found else end))
        yield b"".join([*out, read[at:stop]])
        held = read[stop:]
    yield _TOKEN.sub(lambda found: _mend(found[0], text, done), held)


def _mend(token: bytes, text: OddText, done: _Mended) -> bytes:
    if token[:1] != b'"':
        done.count += 1
        if text.nan == "nullify":
            return b"null"
        done.marks += 1
        return b'"%b%b"' % (_MARK, token)
    if b"\\u" not in token:
        return token
    return ESCAPE.sub(lambda found: _half(found, text, done), token)


def _half(found: re.Match[bytes], text: OddText, done: _Mended) -> bytes:
    if not found[1]:
        return found[0]
    done.count += 1
    if text.surrogates == "refuse":
        done.marks += 1
        return rb"%b\\%b" % (_MARK, found[1])
    return _REPLACED if text.surrogates == "replace" else b""


def marks_in(page: Page) -> int:
    """How many marks are in the page's rows."""
    return sum(part.ndjson().count(_MARK) for part in page.parts())


def require_unmarked(page: Page) -> None:
    """Raise ResponseError naming the first row with a mark."""
    for part in page.parts():
        lines = part.ndjson()
        if _MARK not in lines:
            continue
        for number, line in enumerate(lines.splitlines(), part.rows_before + 1):
            if _MARK in line:
                raise ResponseError(f"row {number}: {_reason(line)}", fix=_fix(line))


def set_aside(lines: bytes, count: int) -> Iterator[tuple[bytes, int, tuple[bytes, str] | None]]:
    """The rows in their order: some that are whole, how many, and one that is not, with the reason.

    Mostly that is all of them and none.
    """
    if _MARK not in lines:
        yield lines, count, None
        return
    kept: list[bytes] = []
    for line in lines.splitlines(keepends=True):
        if _MARK not in line:
            kept.append(line)
            continue
        yield b"".join(kept), len(kept), (line.replace(_MARK, b""), _reason(line))
        kept = []
    yield b"".join(kept), len(kept), None


def _reason(line: bytes) -> str:
    for key, value in fields_of(line).items():
        name = key.replace(_MARK.decode(), "")[:60]
        if _MARK in bytes(value):
            return f'column "{name}" has {_word(bytes(value))}'
        if _MARK.decode() in key:
            return f'the key "{name}" has half a character'
    raise AssertionError("a marked line has its mark in a field")


def _word(value: bytes) -> str:
    token = value[value.index(_MARK) + len(_MARK) :]
    if token[:1] == b"\\":
        return f"half a character (\\{token[2:7].decode()}, a surrogate alone)"
    found = re.match(rb"-?[A-Za-z]+", token)
    return f"{found[0].decode() if found else 'NaN'}, which is no JSON number"


def _fix(line: bytes) -> str:
    is_half = line[line.index(_MARK) + len(_MARK) :][:1] == b"\\"
    setting = "text: {surrogates: replace}" if is_half else "text: {nan: nullify}"
    return (
        "set schemaPolicy to quarantine to set such rows aside, or "
        f"{setting} to {'replace it' if is_half else 'have null instead'}"
    )
