"""Content-Length said more than once: the same again is one length (RFC 9110, 8.6).

Some servers and the proxies before them each add the header. The parser refuses a second one, equal
or not; so an equal one is taken out before it sees it, and what differs is left for it to refuse.
"""

from __future__ import annotations

import re

_TWICE = re.compile(rb"(?is)content-length(?:.*content-length|:[^\r\n]*,)")
_NAME = b"content-length:"


class OneLength:
    """Passes the bytes of one head on, without a Content-Length that says the same again."""

    def __init__(self) -> None:
        self._held = self._said = b""
        self._is_within = False

    def pass_on(self, data: bytes) -> tuple[bytes, bytes]:
        """What of `data` is for the parser, and what stands behind the head.

        A line that may become a Content-Length, or the head's end, is held back until it is whole.
        """
        data, self._held = self._held + data, b""
        head, mark, behind = data.partition(b"\r\n\r\n")
        if mark and not (self._is_within or self._said or _TWICE.search(head)):  # as nearly always
            return head + mark, behind
        passed = []
        while data:
            line, mark, rest = data.partition(b"\n")
            begins, self._is_within = not self._is_within, not mark
            if not mark and begins and _may_matter(line):
                self._held, self._is_within = line, False
                break
            passed.append(self._once(line + mark) if begins else line + mark)
            data = rest
            if mark and begins and line in (b"", b"\r"):
                self._said = b""
                break
        return b"".join(passed), data if not self._held else b""

    def _once(self, line: bytes) -> bytes:
        """The line, nothing if it says a length again; `2, 2` is `2`."""
        if line[: len(_NAME)].lower() != _NAME:
            return line
        text = line.removesuffix(b"\n").removesuffix(b"\r")
        ending, value = line[len(text) :], text[len(_NAME) :]
        lengths = {one.strip(b" \t") for one in value.split(b",")}
        length = lengths.pop()
        if lengths or not length.isdigit():
            return line
        if self._said == length:
            return b""
        self._said = self._said or length
        return line[: len(_NAME)] + b" " + length + ending if b"," in value else line


def _may_matter(line: bytes) -> bool:
    return line == b"\r" or _NAME.startswith(line[: len(_NAME)].lower())
