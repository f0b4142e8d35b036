"""A page of documentation as clean text: fetched through the guard, without scripts and menus.

What comes is somebody's text and may be written to make a model do things. It is data: nothing in
it is obeyed here, and what reads it is told so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urljoin

from connector_assets.authoring.imports.source import Fetch, shown
from connector_assets.errors import ConfigError
from connector_assets.legible import legible

_LEFT_OUT = {"nav", "footer", "form"}
_BLOCKS = {"p", "div", "section", "article", "main", "ul", "ol", "table", "dl", "blockquote"}
_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
_VOID = {"br", "hr", "img", "input", "meta", "link", "wbr", "source", "col", "area", "base"}
MAX_BYTES = 2 << 20
"""Of a larger page the beginning is read."""
_DEEPEST = 400
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})((?:[\s/][^<>]{0,4000})?)>")
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_RAW = {"script", "style", "noscript", "template", "iframe", "svg"}
_MANY_BREAKS = re.compile(r"\n(?:[ \t]*\n){2,}")


@dataclass(frozen=True)
class DocsPage:
    """A page: `url` without its query, and its text as Markdown."""

    url: str
    title: str
    text: str


def read_docs_page(url: str, fetch: Fetch) -> DocsPage:
    """The page at `url`; raises a ConnectorError where it cannot be had or is no text."""
    if not url.lower().startswith(("http://", "https://")):
        raise ConfigError("is no http or https URL", where="url")
    raw = fetch(url)[:MAX_BYTES]
    if b"\x00" in raw[:4096]:
        raise ConfigError("is no text", where=shown(url), fix="give the URL of a page")
    text = raw.decode("utf-8", "replace")
    title = ""
    if text.lstrip("\ufeff \t\r\n")[:1] == "<":
        reader = _Reader(url)
        reader.read(text)
        title, text = reader.title, reader.text
    return DocsPage(shown(url), legible(" ".join(title.split()))[:200], legible(text).strip())


def _tokens(html: str) -> Iterator[tuple[str, str, str]]:
    """Tags and texts as ("open" | "close" | "text", name or text, attributes).

    Not `html.parser`, which takes time that grows with the square of what is never closed.
    """
    at, lower = 0, html.lower()
    while at < len(html):
        tag = html.find("<", at)
        if tag != at:
            yield "text", html[at : tag if tag >= 0 else len(html)], ""
            at = tag if tag >= 0 else len(html)
            continue
        found = _TAG.match(html, at)
        name = found[2].lower() if found else ""
        if found and not found[1] and name in _RAW:
            at = _behind(html, ">", _behind(lower, f"</{name}", found.end()))
        elif found:
            yield "close" if found[1] else "open", name, found[3]
            at = found.end()
        elif html.startswith("<!--", at):
            at = _behind(html, "-->", at)
        elif html.startswith(("<!", "<?", "</"), at):
            at = _behind(html, ">", at)
        else:
            yield "text", "<", ""
            at += 1


def _behind(text: str, end: str, at: int) -> int:
    """The place behind the next `end`; of what never ends, the end of all."""
    found = text.find(end, at)
    return len(text) if found < 0 else found + len(end)


@dataclass
class _Reader:
    """HTML to Markdown, as far as a reader of API documentation needs it."""

    base: str
    found: list[str] = field(default_factory=list)
    open_: list[str] = field(default_factory=list)
    hidden: int = 0
    links: list[str] = field(default_factory=list)
    heading: list[str] = field(default_factory=list)

    def read(self, html: str) -> None:
        """Take all of a page."""
        for kind, name, attributes in _tokens(html):
            if kind == "text":
                self._text(unescape(name))
            elif kind == "open":
                self._open(name, attributes)
            else:
                self._close(name)

    @property
    def title(self) -> str:
        return "".join(self.heading)

    @property
    def text(self) -> str:
        return _MANY_BREAKS.sub("\n\n", "".join(self.found))

    def _open(self, tag: str, attributes: str) -> None:
        if tag in _VOID:
            self._say("\n" if tag in ("br", "hr") else "")
            return
        if len(self.open_) == _DEEPEST:
            return
        self.open_.append(tag)
        self.hidden += tag in _LEFT_OUT
        if tag == "a":
            self.links.append(self._link(attributes))
        self._say(self._before(tag))

    def _close(self, tag: str) -> None:
        if tag not in self.open_:
            return
        while self.open_:
            closed = self.open_.pop()
            self._say(self._after(closed))
            self.hidden -= closed in _LEFT_OUT
            if closed == tag:
                break

    def _text(self, data: str) -> None:
        if "title" in self.open_:
            self.heading.append(data)
        elif "pre" in self.open_:
            self._say(data)
        else:
            self._say(re.sub(r"\s+", " ", data))

    def _before(self, tag: str) -> str:
        if tag in _HEADINGS:
            return f"\n\n{_HEADINGS[tag]} "
        if tag == "code" and "pre" in self.open_:
            return ""
        marks = {"li": "\n- ", "tr": "\n|", "td": " ", "th": " ", "pre": "\n```\n", "code": "`"}
        marks |= {"dt": "\n", "dd": ": ", "a": "["}
        return marks.get(tag, "\n\n" if tag in _BLOCKS else "")

    def _after(self, tag: str) -> str:
        if tag == "a":
            return f"]({self.links.pop()})" if self.links else "]"
        if tag == "code" and "pre" in self.open_:
            return ""
        marks = {"td": " |", "th": " |", "pre": "\n```\n", "code": "`"}
        return marks.get(tag, "\n\n" if tag in _BLOCKS or tag in _HEADINGS else "")

    def _link(self, attributes: str) -> str:
        found = _HREF.search(attributes)
        try:
            return urljoin(
                self.base, unescape(next(filter(None, found.groups()), "#")) if found else "#"
            )
        except ValueError:
            return "#"

    def _say(self, text: str) -> None:
        if text and not self.hidden:
            self.found.append(text)
