"""Texts that a draft rests on, and the sentences in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

_FENCE = re.compile(r"^```\s*$")
_ENDS = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"'(])")
_MARKS = re.compile(r"[`*_|\[\]]|\((?:https?:)?//[^)\s]*\)")
MOST_SENTENCES = 4_000


@dataclass(frozen=True)
class Block:
    """A part of a page: `kind` is heading, text, table or code."""

    kind: str
    text: str


@dataclass(frozen=True)
class Sourced:
    """A page, or a text that was given, as `url` names it."""

    url: str
    text: str

    @cached_property
    def blocks(self) -> list[Block]:
        """The parts of the text in their order."""
        found: list[Block] = []
        code: list[str] | None = None
        for line in self.text.splitlines():
            if _FENCE.match(line.strip()) or line.startswith("```"):
                if code is not None:
                    found.append(Block("code", "\n".join(code).strip()))
                code = None if code is not None else []
            elif code is not None:
                code.append(line)
            elif line.strip():
                _add(found, line.strip())
        if code:
            found.append(Block("code", "\n".join(code).strip()))
        return found

    @cached_property
    def sentences(self) -> list[str]:
        """What stands in the text, a sentence or a line each."""
        made: list[str] = []
        for block in self.blocks:
            parts = block.text.splitlines() if block.kind != "text" else _ENDS.split(block.text)
            made += [" ".join(part.split()) for part in parts if part.strip()]
        return made[:MOST_SENTENCES]

    def holds(self, quote: str) -> bool:
        """Whether a sentence stands in the text, marks and spaces aside."""
        wanted = _plain(quote)
        return len(wanted) > 3 and wanted in self._whole  # noqa: PLR2004 - a word is no sentence

    @cached_property
    def _whole(self) -> str:
        return _plain(self.text)


def _add(found: list[Block], line: str) -> None:
    """A line to the block before it, where it goes on with that."""
    kind = "heading" if line.startswith("#") else "table" if line.startswith("|") else "text"
    if kind == "table" and found and found[-1].kind == "table":
        found[-1] = Block("table", f"{found[-1].text}\n{line}")
    else:
        found.append(Block(kind, line.lstrip("# ") if kind == "heading" else line))


def _plain(text: str) -> str:
    return " ".join(_MARKS.sub(" ", text).lower().split())
