"""What an answer's rows are, whatever its format and however large.

An answer that went to a file is read in one pass. Only what cannot be cut into rows and a rest is
read as a whole, in memory: an object that is a row, and rows that an expression finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from connector_assets.errors import ResponseError
from connector_assets.runtime.body import stored_rows
from connector_assets.runtime.body.json_blocks import cut
from connector_assets.runtime.body.large_page import LargePage
from connector_assets.runtime.body.large_text import text_of, transcoded_file
from connector_assets.runtime.body.line_blocks import csv_blocks, line_blocks
from connector_assets.runtime.body.mended import (
    AS_JSON_HAS_IT,
    Mending,
    marks_in,
    mended,
    require_unmarked,
)
from connector_assets.runtime.body.page import Page, charset_of
from connector_assets.runtime.body.stored_rows import StoredRows
from connector_assets.runtime.body.to_json import (
    XML_BOMS,
    json_lines,
    json_of,
    text_lines,
    xml_listed,
)
from connector_assets.runtime.body.xml_tree import xml_without
from connector_assets.runtime.http.exchange import Answer
from connector_assets.runtime.http.spill import size_of
from connector_assets.spec.endpoint import EndpointDefaults

_STEP = 1 << 20


def page_of(
    answer: Answer, endpoint: EndpointDefaults, root_key: str | None, how: Mending = AS_JSON_HAS_IT
) -> Page:
    """The page that `answer` is; `root_key` is what an earlier one took for its rows.

    `how` says what becomes of rows with what no JSON has: they are errors, changed or marked.
    Raises ResponseError for what is not in the endpoint's format, or not where its rows should be.
    """
    try:
        return _page_of(answer, endpoint, root_key)
    except ResponseError:
        found = mended(answer, endpoint.response_format, how)
        page = _mended_page(*found, endpoint, root_key, how) if found else None
        if page is None:
            raise
        return page


def _mended_page(
    answer: Answer, marks: int, endpoint: EndpointDefaults, root_key: str | None, how: Mending
) -> Page | None:
    """The page of a mended answer, None where its rows are not all that was wrong."""
    try:
        page = _page_of(answer, endpoint, root_key)
    except ResponseError:
        return None
    if not how.sets_aside:
        require_unmarked(page)
    return page if marks_in(page) == marks else None


def _page_of(answer: Answer, endpoint: EndpointDefaults, root_key: str | None) -> Page:
    path = endpoint.response_rows_path
    key_as = endpoint.rows_key_as
    if answer.file is None:
        return Page(answer, path, root_key, json_of(answer, endpoint), key_as)
    if key_as is None and (path is None or path.keys is not None) and answer.status != 204:  # noqa: PLR2004
        large = _READERS[endpoint.response_format](answer, endpoint, root_key)
        if large:
            return large
    answer = whole(answer, endpoint.max_response_bytes)
    return Page(answer, path, root_key, json_of(answer, endpoint), key_as)


def _json(answer: Answer, endpoint: EndpointDefaults, root_key: str | None) -> LargePage | None:
    path, rows = endpoint.response_rows_path, StoredRows()
    keys = path.keys if path else (root_key,) if root_key else None
    envelope, found = cut(text_of(answer), keys, rows.add, endpoint.max_response_bytes)
    if found is None:
        return None
    page = LargePage(answer, path, envelope, rows, found)
    by_rule = path is None and found and not root_key
    return None if by_rule and not page.is_only_list else page


def _jsonl(answer: Answer, endpoint: EndpointDefaults, _root_key: str | None) -> LargePage:
    return _of_lines(answer, endpoint, line_blocks(answer, endpoint.max_response_bytes, json_lines))


def _text(answer: Answer, endpoint: EndpointDefaults, _root_key: str | None) -> LargePage:
    return _of_lines(answer, endpoint, line_blocks(answer, endpoint.max_response_bytes, text_lines))


def _csv(answer: Answer, endpoint: EndpointDefaults, _root_key: str | None) -> LargePage:
    found = csv_blocks(answer, endpoint.csv, endpoint.max_response_bytes)
    return _of_lines(answer, endpoint, found)


def _of_lines(answer: Answer, endpoint: EndpointDefaults, lists: Iterator[bytes]) -> LargePage:
    rows = StoredRows()
    for one in lists:
        rows.add(one[1:-1])
    return LargePage(answer, endpoint.response_rows_path, b"[]", rows)


def _xml(answer: Answer, endpoint: EndpointDefaults, _root_key: str | None) -> LargePage | None:
    path = endpoint.response_rows_path
    if path is None or path.keys is None or any(key.startswith(("@", "#")) for key in path.keys):
        return None
    assert answer.file is not None
    file, charset = answer.file, charset_of(answer)
    if charset and not answer.body.startswith(XML_BOMS):
        file, charset = transcoded_file(file, charset), "utf-8"
    else:
        charset = None
    file.seek(0)
    rows = StoredRows()
    gathered = _Gathered(rows)
    pieces = iter(lambda: file.read(_STEP), b"")
    tree = xml_without(pieces, charset, path.keys, gathered.add)
    gathered.end()
    if len(rows) == 1 and rows.first == b"null":
        _put_null(tree, path.keys)
        rows = StoredRows()
    envelope = msgspec.json.encode(xml_listed(tree, path))
    return LargePage(answer, path, envelope, rows, path.keys)


def _put_null(tree: dict[str, Any], keys: Sequence[str]) -> None:
    """An element that is alone and empty is no row."""
    for key in keys[:-1]:
        tree = tree[key]
    tree[keys[-1]] = None


class _Gathered:
    """Rows that come one by one, until they are enough for a list."""

    def __init__(self, rows: StoredRows) -> None:
        self._rows, self._texts, self._size = rows, list[bytes](), 0

    def add(self, row: Any) -> None:
        text = msgspec.json.encode(row)
        self._texts.append(text)
        self._size += len(text)
        if self._size >= stored_rows.BLOCK:
            self.end()

    def end(self) -> None:
        self._rows.add(b",".join(self._texts))
        self._texts, self._size = [], 0


_Reader = Callable[[Answer, EndpointDefaults, str | None], LargePage | None]
_READERS: dict[str, _Reader] = {
    "json": _json,
    "jsonl": _jsonl,
    "csv": _csv,
    "xml": _xml,
    "text": _text,
}


def whole(answer: Answer, most: int) -> Answer:
    """`answer` in memory; ResponseError where it has more than `most` bytes."""
    if answer.file is None:
        return answer
    if size_of(answer.file) > most:
        raise ResponseError(f"more than {most} bytes", fix="raise maxResponseBytes")
    return replace(answer, body=answer.file.read(), file=None)
