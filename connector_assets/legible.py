r"""Text of others as people may see it: nothing in it moves a cursor, hides or turns text.

Terminals, logs and pages obey control characters, and servers, specs and files can hold any. So all
that is shown goes through `legible`, and JSON that is printed through `escaped`, which gives the
value back to whoever reads it.

>>> legible("a\x1b[31m" + chr(0x202E))
'a\\x1b[31m\\u202e'
"""

from __future__ import annotations

import re

LONGEST_LINE = 2_000
"""Characters of one line of a message; what a server says may be longer than anyone reads."""

# C0 but tab and newline, DEL and C1; marks that turn the direction; line ends that only some know;
# half characters, which cannot be written at all.
_HOSTILE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_IN_UTF_8 = re.compile(
    rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]"
    rb"|\xe2\x81[\xa6-\xa9]|\xed[\xa0-\xbf][\x80-\xbf]"
)
_MARKDOWN = re.compile(r"[\\`*\[\]<>|~]|^#", re.MULTILINE)


def legible(text: str) -> str:
    r"""`text` with each character that a terminal obeys written out, as `\x1b`."""
    return _HOSTILE.sub(_written, text)


def message(text: str) -> str:
    """`text` legible, and no line of it longer than anyone reads."""
    text = legible(text)
    if len(text) <= LONGEST_LINE:
        return text
    return "\n".join(map(_cut, text.split("\n")))


def escaped(text: bytes) -> bytes:
    """JSON in UTF-8 with those characters escaped as JSON does; it says the same."""
    return _IN_UTF_8.sub(_as_json, text)


def markdown(text: str) -> str:
    r"""`text` so that a page which reads Markdown shows it as it is: no links, images or HTML.

    >>> markdown("![x](https://h/t.png) <b>")
    '!\\[x\\](https://h/t.png) \\<b\\>'
    """
    return _MARKDOWN.sub(lambda found: f"\\{found[0]}", legible(text))


def code(text: str) -> str:
    """`text` as a piece of code in Markdown, whatever is in it."""
    runs = [len(run) for run in re.findall("`+", text)]
    fence = "`" * (max(runs, default=0) + 1)
    space = " " if runs else ""
    return f"{fence}{space}{legible(text)}{space}{fence}"


def _written(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number <= 0xFF else f"\\u{number:04x}"  # noqa: PLR2004 - two digits


def _as_json(found: re.Match[bytes]) -> bytes:
    if found[0] == b"\r":
        return b" "  # between tokens: within a text JSON has it escaped already
    return b"\\u%04x" % ord(found[0].decode("utf-8", "surrogatepass"))


def _cut(line: str) -> str:
    if len(line) <= LONGEST_LINE:
        return line
    kept = LONGEST_LINE - 40
    return f"{line[:kept]}… ({len(line) - kept:,} more characters)"
