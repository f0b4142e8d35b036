"""Rows that no table can hold as they came: changed as the stream says, set aside, or an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from connector_assets.errors import ResponseError
from connector_assets.json_keys import KEY_TWICE_FIX, key_twice_within
from connector_assets.runtime.body.mended import set_aside
from connector_assets.spec.stream.stream import Stream

_ESCAPE = re.compile(rb"\\(?:(u0000)|.)", re.DOTALL)
_INSTEAD = {"strip": b"", "replace": rb"\ufffd"}


class WholeRows(NamedTuple):
    """Some rows that are whole, their number, and the one behind them that is not, with why."""

    lines: bytes
    number: int
    aside: tuple[bytes, str] | None = None


def runs(
    lines: bytes, count: int, stream: Stream, *, before: int, opens: bool
) -> Iterator[WholeRows]:
    """The rows of a page in their order, of which `before` came already.

    With `opens` they will be decoded, which keeps only the last of a key that stands twice; the
    table sees to that where they are not. Raises ResponseError for the first such row, unless the
    stream sets rows aside.
    """
    instead = _INSTEAD.get(stream.text.nul)
    if instead is not None and b"\\u0000" in lines:
        lines = _ESCAPE.sub(lambda found: instead if found[1] else found[0], lines)
    for some, number, aside in set_aside(lines, count):
        if opens:
            yield from _without_keys_twice(some, number, stream, before)
        else:
            yield WholeRows(some, number)
        before += number + 1
        if aside:
            yield WholeRows(b"", 0, aside)


def _without_keys_twice(
    lines: bytes, count: int, stream: Stream, before: int
) -> Iterator[WholeRows]:
    kept: list[bytes] = []
    found = [
        (n, key) for n, line in enumerate(lines.splitlines()) if (key := key_twice_within(line))
    ]
    if not found:
        yield WholeRows(lines, count)
        return
    if stream.schema_policy != "quarantine":
        number, key = found[0]
        what = f'row {before + number + 1} of a page has the key "{key[:60]}" twice'
        raise ResponseError(what, fix=KEY_TWICE_FIX)
    keys = dict(found)
    for number, line in enumerate(lines.splitlines(keepends=True)):
        if number not in keys:
            kept.append(line)
            continue
        reason = f'it has the key "{keys[number][:60]}" twice'
        yield WholeRows(b"".join(kept), len(kept), (line, reason))
        kept = []
    yield WholeRows(b"".join(kept), len(kept))
