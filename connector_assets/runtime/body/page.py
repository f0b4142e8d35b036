"""One answer, parsed only as deep as it takes to find the rows; the rows stay bytes.

The body decides, not the content type it claims: it must be JSON in UTF-8, or in the charset the
server declares. Sources: RFC 8259; SPEC_FORMAT "Rows".
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from operator import itemgetter
from typing import Any

import msgspec
from msgspec import Struct

from connector_assets.errors import ResponseError
from connector_assets.runtime.body.json_document import (
    ARRAY,
    OBJECT,
    JsonDocument,
    cut_off,
    exactly,
    path_of,
    refuse_other_than_json,
    row_list,
)
from connector_assets.runtime.body.row_span import find_rows, in_last_row, may_see_rows
from connector_assets.runtime.http.exchange import Answer
from connector_assets.spec.names.paths import MISSING, Path
from connector_assets.spec.request.call import Outcome

_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]{1,40})", re.IGNORECASE)
BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# Python knows these as encodings, and they would change what a JSON text says.
_NOT_CHARSETS = {"unicode_escape", "raw_unicode_escape", "idna", "punycode", "utf_7"}

_encoder = msgspec.json.Encoder(decimal_format="number")


class Rows(Struct, frozen=True):
    """`count` rows as lines of JSON; `first` and `last` are as they stand in the body."""

    count: int = 0
    lines: bytes = b""
    first: bytes = b""
    last: bytes = b""

    @classmethod
    def of(cls, rows: Sequence[msgspec.Raw | bytes], text: bytes = b"") -> Rows:
        """The elements of `text`; one that is not an object becomes `{"value": …}`."""
        if not rows:
            return cls()
        lines = rows
        if b"\n" in text or b"\r" in text:
            # Raw line ends are white space between tokens: inside a JSON string they are escaped.
            lines = [bytes(row).replace(b"\n", b" ").replace(b"\r", b" ") for row in rows]
        if not are_objects(lines):
            lines = [line if bytes(line)[0] == OBJECT else b'{"value":%b}' % line for line in lines]
        # The last one is empty: a line end added to the joined lines would copy them all.
        joined = b"\n".join([*lines, b""])
        return cls(len(rows), joined, bytes(rows[0]), bytes(rows[-1]))


class Page:
    """What came for one call.

    `root_key` is the array that an earlier page of the same walk took for its rows (root rule);
    `body` is what was made of a body that is not JSON; `key_as` is the field for the keys of an
    object whose values are the rows.
    Raises ResponseError, without a place: the caller knows the request.
    """

    outcome: Outcome = "rows"
    """What the answer is to its list."""
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
        key_as: str | None = None,
    ) -> None:
        self.answer = answer
        self._key_as = key_as
        self.url = answer.url
        self.root_key = root_key
        self._body = JsonDocument(json_text(answer) if body is None else body)
        self._envelope = self._body
        """The body, with no rows in it where these were found without reading all of it."""
        self._keys: tuple[str, ...] | None = None
        self._rows = self._find_rows(rows_path)

    @classmethod
    def empty(cls, answer: Answer, outcome: Outcome = "rows") -> Page:
        """A page without rows, whatever the body says."""
        page = cls(replace(answer, status=204, body=b"", file=None))
        page.outcome = outcome
        return page

    @classmethod
    def ignored(cls, answer: Answer, body: bytes) -> Page:
        """A page without rows whose `body`, if it is JSON, may say where the list goes on."""
        page = cls.empty(answer, "ignored")
        with suppress(ResponseError):
            exactly(body)
            page._take(JsonDocument(body))  # noqa: SLF001 - a constructor
        return page

    def _take(self, body: JsonDocument) -> None:
        self._body = self._envelope = body

    @classmethod
    def as_before(cls, answer: Answer) -> Page:
        """The page of a list that has not changed; it brings no rows."""
        page = cls.empty(answer)
        page.unchanged = True
        return page

    @property
    def count(self) -> int:
        return self._rows.count

    @property
    def ends(self) -> tuple[bytes, bytes]:
        """The first row and the last; empty without rows."""
        return self._rows.first, self._rows.last

    @property
    def content(self) -> Hashable:
        """Equal for pages with the same rows, whatever comes with them."""
        return self._rows.lines

    @property
    def digest(self) -> int:
        """Equal for equal bodies, in which rows were found in the same way."""
        if self._envelope is self._body:
            return hash(self._body.text)
        # Bytes keep their hash: that of the rows is asked for by itself, too.
        return hash((self._envelope.text, self._rows.lines))

    def parts(self) -> Iterator[Page]:
        """Pages that are handed on one by one: this one, or pieces of a large one."""
        yield self

    def ndjson(self) -> bytes:
        """The rows, one object a line; a row that is not an object becomes `{"value": …}`."""
        return self._rows.lines

    def records(self) -> list[dict[str, Any]]:
        """The rows as Python objects, for people and for streams that compute on records."""
        return [msgspec.json.decode(line) for line in self.ndjson().splitlines()]

    def field(self, path: str) -> Any:
        """The value at `path` in the body, None where it is absent."""
        if self._keys is None:
            return self._body.get(path_of(path))
        if in_last := in_last_row(path, self._keys):
            return self.last(in_last)
        if self.count and may_see_rows(path, self._keys):
            return self._in_body(path_of(path))
        return self._envelope.get(path_of(path))

    def last(self, path: str) -> Any:
        """The value at `path` in the last row, None without rows."""
        return JsonDocument(self._rows.last).get(path_of(path)) if self.count else None

    def has(self, path: str) -> bool:
        """Whether there is anything at `path` in the body, null included."""
        at, keys = self._envelope, path_of(path).keys
        if keys is None:
            return self.field(path) is not None
        for key in keys:
            if at.first != OBJECT or key not in at.members:
                return False
            at = JsonDocument(bytes(at.members[key]))
        return True

    def past_the_end(self) -> Page:
        """This page without its rows, which came before."""
        return Page.empty(self.answer, "past")

    def header(self, name: str) -> str | None:
        value: str | None = self.answer.headers.get(name)
        return value

    def _in_body(self, path: Path) -> Any:
        """The value at a path that may lead through rows."""
        return self._body.get(path)

    def _find_rows(self, path: Path | None) -> Rows:
        if self.answer.status == 204:  # noqa: PLR2004 - No Content
            return Rows()
        if not self._body.text or self._body.text.isspace():
            raise cut_off("the body is empty")
        if self._key_as is not None:
            return _keyed(_at(self._body, path), self._key_as)
        if path is None:
            return self._root_rows()
        if path.keys is None:
            return _computed(self._body.text, path)
        if (rows := self._in_one_pass(path.keys)) is not None:
            return rows
        return _listed(self._body.walk(path.keys, str(path)), str(path))

    def _root_rows(self) -> Rows:
        body = self._body
        if body.first != OBJECT:
            return _listed(body.text, "the root")
        is_promise = self.answer.status == 202  # noqa: PLR2004 - Accepted
        if self.root_key and not is_promise and (rows := self._in_one_pass((self.root_key,))):
            return rows
        members = body.members
        if is_promise:
            raise ResponseError("202: accepted, but there are no rows yet", fix="ask again later")
        self.root_key = self.root_key or _only_array(members)
        if self.root_key in members:
            body.check_once(self.root_key)
            return _listed(bytes(members[self.root_key]), self.root_key)
        return Rows.of((body.text.strip(),), body.text)

    def _in_one_pass(self, keys: tuple[str, ...]) -> Rows | None:
        """The list at `keys`; None where it takes a closer look to tell."""
        span = find_rows(self._body.text, keys)
        if span is None:
            return None
        self._envelope, self._keys = span.envelope, keys
        return Rows.of(span.rows, span.text)


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


def _listed(value: bytes, name: str) -> Rows:
    document = JsonDocument(value)
    if document.first == ARRAY:
        return Rows.of(row_list(value), value)
    if document.first == OBJECT:
        refuse_other_than_json(value)
        return Rows.of((value.strip(),), value)
    if exactly(value) is None:
        return Rows()
    raise ResponseError(
        f'"{name}" is neither a list nor an object', fix="point responseRowsPath at the rows"
    )


def _at(body: JsonDocument, path: Path | None) -> bytes:
    """The text of what is at `path`."""
    if path is None:
        return body.text
    if path.keys is not None:
        return body.walk(path.keys, str(path))
    found = path.find(exactly(body.text))
    if found is MISSING:
        raise ResponseError(f'"{path}" finds nothing', fix="correct responseRowsPath")
    return _encoder.encode(found)


def _keyed(text: bytes, name: str) -> Rows:
    """The values of an object, each with its key as the field `name`.

    Some servers write an empty object as an empty list.
    """
    document = JsonDocument(text)
    if document.first == ARRAY and not row_list(text):
        return Rows()
    if document.first != OBJECT and exactly(text) is None:
        return Rows()
    if document.first != OBJECT:
        raise ResponseError("the rows are in no object", fix="leave out rowsKeyAs")
    return Rows.of(
        [_with_key(name, key, bytes(row)) for key, row in document.members.items()], text
    )


def _with_key(name: str, key: str, row: bytes) -> bytes:
    field = b"%b:%b" % (_encoder.encode(name), _encoder.encode(key))
    if row[:1] != b"{":
        return b'{%b,"value":%b}' % (field, row)
    members = JsonDocument(row).members
    if name in members:
        raise ResponseError(f'a row has a field "{name}" already', fix="choose another rowsKeyAs")
    return b"{%b,%b" % (field, row[1:]) if members else b"{%b}" % field


def _only_array(members: Mapping[str, msgspec.Raw]) -> str | None:
    """The one array of objects among `members`; failing that the one empty array."""
    arrays = _arrays(members)
    if full := _full(arrays):
        return full[0] if len(full) == 1 else None
    empty = [key for key, rows in arrays.items() if not rows]
    return empty[0] if len(empty) == 1 and len(arrays) == 1 else None


def _arrays(members: Mapping[str, msgspec.Raw]) -> dict[str, list[msgspec.Raw]]:
    return {k: row_list(bytes(v)) for k, v in members.items() if bytes(v)[0] == ARRAY}


def _full(arrays: Mapping[str, list[msgspec.Raw]]) -> list[str]:
    return [key for key, rows in arrays.items() if rows and are_objects(rows)]


def full_lists(members: Mapping[str, msgspec.Raw]) -> list[str]:
    """The keys of lists that have objects only, and at least one."""
    return _full(_arrays(members))


def are_objects(rows: Sequence[msgspec.Raw | bytes]) -> bool:
    return set(map(itemgetter(0), map(bytes, rows))) <= {OBJECT}


def _computed(body: bytes, path: Path) -> Rows:
    found = path.find(exactly(body))
    if found is MISSING:
        raise ResponseError(f'"{path}" finds nothing', fix="correct responseRowsPath")
    rows = found if isinstance(found, list) else [found]
    return Rows.of([_encoder.encode(row) for row in rows])
