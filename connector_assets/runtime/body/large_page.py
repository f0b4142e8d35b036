"""One answer that is too large for memory: its rows in a file, the rest read like any page.

    {"data": [{"id": 1}, {"id": 2}], "next": "c2"}

becomes stored rows and the envelope `{"data": [], "next": "c2"}`, in which totals and cursors are
looked for.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from connector_assets.errors import ResponseError
from connector_assets.runtime.body.json_document import exactly
from connector_assets.runtime.body.page import Page, Rows, full_lists
from connector_assets.runtime.body.stored_rows import StoredRows
from connector_assets.runtime.http.exchange import Answer
from connector_assets.spec.names.paths import Path


class LargePage(Page):
    """A page whose rows are stored; `keys` are where they stand in the envelope."""

    def __init__(
        self,
        answer: Answer,
        path: Path | None,
        envelope: bytes,
        rows: StoredRows,
        keys: Sequence[str] = (),
    ) -> None:
        root_key = keys[0] if keys and path is None else None
        super().__init__(replace(answer, file=None), path, root_key, envelope)
        if self.count:
            raise ResponseError("the rows' key comes twice in one object", fix="tell the vendor")
        self._stored, self._keys = rows, tuple(keys)
        self._rows = Rows(len(rows), first=rows.first, last=rows.last)

    def parts(self) -> Iterator[Page]:
        """Pages of some megabytes that together have the rows of this one."""
        before = 0
        for rows in self._stored.lists():
            part = _Part(self, rows, before)
            before += part.count
            yield part
        if not before:
            yield _Part(self, b"[]", before)

    def ndjson(self) -> bytes:
        return b"".join(part.ndjson() for part in self.parts())

    @property
    def is_only_list(self) -> bool:
        """Whether no other list in the root could be the rows."""
        return self._stored.are_objects and not full_lists(self._envelope.members)

    @property
    def content(self) -> Hashable:
        return self._stored.digest

    @cached_property
    def digest(self) -> int:
        return hash((self._envelope.text, self._stored.digest))

    def _in_body(self, path: Path) -> Any:
        """As any page's; the rows are read into memory for it."""
        return path.get(self._document())

    def _document(self) -> Any:
        rows = [exactly(bytes(row)) for row in self._stored]
        document = exactly(self._envelope.text)
        if not self._keys:
            return rows
        node = document
        for key in self._keys[:-1]:
            node = node[key]
        node[self._keys[-1]] = rows
        return document


class _Part(Page):
    """Some rows of a large page, which answers for all of it."""

    def __init__(self, whole: LargePage, rows: bytes, before: int) -> None:
        super().__init__(whole.answer, body=rows)
        self._whole, self.rows_before = whole, before

    def field(self, path: str) -> Any:
        return self._whole.field(path)
