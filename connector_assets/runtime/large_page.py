"""One answer that is too large for memory: its rows in a file, the rest read like any page.

    {"data": [{"id": 1}, {"id": 2}], "next": "c2"}

becomes stored rows and the envelope `{"data": [], "next": "c2"}`, in which totals and cursors are
looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from connector_assets.errors import ResponseError
from connector_assets.runtime.client import Answer
from connector_assets.runtime.page import Page, exactly, full_lists
from connector_assets.runtime.stored_rows import StoredRows
from connector_assets.spec.paths import Path, dotted

# What an expression needs to reach a value whose key it does not name.
_REACHES_ALL = frozenset("@*(`\\")


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
        if self.rows:
            raise ResponseError("the rows' key comes twice in one object", fix="tell the vendor")
        self.rows = self._stored = rows
        self._keys = tuple(keys)
        shown = ".".join(keys)
        self._last_row = f"{shown}[-1]." if (dotted(shown) or ()) == self._keys else None

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

    def field(self, path: str) -> Any:
        """As any page's; only what may see the rows reads them into memory."""
        if self._last_row and path.startswith(self._last_row):
            in_last = path.removeprefix(self._last_row)
            if dotted(in_last):
                return self.last(in_last)
        keys = dotted(path)
        sees = self._keys[: len(keys)] == keys if keys else self._may_reach_rows(path)
        return Path(path).get(self._document()) if sees and self.rows else super().field(path)

    @property
    def is_only_list(self) -> bool:
        """Whether no other list in the root could be the rows."""
        return self._stored.are_objects and not full_lists(self._top)

    @cached_property
    def digest(self) -> int:
        return hash((self._body, self._stored.digest))

    def _may_reach_rows(self, path: str) -> bool:
        return not self._keys or self._keys[0] in path or bool(_REACHES_ALL.intersection(path))

    def _document(self) -> Any:
        rows = [exactly(bytes(row)) for row in self._stored]
        document = exactly(self._body)
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
