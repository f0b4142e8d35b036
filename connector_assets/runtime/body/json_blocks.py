"""A JSON document cut into its rows and the rest, in one pass and in bounded memory.

    {"data": [{"id": 1}, {"id": 2}], "next": "c2"}
    {"id": 1}, {"id": 2}        the rows, some megabytes at a time
    {"data": [], "next": "c2"}  the envelope, which is read like any other body

Only brackets, strings and the commas between rows are looked at here. Whether it is JSON at all is
proven where the pieces are parsed: a cut in the wrong place leaves pieces that are not JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import IO, NamedTuple

import msgspec

from connector_assets.errors import ResponseError
from connector_assets.runtime.body import stored_rows
from connector_assets.runtime.body.json_document import is_list, refuse_other_than_json, row_list

Add = Callable[[bytes, int], None]

_READ = 1 << 20
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
# Each ends with a character that no longer match could end behind: a match is final, wherever the
# text that was read so far ends.
_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:%b[^"{}\[\]]*+)*+[{}\[\]]' % _STRING, re.DOTALL)
_COMMA = re.compile(rb'[^"{}\[\],]*+(?:%b[^"{}\[\],]*+)*+[{}\[\],]' % _STRING, re.DOTALL)
_BEGINNING = re.compile(rb"[ \t\r\n]*+[^ \t\r\n]")
_LIST = re.compile(rb"[ \t\r\n]*+(?:(\[)[ \t\r\n]*+)?+([^ \t\r\n])")
_KEY = re.compile(rb"[ \t\r\n]*+(%b)[ \t\r\n]*+:" % _STRING, re.DOTALL)
# How a row begins: an object with its first key.
_ROW = re.compile(rb'[ \t\r\n]*+(?:\{[ \t\r\n]*+%b[ \t\r\n]*+:|[\["])' % _STRING, re.DOTALL)
# More than the objects in a row that may begin as a row does; then brackets are counted.
_TRIES = 20
_OBJECT, _ARRAY, _END, _NEXT = b"{[],"
_OPENING = frozenset(b"{[")
_BLANK = b" \t\r\n"
_key = msgspec.json.Decoder(str)


class Cut(NamedTuple):
    """The document without its rows, and where they were; None: no list is there."""

    envelope: bytes
    keys: tuple[str, ...] | None


class _EndError(Exception):
    """The text ends in the middle."""


def cut(file: IO[bytes], keys: Sequence[str] | None, add: Add, most: int) -> Cut:
    """The document in `file`, whose rows `add` is given with the place where they begin.

    Without `keys` the rows are the root itself, or the first list of objects in it. A row, and all
    that is not rows, may have `most` bytes. Raises ResponseError for what is not JSON.
    """
    document = _Document(file, most)
    try:
        found = document.root() if keys is None else document.descend(keys)
    except (_EndError, msgspec.MsgspecError):
        found = None
    if found is None:
        return Cut(document.rest(), None)
    before = document.taken()
    size = document.rows(add)
    envelope = before + document.rest()
    refuse_other_than_json(envelope, lambda byte: byte + size if byte >= len(before) else byte)
    return Cut(envelope, found)


class _Document:
    """A window on the text: what is not yet taken begins at `_from` and is known up to `_at`."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file, self._most = file, most
        self._text, self._before = b"", 0
        self._from = self._at = 0
        self._leaps = True

    def root(self) -> tuple[str, ...] | None:
        """Stand behind the bracket of the list that the root is, or holds; its keys."""
        first = self._begins()
        if first != _OBJECT:
            return () if first == _ARRAY else None
        while True:
            key = self._next_key()
            value = self._match(_LIST)
            if value[1] and value[2] == b"{":
                self._at = value.end(1)
                return (key,)
            if self._pass_value() != _NEXT:
                return None

    def descend(self, keys: Sequence[str]) -> tuple[str, ...] | None:
        """Stand behind the bracket of the list at `keys`; None where there is none."""
        for key in keys:
            if self._begins() != _OBJECT:
                return None
            while self._next_key() != key:
                if self._pass_value() != _NEXT:
                    return None
        return tuple(keys) if self._begins() == _ARRAY else None

    def rows(self, add: Add) -> int:
        """Give all rows away, up to the bracket behind them; their size in bytes."""
        start, end, only = self._before + self._from, _NEXT, True
        while end == _NEXT:
            at = self._before + self._from
            end = self._pass_rows()
            text = self.taken()[:-1]
            if text.strip(_BLANK):
                add(text, at)
            elif end == _NEXT or not only:
                what = f"the body is not JSON (at byte {at + len(text)})"
                raise ResponseError(what, fix="check the URL and the account")
            only = False
        self._from = self._at = self._at - 1
        return self._before + self._at - start

    def taken(self) -> bytes:
        """What was passed and not yet taken."""
        text = self._text[self._from : self._at]
        self._from = self._at
        return text

    def rest(self) -> bytes:
        """All that was not yet taken."""
        while self._more():
            pass
        self._at = len(self._text)
        return self.taken()

    def _pass_rows(self) -> int:
        """Pass over some megabytes of rows."""
        if self._leap():
            return _NEXT
        try:
            end = self._pass_value()
            while end == _NEXT and self._at - self._from < stored_rows.BLOCK:
                end = self._pass_value()
        except _EndError:
            # Not JSON, for one reason or another: the parser says which.
            before = self._before + self._from - 1
            row_list(b"[" + self._text[self._from :], lambda byte: before + byte)
            raise AssertionError("unreachable") from None
        return end

    def _leap(self) -> bool:
        """Whether some megabytes of rows were passed at once, to where a row seems to begin.

        Rows begin alike, as do objects within them. What stands before a row, and only that, is a
        list's content: the parser tells, ten times faster than each bracket can be looked at.
        """
        while self._leaps and len(self._text) - self._from < stored_rows.BLOCK and self._more():
            pass
        begins = _ROW.match(self._text, self._from)
        mark, end = b"," + (begins[0] if begins else b""), self._from + stored_rows.BLOCK
        for _ in range(_TRIES if self._leaps and begins else 0):
            at = self._text.rfind(mark, self._from, end)
            if at < 0:
                return False
            if is_list(b"[%b]" % self._text[self._from : at]):
                self._at = at + 1
                return True
            end = at + len(mark) - 1
        self._leaps = False
        return False

    def _pass_value(self) -> int:
        """Pass over a value and the comma behind it, or the bracket that ends its parent."""
        depth = 0
        while True:
            found = self._match(_BRACKET if depth else _COMMA)
            self._at = found.end()
            mark = self._text[self._at - 1]
            if mark in _OPENING:
                depth += 1
            elif depth:
                depth -= 1
            else:
                return mark

    def _next_key(self) -> str:
        found = self._match(_KEY)
        self._at = found.end()
        key: str = _key.decode(found[1])
        return key

    def _begins(self) -> int:
        """The first character of a value, which is then passed."""
        self._at = self._match(_BEGINNING).end()
        return self._text[self._at - 1]

    def _match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        while (found := pattern.match(self._text, self._at)) is None:
            if not self._more():
                raise _EndError
        return found

    def _more(self) -> bool:
        """Whether the file had more text."""
        kept = self._text[self._from :]
        if len(kept) > self._most + stored_rows.BLOCK:
            what = f"a row, or what stands beside the rows, has more than {self._most} bytes"
            raise ResponseError(what, fix="raise maxResponseBytes")
        # As much as there is: a long token is looked at again only when it may be twice as long.
        text = self._file.read(max(_READ, len(kept)))
        self._text, self._before = kept + text, self._before + self._from
        self._at, self._from = self._at - self._from, 0
        return bool(text)
