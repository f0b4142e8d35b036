"""A fault as people read it in a terminal: where, what, the line of the file, and a caret."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from connector_assets.errors import Fault
from connector_assets.spec.yaml.yaml_text import split_lines

_WIDTH = 100
_BEFORE = 60
"""Characters shown before the caret, where the line is too long to show."""

_TAB = 4
_SECRET_KEY = re.compile(
    r"(?i)(?:ref|secret|secrets|password|passwd|token|authorization|api[_-]?key|credential)$"
)
_QUOTED = r""""(?:[^"\\]|\\.)*"?|'[^']*'?"""
# From the beginning of a word only: a line may be one word of a megabyte.
_KEY = r"""(?<![\w.-])(?P<key>[\w.-]+)["']?[ \t]*:[ \t]*"""
_PAIR = re.compile(rf"{_KEY}(?P<value>[^\s{{\[].*)")
_PAIR_IN_FLOW = re.compile(rf"{_KEY}(?P<value>{_QUOTED}|[^\s,{{}}\[\]\"'][^,}}\]]*)")
_IN_URL = re.compile(r"""(?<=//)[^/\s"']+(?=@)|(?<=[?&])(?P<name>[^=&?\s"']+=)[^&\s"']+""")


def render_fault(fault: Fault, text: str | bytes, source: str | None = None) -> str:
    """`file:line:col: path: message`, the line it is on, and a caret below.

    Values that are secrets, or look like it by their key, are shown as `***`.

        specs/acme.yaml:9:15: auth.0.tokenUrl: must be https://
            tokenUrl: http://login.acme.com/token
                      ^
    """
    where = f"{source or '<text>'}:{fault.line}:{fault.column}: " if fault.line else ""
    head = f"{where or f'{source}: ' if source else where}{fault}"
    lines = _lines(text)
    if not 0 < fault.line <= len(lines):
        return head
    line = lines[fault.line - 1].removeprefix("\ufeff" if fault.line == 1 else "")
    shown, caret = _cut(_masked(line, fault), fault.column - 1)
    return f"{head}\n    {shown}\n    {' ' * caret}^"


# A document may be one line of a megabyte with thousands of faults: it is looked through once.
@lru_cache(maxsize=2)
def _lines(text: str | bytes) -> list[str]:
    return split_lines(text if isinstance(text, str) else text.decode("utf-8", "replace"))


@lru_cache(maxsize=2)
def _starred(line: str) -> str:
    line = _IN_URL.sub(_starred_url, line)
    in_flow = "{" in line.replace("{{", "")
    return (_PAIR_IN_FLOW if in_flow else _PAIR).sub(_starred_pair, line)


def _masked(line: str, fault: Fault) -> str:
    """The line with each secret as stars of the same length, so that columns stay."""
    line = _starred(line)
    steps = fault.path.split(".")
    if _SECRET_KEY.search(steps[-1]) or "secrets" in steps:
        start = fault.column - 1
        value = line[start:]
        if "{{" not in value and ":" not in value:
            line = line[:start] + _stars(value)
    return line


def _starred_pair(found: re.Match[str]) -> str:
    if not _SECRET_KEY.search(found["key"]) or "{{" in found["value"]:
        return found[0]
    return found[0][: found.start("value") - found.start()] + _stars(found["value"])


def _starred_url(found: re.Match[str]) -> str:
    name = found["name"] or ""
    value = found[0][len(name) :]
    return found[0] if "{{" in value else name + _stars(value)


def _stars(value: str) -> str:
    return re.sub(r"\S", "*", value)


def _cut(line: str, column: int) -> tuple[str, int]:
    """What of the line fits, and how many columns of a terminal stand before the caret."""
    start = max(0, column - _BEFORE) if len(line) > _WIDTH else 0
    before = _shown(line[start:column])
    after = _shown(line[column : start + _WIDTH])
    head, tail = "…" if start else "", "…" if len(line) > start + _WIDTH else ""
    return f"{head}{before}{after}{tail}".rstrip(), len(head) + _columns(before)


def _shown(text: str) -> str:
    """Text without what a terminal would obey or reorder."""
    text = text.replace("\t", " " * _TAB)
    return "".join(char if char.isprintable() else "�" for char in text)


def _columns(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 for char in text)
