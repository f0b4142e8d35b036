"""Bodies that are not JSON, made into JSON: from there on all formats are read alike."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from connector_assets import limits
from connector_assets.errors import ResponseError
from connector_assets.runtime.body.json_document import half_character, has_half_character
from connector_assets.runtime.body.page import charset_of, json_text, transcoded
from connector_assets.runtime.body.xml_tree import xml_tree
from connector_assets.runtime.http.exchange import Answer
from connector_assets.runtime.rows.record import Record, decoded, fields_of
from connector_assets.spec.endpoint import EndpointDefaults
from connector_assets.spec.names.paths import Path
from connector_assets.spec.request.formats import Csv

_MARKUP = re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE)
_encode = msgspec.json.encode
XML_BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""With one of these a document says itself what it is written in."""
_values = msgspec.json.Decoder(list[msgspec.Raw])


def json_of(answer: Answer, endpoint: EndpointDefaults) -> bytes:
    """The body as JSON text in UTF-8; ResponseError where it is not what the endpoint says."""
    match endpoint.response_format:
        case "csv":
            return _csv(answer, endpoint.csv)
        case "jsonl":
            return json_lines(json_text(answer))
        case "text":
            return text_lines(json_text(answer))
        case "xml":
            return _encode(xml_listed(xml_tree(*_xml_source(answer)), endpoint.response_rows_path))
    return json_text(answer)


def response_of(answer: Answer, endpoint: EndpointDefaults) -> Any:
    """What `response` is in an errors rule: the body as data, an empty object if it is none."""
    try:
        if endpoint.response_format == "xml" and answer.body.lstrip()[:1] == b"<":
            return xml_tree(*_xml_source(answer))
        body = json_text(answer).strip()
        return Record(fields_of(body)) if body[:1] == b"{" else decoded(body)
    except ResponseError:
        return {}


def _xml_source(answer: Answer) -> tuple[bytes, str | None]:
    """The body, and "utf-8" where the server's charset has been undone already (RFC 7303)."""
    charset = charset_of(answer)
    if charset is None or answer.body.startswith(XML_BOMS):
        return answer.body, None
    return transcoded(answer.body, charset), "utf-8"


def xml_listed(tree: dict[str, Any], path: Path | None) -> dict[str, Any]:
    """`tree` with a list where the rows are: XML writes a list of one like a single value.

    An element that is there but empty holds no rows; where another stands, the path is wrong.
    """
    if path is None or path.keys is None:
        return tree
    *above, last = path.keys
    node: Any = tree
    for key in above:
        if not isinstance(node, dict) or key not in node:
            return tree
        if node[key] is None:
            node[key] = {}
        node = node[key]
    if isinstance(node, dict):
        found = node.get(last)
        if found is not None and not isinstance(found, list):
            node[last] = [found]
        elif all(key.startswith(("@", "#")) for key in node):
            node[last] = []
    return tree


def json_lines(body: bytes, before: int = 0) -> bytes:
    """A value a line; empty lines are nothing. `before` is how many lines came before."""
    lines = [line.strip() for line in body.split(b"\n")]
    text = b"[%b]" % b",".join(filter(None, lines))
    if not _is_list(text, sum(map(bool, lines))):
        number = next(
            (n for n, line in enumerate(lines, 1) if line and not _is_list(b"[%b]" % line, 1)), 1
        )
        at = before + number
        if half_character(lines[number - 1]) is not None:
            raise has_half_character(f"line {at} has")
        raise ResponseError(f"line {at} is not one JSON value", fix="check responseFormat")
    return text


def text_lines(body: bytes, _before: int = 0) -> bytes:
    """A text a line, which is not empty."""
    if _MARKUP.match(body):
        raise ResponseError("the body is a markup page (HTML or XML), not lines of text")
    lines = [line for line in body.decode("utf-8").split("\n") if line.strip()]
    return b"[%b]" % b",".join(_encode(line.removesuffix("\r")) for line in lines)


def _is_list(text: bytes, count: int) -> bool:
    try:
        return len(_values.decode(text)) == count
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def _csv(answer: Answer, options: Csv) -> bytes:
    """Each line an object under the header's names, all values text, empty ones null."""
    refuse_other_than_csv(answer)
    body = transcoded(answer.body, options.charset) if options.charset else json_text(answer)
    body = body.removeprefix(codecs.BOM_UTF8)
    lines = io.TextIOWrapper(io.BytesIO(body), "utf-8", newline="")
    # The limit is the whole process's, and meant for files without an end; ours has had its limit.
    csv.field_size_limit(max(csv.field_size_limit(), len(body)))
    return next(csv_lists(lines, options, sys.maxsize), b"[]")


def csv_lists(lines: Iterable[str], options: Csv, size: int) -> Iterator[bytes]:
    """The rows of CSV as JSON lists, each ended by the row with which it has `size` bytes."""
    after = itertools.islice(lines, options.skip_lines, None)
    reader = csv.reader(after, delimiter=options.delimiter, quotechar=options.quote, strict=True)
    rows, left = [], size
    try:
        for row in _objects(reader, options):
            rows.append(row)
            left -= len(row)
            if left <= 0:
                yield b"[%b]" % b",".join(rows)
                rows, left = [], size
    except csv.Error as error:
        number = reader.line_num + options.skip_lines
        raise ResponseError(f"line {number} is not CSV: {error}", fix="check csv.quote") from None
    if rows:
        yield b"[%b]" % b",".join(rows)


def _objects(reader: Any, options: Csv) -> Iterator[bytes]:
    names = _header(reader) if options.header is True else options.header
    for values in reader:
        if len(values) != len(names):
            if not values:
                continue
            number = reader.line_num + options.skip_lines
            raise ResponseError(
                f"line {number} has {len(values)} values, the header {len(names)}",
                fix="check csv.delimiter, csv.quote and csv.skipLines",
            )
        yield _encode({n: v or None for n, v in zip(names, values, strict=True)})


def _header(reader: Any) -> Sequence[str]:
    names: list[str] = next((row for row in reader if row), [])
    if len(names) > limits.most_columns():
        raise ResponseError(
            f"the header names {len(names):,} columns, more than {limits.most_columns():,}",
            fix=f"check csv.delimiter, or {limits.raise_columns()}",
        )
    if not names:
        raise ResponseError("the body is empty", fix="expected a line with the columns' names")
    named = {"" if not name.strip() else name for name in names}
    if "" in named or len(named) < len(names):
        raise ResponseError(
            "the header names a column twice, or not at all",
            fix="give the names with csv.header, and csv.skipLines: 1",
        )
    return names


def refuse_other_than_csv(answer: Answer) -> None:
    """Almost anything can be read as CSV: a login page gives rows, too."""
    kind = answer.headers.get("content-type", "")
    if _MARKUP.match(answer.body):
        raise ResponseError("the body is a markup page (HTML or XML), not CSV")
    if "json" in kind and answer.body.lstrip()[:1] in (b"{", b"["):
        raise ResponseError("the body is JSON, not CSV", fix="add an errors rule if it is an error")
