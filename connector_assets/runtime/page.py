"""One answer, parsed only as deep as it takes to find the rows; the rows stay bytes.

The body decides, not the content type it claims: it must be JSON in UTF-8, or in the charset the
server declares. Sources: RFC 8259; SPEC_FORMAT "Rows".
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any

import msgspec

from connector_assets.errors import ResponseError
from connector_assets.runtime.client import Answer
from connector_assets.spec.paths import MISSING, Path

_OBJECT, _ARRAY, _QUOTE = ord("{"), ord("["), ord('"')
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]{1,40})", re.IGNORECASE)
_SHOWN_KEYS, _LONGEST_KEY = 12, 40
BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Python knows these as encodings, and they would change what a JSON text says.
_NOT_CHARSETS = {"unicode_escape", "raw_unicode_escape", "idna", "punycode", "utf_7"}

Where = Callable[[int], int]

_envelope = msgspec.json.Decoder(dict[str, msgspec.Raw])
_rows = msgspec.json.Decoder(list[msgspec.Raw])
# Numbers keep their digits on the way through Python: 1.10 stays 1.10, 1e400 stays a number.
_exact = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


class Page:
    """What came for one call.

    `root_key` is the array that an earlier page of the same walk took for its rows (root rule);
    `body` is what was made of a body that is not JSON.
    Raises ResponseError, without a place: the caller knows the request.
    """

    unchanged = False
    """The server says that the list is as it was when it was last loaded."""
    rows_before = 0
    """How many rows of the answer come in parts before this one."""

    def __init__(
        self,
        answer: Answer,
        rows_path: Path | None = None,
        root_key: str | None = None,
        body: bytes | None = None,
    ) -> None:
        self.answer = answer
        self.url = answer.url
        self.root_key = root_key
        self._body = json_text(answer) if body is None else body
        self.rows: Sequence[msgspec.Raw | bytes] = self._find_rows(rows_path)

    @classmethod
    def empty(cls, answer: Answer) -> Page:
        """A page without rows, whatever the body says."""
        return cls(replace(answer, status=204, body=b""))

    @classmethod
    def as_before(cls, answer: Answer) -> Page:
        """The page of a list that has not changed; it brings no rows."""
        page = cls.empty(answer)
        page.unchanged = True
        return page

    @property
    def count(self) -> int:
        return len(self.rows)

    def parts(self) -> Iterator[Page]:
        """Pages that are handed on one by one: this one, or pieces of a large one."""
        yield self

    def ndjson(self) -> bytes:
        """The rows, one object a line; a row that is not an object becomes `{"value": …}`."""
        if not self.rows:
            return b""
        # Not one search in the joined text: that is six times slower.
        lines = [bytes(row) for row in self.rows]
        if b"\n" in self._body or b"\r" in self._body:
            # Raw line ends are white space between tokens: inside a JSON string they are escaped.
            lines = [line.replace(b"\n", b" ").replace(b"\r", b" ") for line in lines]
        lines = [line if line[0] == _OBJECT else b'{"value":%b}' % line for line in lines]
        return b"\n".join(lines) + b"\n"

    def records(self) -> list[dict[str, Any]]:
        """The rows as Python objects, for people and for streams that compute on records."""
        return [msgspec.json.decode(line) for line in self.ndjson().splitlines()]

    def field(self, path: str) -> Any:
        """The value at `path` in the body, None where it is absent."""
        return _get(self._body, path, self._top if _first(self._body) == _OBJECT else None)

    def last(self, path: str) -> Any:
        """The value at `path` in the last row, None without rows."""
        return _get(bytes(self.rows[-1]), path) if self.rows else None

    def header(self, name: str) -> str | None:
        value: str | None = self.answer.headers.get(name)
        return value

    @cached_property
    def digest(self) -> int:
        """Equal for equal bodies."""
        return hash(bytes(self._body))

    @cached_property
    def _top(self) -> dict[str, msgspec.Raw]:
        """The body's own members: rows, totals and cursors are all looked for there."""
        return _members(self._body)

    def _find_rows(self, path: Path | None) -> Sequence[msgspec.Raw | bytes]:
        if self.answer.status == 204:  # noqa: PLR2004 - No Content
            return ()
        if not self._body.strip():
            raise ResponseError("the body is empty", fix="expected JSON")
        if path is None:
            return self._root_rows()
        if path.keys is None:
            return _computed(self._body, path)
        return _listed(self._walk(path), str(path))

    def _walk(self, path: Path) -> bytes:
        at: bytes = self._body
        assert path.keys is not None
        for key in path.keys:
            parent = self._top if at is self._body else _members(at)
            if key not in parent:
                raise ResponseError(
                    f'"{path}" is absent; {_there(at, parent)}', fix="correct responseRowsPath"
                )
            _check_once(at, parent, key)
            at = bytes(parent[key])
        return at

    def _root_rows(self) -> Sequence[msgspec.Raw | bytes]:
        if _first(self._body) != _OBJECT:
            return _listed(self._body, "the root")
        members = self._top
        if self.answer.status == 202:  # noqa: PLR2004 - Accepted: a promise, not rows
            raise ResponseError("202: accepted, but there are no rows yet", fix="ask again later")
        self.root_key = self.root_key or _only_array(members)
        if self.root_key in members:
            _check_once(self._body, members, self.root_key)
            return _listed(bytes(members[self.root_key]), self.root_key)
        return (self._body.strip(),)


def json_text(answer: Answer) -> bytes:
    """The body in UTF-8; ResponseError when it is in no charset that the server admits to."""
    body = answer.body
    if body.startswith(codecs.BOM_UTF8):
        body = body[3:]
    is_wide = b"\0" in body[:4]
    if not is_wide and body.isascii():
        return body
    declared = charset_of(answer)
    if is_wide and declared and not body.startswith(BOMS):
        return transcoded(body, declared)
    if body.isascii():
        return body
    if body.startswith(BOMS):
        return transcoded(body, "utf-16")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        if declared and declared.lower() not in ("utf-8", "utf8"):
            return transcoded(body, declared)
        raise not_utf_8(error.start) from None
    return body


def not_utf_8(at: int) -> ResponseError:
    """What to say where a byte cannot be, and the server declares no other charset."""
    return ResponseError(
        f"the body is not UTF-8 (byte {at}) and the server declares no other charset",
        fix="tell the vendor, or read it with a plugin",
    )


def charset_of(answer: Answer) -> str | None:
    """The charset that the server declares."""
    declared = _CHARSET.search(answer.headers.get("content-type", ""))
    return declared[1] if declared else None


def transcoded(body: bytes, charset: str) -> bytes:
    """`body` from a charset into UTF-8; ResponseError where it is not in it."""
    with suppress(LookupError, UnicodeError):
        if is_charset(charset):
            return body.decode(charset).encode()
    raise not_in_charset(charset)


def is_charset(name: str) -> bool:
    """Whether `name` is one that a text may be in; LookupError where it is not known at all."""
    return codecs.lookup(name).name.replace("-", "_") not in _NOT_CHARSETS


def not_in_charset(charset: str) -> ResponseError:
    """What to say where a body cannot be read as `charset`."""
    return ResponseError(f"the body is not in its declared charset {charset[:40]}")


def _first(body: bytes) -> int:
    stripped = body.lstrip()
    return stripped[0] if stripped else 0


def row_list(text: bytes, place: Where = int) -> list[msgspec.Raw]:
    """The elements of a JSON list; `place` tells where in the body a byte of it stands."""
    rows: list[msgspec.Raw] = _decode(_rows, text, place)
    return rows


def is_list(text: bytes) -> bool:
    """Whether `text` is a JSON list."""
    try:
        _rows.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def refuse_other_than_json(text: bytes, place: Where) -> None:
    """Raise ResponseError if a JSON list or object is none; `place` as for `row_list`."""
    _decode(_envelope if _first(text) == _OBJECT else _rows, text, place)


def exactly(body: bytes) -> Any:
    """A JSON text as data; numbers keep their digits."""
    return _decode(_exact, body)


def _decode(decoder: Any, body: bytes, place: Where = int) -> Any:
    try:
        return decoder.decode(body)
    except RecursionError:
        raise ResponseError("the JSON is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError) as error:
        what = not_json(body, error, place)
        raise ResponseError(what, fix="check the URL and the account") from None


def not_json(body: bytes, error: Exception, place: Where = int) -> str:
    """What is wrong with a body that should be JSON, in our own words."""
    if _first(body) == ord("<"):
        return "the body is not JSON but a markup page (HTML or XML)"
    text = str(error)
    if "truncated" in text:
        return "the body is not JSON: it ends in the middle"
    at = re.search(r"\(byte (\d+)\)", text)
    return f"the body is not JSON{f' (at byte {place(int(at[1]))})' if at else ''}"


def _members(body: bytes) -> dict[str, msgspec.Raw]:
    if _first(body) != _OBJECT:
        exactly(body)
        return {}
    members: dict[str, msgspec.Raw] = _decode(_envelope, body)
    return members


def _check_once(body: bytes, members: dict[str, msgspec.Raw], key: str) -> None:
    """Refuse an object that has `key` twice: the rows of the first would be lost in silence."""
    name = msgspec.json.encode(key)
    if body.find(name) == body.rfind(name):
        return
    if body.count(name) - sum(bytes(raw).count(name) for raw in members.values()) > 1:
        shown = f'"{key}"' if len(key) <= _LONGEST_KEY else "a key"
        raise ResponseError(f"{shown} comes twice in one object", fix="tell the vendor")


def _there(body: bytes, members: dict[str, msgspec.Raw]) -> str:
    if members:
        # Whole or not at all: a piece of a secret would not be recognised and masked.
        shown = [key if len(key) <= _LONGEST_KEY else "…" for key in list(members)[:_SHOWN_KEYS]]
        keys = ", ".join(f'"{key}"' for key in shown)
        return f"the keys there are {keys}"
    kinds = {_OBJECT: "an empty object", _ARRAY: "a list", _QUOTE: "a text"}
    return f"there is {kinds.get(_first(body), 'no object')} instead"


def _listed(value: bytes, name: str) -> Sequence[msgspec.Raw | bytes]:
    first = _first(value)
    if first == _ARRAY:
        rows: list[msgspec.Raw] = _decode(_rows, value)
        return rows
    if first == _OBJECT:
        _decode(_envelope, value)
        return (value.strip(),)
    if exactly(value) is None:
        return ()
    raise ResponseError(
        f'"{name}" is neither a list nor an object', fix="point responseRowsPath at the rows"
    )


def _only_array(members: dict[str, msgspec.Raw]) -> str | None:
    """The one array of objects among `members`; failing that the one empty array."""
    arrays = _arrays(members)
    if full := _full(arrays):
        return full[0] if len(full) == 1 else None
    empty = [key for key, rows in arrays.items() if not rows]
    return empty[0] if len(empty) == 1 and len(arrays) == 1 else None


def _arrays(members: dict[str, msgspec.Raw]) -> dict[str, list[msgspec.Raw]]:
    return {k: row_list(bytes(v)) for k, v in members.items() if _first(bytes(v)) == _ARRAY}


def _full(arrays: dict[str, list[msgspec.Raw]]) -> list[str]:
    return [key for key, rows in arrays.items() if rows and are_objects(rows)]


def full_lists(members: dict[str, msgspec.Raw]) -> list[str]:
    """The keys of lists that have objects only, and at least one."""
    return _full(_arrays(members))


def are_objects(rows: Sequence[msgspec.Raw]) -> bool:
    return all(bytes(row)[0] == _OBJECT for row in rows)


def _computed(body: bytes, path: Path) -> Sequence[bytes]:
    found = path.find(exactly(body))
    if found is MISSING:
        raise ResponseError(f'"{path}" finds nothing', fix="correct responseRowsPath")
    rows = found if isinstance(found, list) else [found]
    return [_encoder.encode(row) for row in rows]


@lru_cache(maxsize=4096)
def _path(source: str) -> Path:
    return Path(source)


def _get(body: bytes, source: str, top: dict[str, msgspec.Raw] | None = None) -> Any:
    """The value at a path, decoding only what a dotted path leads through; `top` is known of it."""
    path = _path(source)
    if path.keys is None:
        return path.get(exactly(body)) if body else None
    for key in path.keys:
        if _first(body) != _OBJECT:
            return None
        members = _members(body) if top is None else top
        if key not in members:
            return None
        body, top = bytes(members[key]), None
    return exactly(body) if body else None
