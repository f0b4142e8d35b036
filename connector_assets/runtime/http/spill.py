"""Bytes that stay in memory while they are few, and go to a temporary file when they are many."""

from __future__ import annotations

import io
import tempfile
from typing import IO, Any

from connector_assets.errors import RequestError

BEGINNING = 64 << 10
"""How much of what went to a file is still known as bytes."""


class Temporary(tempfile.SpooledTemporaryFile[bytes]):
    """Closed, and so deleted, when the last one that holds it goes."""

    def __init__(self) -> None:
        super().__init__(max_size=1)  # in a file from the second byte on

    def write(self, data: Any) -> int:
        """As a file does; RequestError where there is no room."""
        try:
            count = super().write(data)
            self.flush()  # here, and not in a later seek
        except OSError as error:
            raise RequestError(
                f"a large answer cannot be kept in a temporary file ({error.strerror})".lower(),
                fix="make room there, or point TMPDIR to another folder",
            ) from None
        return count

    def __del__(self) -> None:
        self.close()


class Spill:
    """Where a body is written; `file` is None up to `in_memory` bytes, and then has all of them."""

    def __init__(self, in_memory: int) -> None:
        self.file: Temporary | None = None
        self._memory, self._most, self._size = io.BytesIO(), in_memory, 0

    def write(self, data: bytes) -> None:
        self._size += len(data)
        if self.file is None and self._size > self._most:
            self.file = Temporary()
            self.file.write(self._memory.getvalue())
            self._memory = io.BytesIO()
        (self.file or self._memory).write(data)

    def tell(self) -> int:
        """How many bytes came."""
        return self._size

    def content(self) -> bytes:
        """All of it, or its beginning if it is in a file."""
        if self.file is None:
            return self._memory.getvalue()
        self.file.seek(0)
        return self.file.read(BEGINNING)


def size_of(file: IO[Any]) -> int:
    """The bytes in `file`, which then stands at its beginning."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size
