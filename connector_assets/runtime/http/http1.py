"""HTTP/1.1 as bytes: a request written out, an answer taken in. No socket is touched here.

llhttp, the parser of Node.js, takes the answer apart (RFC 9112). It is told to be as lenient as
browsers are where no harm can come of it: lines of a head without CR, blanks behind a chunk's size,
a length beside chunks. Folded headers it refuses, as Node.js does: whoever disagrees on where a
header ends disagrees on where the body does. What it is too lenient with then is refused here.
"""

from __future__ import annotations

import re
from functools import lru_cache

import httptools

from connector_assets.errors import RequestError
from connector_assets.runtime.http.lengths import OneLength
from connector_assets.runtime.http.request import Request

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(rb"[\x21-\x7e]+")
# A field's value as it may be sent: no line ends, no other controls, no blanks at its ends.
_VALUE = re.compile(rb"(?:[^\x00-\x20\x7f](?:[^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?")
# What lies around a field, and a status line, in bytes.
_LINE, _STATUS_LINE = len(b": \r\n"), len(b"HTTP/1.1 200 OK\r\n\r\n")
_SWITCHING = 101
_INTERIM, _FINAL = 100, 200
# The parser takes RTSP, ICE and other versions, too.
_HEAD_BEGINS = re.compile(rb"HTTP/1\.[01] [1-9][0-9]{2}(?: [\t -~\x80-\xff]*)?\r?\n")
_HEAD_ENDS = re.compile(rb"\r?\n\r?\n")
_CHUNKS_END = re.compile(rb"[^\r\n]\r?\n\r?\n\Z")
_BODILESS = (204, 304)
_TAIL = 8


def request_bytes(
    request: Request, to_proxy: tuple[tuple[bytes, bytes], ...] | None = None
) -> bytes:
    """The request as it goes over the wire; RequestError for one that is not valid HTTP.

    `to_proxy` are the headers for a proxy that forwards it, which is told the whole URL.
    """
    body = request.content
    target = (request.target if to_proxy is None else request.url).encode()
    method = request.method.encode("ascii", "replace")
    fields, length = _fields_sent((*request.headers, *(to_proxy or ())))
    valid = bool(fields and _TOKEN.fullmatch(method) and _TARGET.fullmatch(target))
    if length is None and body:
        length = b"%d" % len(body)
        fields = b"%bContent-Length: %b\r\n" % (fields, length)
    if not valid or (length or b"0") != b"%d" % len(body):
        raise RequestError("the request is not valid HTTP", fix="check headers and body")
    return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, target, fields, body)


# The pages of a list have the same headers.
@lru_cache(maxsize=16)
def _fields_sent(headers: tuple[tuple[bytes, bytes], ...]) -> tuple[bytes, bytes | None]:
    """The lines of a request's headers, empty where one is not valid, and Content-Length if set."""
    length = None
    for name, value in headers:
        key = name.lower()
        is_field = _TOKEN.fullmatch(name) and _VALUE.fullmatch(value)
        if not is_field or key == b"transfer-encoding":
            return b"", None
        length = value if key == b"content-length" else length
    return b"".join(b"%b: %b\r\n" % header for header in headers), length


class Incoming:
    """One answer, as its bytes come: `feed` them, `take` what is there of its body.

    `has_head` and `is_whole` tell how far it is, `is_reusable` whether the connection may carry
    another request. `fields` are the headers by their names in lower case. Interim answers (1xx)
    are passed over; `head_bytes` counts their headers, too. `is_bare`: it is the answer to a HEAD.
    """

    def __init__(self, *, is_bare: bool = False) -> None:
        self.status = self.head_bytes = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.fields: dict[bytes, bytes] = {}
        self.has_head = self.is_whole = self.is_reusable = False
        self._is_bare, self._is_valid, self._is_delimited = is_bare, True, True
        self._keeps_alive = False
        self._lengths = OneLength()
        self._interim = self._received = 0
        # The heads until the answer's own is there, and how the last piece ends.
        self._heads, self._tail = bytearray(), b""
        # Where the answer ends, in bytes; None where only its chunks tell.
        self._ends: int | None = None
        self._body: list[bytes] = []
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_chunked_length=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    def feed(self, data: bytes) -> None:
        """Take what was received; RequestError for what is no answer."""
        assert self._parser is not None
        self._received += len(data)
        self._tail = (self._tail + data[-_TAIL:])[-_TAIL:]
        if not self.has_head:
            self._heads += data
        try:
            while not self.has_head and data:
                head, data = self._lengths.pass_on(data)
                self._parser.feed_data(head)
            if data:
                self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.is_whole, self.is_reusable = True, False
        except httptools.HttpParserError:
            # Behind the answer there is more, which nobody asked for.
            self._is_valid, self.is_reusable = self._is_valid and self.is_whole, False
        if not self._is_valid:
            raise RequestError("the answer is not valid HTTP", retryable=True)
        if self.is_whole:
            self.is_reusable = self.is_reusable and self._ends_here()
            # The parser and this hold each other: without this they would wait for the collector.
            self._parser = None

    def end(self, *, cut_off: bool = False) -> None:
        """The connection has ended; RequestError if the answer has not.

        `cut_off`: not by the server, for all one knows.
        """
        self._parser = None
        if not self.has_head:
            what = "the server closed the connection without an answer"
            raise RequestError(what, retryable=True)
        if self._is_delimited or cut_off:
            raise RequestError("the answer broke off before its end", retryable=True)
        self.is_whole = True

    def take(self) -> list[bytes]:
        """What came of the body since it was last taken."""
        taken, self._body = self._body, []
        return taken

    def _ends_here(self) -> bool:
        """Whether nothing stands behind the answer; the parser passes over empty lines."""
        if self._ends is None:
            return bool(_CHUNKS_END.search(self._tail))
        return self._received == self._ends

    # What the parser calls. An error raised here would come out wrapped in one of its own.

    def on_message_begin(self) -> None:
        self.head_bytes += _STATUS_LINE
        self.is_reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.has_head:  # else it is a trailer, or of an answer nobody asked for
            self.head_bytes += len(name) + len(value) + _LINE
            self.headers.append((name, value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        if self.has_head:
            return
        assert self._parser is not None
        self.status = self._parser.get_status_code()
        if self.status < _FINAL and self.status != _SWITCHING:
            self._interim += 1
            self._is_valid = self._is_valid and self.status >= _INTERIM
            return
        self.has_head = True
        # Else a chunk that lacks its last byte would take the CR behind it for that.
        self._parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=False)
        ends = _end_of_heads(self._heads, self._interim + 1)
        self._heads = bytearray()
        fields = self.fields = _fields(self.headers)
        coding = fields.get(b"transfer-encoding")
        self._is_delimited = coding is not None or b"content-length" in fields
        is_known = coding is None or coding.lower() == b"chunked"
        self._is_valid = self._is_valid and is_known and ends is not None
        if coding is None and ends is not None:
            is_empty = self._is_bare or self.status in _BODILESS
            self._ends = ends + (0 if is_empty else int(fields.get(b"content-length", b"0")))
        both = coding is not None and b"content-length" in fields
        self._keeps_alive = self._parser.should_keep_alive() and not both
        self.is_whole = self._is_bare

    def on_body(self, data: bytes) -> None:
        if not self.is_whole:
            self._body.append(data)

    def on_message_complete(self) -> None:
        if self.has_head:
            self.is_reusable = self._keeps_alive and not self.is_whole
            self.is_whole = True
        else:
            self.headers.clear()


def _end_of_heads(heads: bytes | bytearray, count: int) -> int | None:
    """Where the last of so many heads ends, None where one is not of HTTP/1."""
    at = 0
    for _ in range(count):
        end = _HEAD_ENDS.search(heads, at)
        if end is None or not _HEAD_BEGINS.match(heads, at):
            return None
        at = end.end()
    return at


def _fields(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """A field that comes several times is one list (RFC 9110, 5.3)."""
    fields: dict[bytes, bytes] = {}
    for name, value in headers:
        key = name.lower()
        fields[key] = b"%b, %b" % (fields[key], value) if key in fields else value
    return fields
