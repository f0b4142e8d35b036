"""Where a stream is written down, for Dagster's "Open in editor"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
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

    documents: Sequence[tuple[str, str, str]]
    """Of each its whole path, what it is called beside the others, and its text."""

    @classmethod
    def of(cls, connection: Connection) -> Sources:
        paths = list(dict.fromkeys(path for path in (connection.source, connection.spec) if path))
        texts = [path.read_text("utf-8", errors="replace") for path in paths]
        named = zip(paths, names_of(paths), texts, strict=True)
        return cls([(str(path.absolute()), name, text) for path, name, text in named])

    def references(self, stream: str) -> Metadata | None:
        """Metadata that links a stream to the lines that name it."""
        located = [(path, name, line_of(text, stream)) for path, name, text in self.documents]
        return code_references(located) if located else None


def names_of(paths: Sequence[Path]) -> list[str]:
    """What files are called: by their folders where their names are the same.

    Those of a connection and its connector often are, and the UI cuts what is longer.
    """
    alike = len({path.name for path in paths}) < len(paths)
    return [path.absolute().parent.name if alike else path.name for path in paths]


def code_references(located: Iterable[tuple[str, str, int]]) -> Metadata:
    """Metadata that links an asset to lines of files: of each its path, its name, the line."""
    found: list[Any] = [
        dg.LocalFileCodeReference(file_path=path, line_number=line, label=f"{name}:{line}")
        for path, name, line in located
    ]
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=found)}
