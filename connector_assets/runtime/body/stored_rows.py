"""Rows in a temporary file, as JSON lists of some megabytes each: memory holds one list at a time.

A list is known to be one before it is written, so what is read back is rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from connector_assets.runtime.body.json_document import row_list
from connector_assets.runtime.body.page import are_objects
from connector_assets.runtime.http.spill import Temporary

BLOCK = 4 << 20
"""Bytes after which a list ends, at its next row."""


class StoredRows:
    """What `add` was given; `digest` is the same for the same rows, wherever the lists end.

    `first` and `last` are the first row and the last, empty where there is none.
    """

    def __init__(self) -> None:
        self._file = Temporary()
        self._lists: list[tuple[int, int]] = []
        self._count, self._end = 0, 0
        self.are_objects = True
        self._hash = hashlib.blake2b(digest_size=8)
        self.first = self.last = b""

    def add(self, text: bytes, at: int = 0) -> None:
        """Keep a JSON list without its brackets; ResponseError where it is none.

        `at` is where the text begins in the body, for the error.
        """
        # Spaces: a literal cut short by the bracket is wrong there, and no end of the body.
        rows = row_list(b"[%b]        " % text, lambda byte: at + byte - 1)
        if not rows:
            return
        if self._lists:
            self._hash.update(b",")
        else:
            self.first = bytes(rows[0])
        self.last = bytes(rows[-1])
        self._hash.update(text)
        self._file.seek(self._end)
        self._file.write(text)
        self._lists.append((self._end, len(text)))
        self._end += len(text)
        self._count += len(rows)
        self.are_objects = self.are_objects and are_objects(rows)

    @property
    def digest(self) -> bytes:
        return self._hash.digest()

    def lists(self) -> Iterator[bytes]:
        """The rows as JSON lists."""
        for start, length in self._lists:
            self._file.seek(start)
            yield b"[%b]" % self._file.read(length)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[msgspec.Raw]:
        for one in self.lists():
            yield from row_list(one)
