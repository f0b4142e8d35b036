"""Where a stream is written down, for Dagster's "Open in editor"."""

from __future__ import annotations

import re
from pathlib import Path

import dagster as dg

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


def code_reference(path: Path, line: int) -> dict[str, dg.CodeReferencesMetadataValue]:
    """Metadata that links an asset to a line of a file."""
    reference = dg.LocalFileCodeReference(
        file_path=str(path.absolute()), line_number=line, label=f"{path.name}:{line}"
    )
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference])}
