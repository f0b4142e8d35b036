"""XML with what is in its texts and attributes replaced, by the names of elements."""

from __future__ import annotations

import html
import re

from connector_assets.authoring.recording.scrub import Scrubber

_TOKEN = re.compile(
    r"<!--.*?-->|<!\[CDATA\[(?P<raw>.*?)\]\]>|<\?.*?\?>|</\s*(?P<close>[\w:.-]+)\s*>"
    r"|<(?P<open>[\w:.-]+)(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>|(?P<text>[^<]+)",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"(\s)([\w:.-]+)(\s*=\s*)(\"|')((?:(?!\4).)*)\4")
_INLINE = frozenset(
    ["a", "b", "i", "u", "p", "em", "li", "ul", "ol", "br", "div", "span", "strong"]
)
"""Elements of text: what is in them belongs to the field around."""


def scrubbed_xml(text: str, scrubber: Scrubber) -> str:
    """The document with values replaced; comments, which no row is made of, are left out."""
    names: list[str] = []
    return _TOKEN.sub(lambda found: _token(found, names, scrubber), text)


def _token(found: re.Match[str], names: list[str], scrubber: Scrubber) -> str:
    whole = found[0]
    if found["open"]:
        if not whole.endswith("/>"):
            names.append(_local(found["open"]))
        return _ATTRIBUTE.sub(lambda one: _attribute(one, scrubber), whole)
    if found["close"]:
        del names[-1:]
    elif found["raw"] is not None:
        return f"<![CDATA[{_value(found['raw'], names, scrubber).replace(']]>', '')}]]>"
    elif found["text"]:
        plain = html.unescape(whole)
        made = _value(plain, names, scrubber)
        return whole if made == plain else html.escape(made, quote=False)
    return "" if whole.startswith("<!--") else whole


def _value(plain: str, names: list[str], scrubber: Scrubber) -> str:
    name = next((one for one in reversed(names) if one.lower() not in _INLINE), "")
    inner = plain.strip()
    return plain.replace(inner, scrubber.value(inner, name), 1) if inner else plain


def _attribute(found: re.Match[str], scrubber: Scrubber) -> str:
    before, name, equals, mark, inner = found.groups()
    if name.startswith("xmlns") or not inner:
        return found[0]
    plain = html.unescape(inner)
    made = scrubber.value(plain, _local(name))
    return f"{before}{name}{equals}{mark}{inner if made == plain else html.escape(made)}{mark}"


def _local(name: str) -> str:
    return name.rpartition(":")[2]
