"""Fenced blocks of Markdown pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path, language: str = "") -> Iterator[Block]:
    """The blocks of a page, in order, without their indentation; all languages by default."""
    source = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(source):
        if language in ("", found["language"]):
            lines = found["text"].splitlines(keepends=True)
            text = "".join(line.removeprefix(found["indent"]) for line in lines)
            yield Block(page, source.count("\n", 0, found.start()) + 1, found["language"], text)


def all_pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
