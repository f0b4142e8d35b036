"""Where a stream is written down, for Dagster's "Open in editor"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from connector_assets.project.connection import Connection

Metadata = dict[str, dg.CodeReferencesMetadataValue]
_READ = re.compile(r"^\s*\"?(?:read|streams)\"?\s*:", re.MULTILINE)


def line_of(text: str, stream: str) -> int:
    r"""The line, from 1, that names `stream` below `read:` or `streams:`; 1 where none does.

    >>> line_of("id: shop\nread:\n  resourceTypes: [Order, Item]\n", "Item")
    3
    """
    head = _READ.search(text)
    word = re.compile(rf"(?<![\w.-]){re.escape(stream)}(?![\w.-])")
    found = word.search(text, head.end() if head else 0)
    return text.count("\n", 0, found.start()) + 1 if found else 1


@dataclass(frozen=True)
class Sources:
    """The documents of a connection, its own and its connector's, read once for all streams."""

    texts: Mapping[Path, str]

    @classmethod
    def of(cls, connection: Connection) -> Sources:
        paths = dict.fromkeys(path for path in (connection.source, connection.spec) if path)
        return cls({path: path.read_text("utf-8", errors="replace") for path in paths})

    def references(self, stream: str) -> Metadata | None:
        """Metadata that links a stream to the lines that name it."""
        located = [(path, line_of(text, stream)) for path, text in self.texts.items()]
        return code_references(located) if located else None


def code_references(located: Iterable[tuple[Path, int]]) -> Metadata:
    """Metadata that links an asset to lines of files.

    They are called by their folders where their names are the same, as those of a connection and
    its connector often are.
    """
    located = list(located)
    folders = len({path.name for path, _ in located}) < len(located)
    names = {path: path.absolute().parent.name if folders else path.name for path, _ in located}
    found: list[Any] = [
        dg.LocalFileCodeReference(
            file_path=str(path.absolute()), line_number=line, label=f"{names[path]}:{line}"
        )
        for path, line in located
    ]
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=found)}
