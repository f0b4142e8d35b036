"""Keys of mappings put in order by moving their lines, with the comments that belong to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

Places = Mapping[int, Mapping[str, int]]
"""By the `id` of a mapping's node: the place of each of its keys."""


def reordered(text: str, root: Any, places: Places) -> str:
    """`text` with the keys of the mappings that `places` names in order.

    A comment above a key moves with it, and so does one that is indented deeper than the key
    below it; the comments at the top and at the end of the document stay.
    """
    lines = _Flows(text, places).rewritten(root).split("\n")
    _Blocks(lines, places).order(root, len(lines))
    return "\n".join(lines)


def _sorted(node: Any, places: Places) -> list[int]:
    """The positions of a mapping's entries in their order; keys without a place come last."""
    wanted = places.get(id(node), {})
    keys = [key.value for key, _ in node.value]
    return sorted(range(len(keys)), key=lambda at: wanted.get(keys[at], len(wanted)))


class _Flows:
    """Mappings in braces, `{b: 1, a: 2}`, that stand on one line."""

    def __init__(self, text: str, places: Places) -> None:
        self.text, self.places = text, places

    def rewritten(self, node: Any) -> str:
        """The whole text, with these in order."""
        parts, at = [], 0
        for one in self._outermost(node):
            parts += [self.text[at : one.start_mark.index], self._written(one)]
            at = one.end_mark.index
        return "".join([*parts, self.text[at:]])

    def _outermost(self, node: Any) -> list[Any]:
        if isinstance(node, yaml.ScalarNode):
            return []
        if node.flow_style:
            return [node] if node.start_mark.line == node.end_mark.line else []
        return [one for below in _below(node) for one in self._outermost(below)]

    def _written(self, node: Any) -> str:
        """One node as text, what is in it in order."""
        begin, end = node.start_mark.index, node.end_mark.index
        below = [] if isinstance(node, yaml.ScalarNode) else _below(node)
        if not below:
            return self.text[begin:end]
        if isinstance(node, yaml.MappingNode):
            wanted = _sorted(node, self.places)
            if wanted != sorted(wanted):
                pairs = [node.value[at] for at in wanted]
                return "{" + ", ".join(self._pair(*pair) for pair in pairs) + "}"
        parts, at = [], begin
        for one in below:
            parts += [self.text[at : one.start_mark.index], self._written(one)]
            at = one.end_mark.index
        return "".join([*parts, self.text[at:end]])

    def _pair(self, key: Any, value: Any) -> str:
        written = self.text[key.start_mark.index : key.end_mark.index]
        return f"{written}: {self._written(value)}".rstrip()


class _Blocks:
    """Mappings with a key a line.

    `lines` are changed in place, those within before those around: moving lines within an entry
    changes no line number around it.
    """

    def __init__(self, lines: list[str], places: Places) -> None:
        self.lines, self.places = lines, places

    def order(self, node: Any, end: int) -> None:
        """Order `node` and all that is in it; `end` is the first line after it."""
        if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
            return
        entries = node.value if isinstance(node, yaml.MappingNode) else [(v, v) for v in node.value]
        column, starts = node.start_mark.column, [key.start_mark.line for key, _ in entries]
        ends = [self._begin(at, column) for at in starts[1:]] + [self._end(end, column)]
        for (_, value), to in zip(entries, ends, strict=True):
            self.order(value, to)
        wanted = _sorted(node, self.places) if isinstance(node, yaml.MappingNode) else []
        if wanted != sorted(wanted):
            self._move(wanted, starts, ends, column)

    def _move(self, wanted: list[int], starts: list[int], ends: list[int], column: int) -> None:
        first, last = starts[0], ends[-1]
        head = self.lines[first][:column]  # what the first key follows, as "  - "
        self.lines[first] = " " * column + self.lines[first][column:]
        begins = [first, *ends[:-1]]
        blocks = [self.lines[begins[at] : ends[at]] for at in wanted]
        above = starts[wanted[0]] - begins[wanted[0]]
        moved = [line for block in blocks for line in block]
        moved[above] = head + moved[above][column:]
        self.lines[first:last] = moved

    def _begin(self, at: int, column: int) -> int:
        """The first line that belongs to the key on line `at`: its comments stand above it."""
        while self._is_beside(at - 1, column):
            at -= 1
        return at

    def _end(self, end: int, column: int) -> int:
        """The end of a mapping, without comments after it that are not deeper than its keys."""
        while self._is_beside(end - 1, column):
            end -= 1
        return end

    def _is_beside(self, at: int, column: int) -> bool:
        line = self.lines[at]
        bare = line.lstrip(" ")
        return not bare or (bare.startswith("#") and len(line) - len(bare) <= column)


def _below(node: Any) -> list[Any]:
    """The nodes right below one, keys too, as they stand in the text."""
    if isinstance(node, yaml.MappingNode):
        return [one for pair in node.value for one in pair]
    return list(node.value)
