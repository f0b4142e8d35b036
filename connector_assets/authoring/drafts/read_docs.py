"""The documentation of an API, read in bounds: pages of one origin, and a document they link.

All that comes is somebody's text. It decides which pages are looked at next, within the origin it
came from, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import unquote, urlsplit
from urllib.robotparser import RobotFileParser

from connector_assets.authoring.docs_page import read_docs_page
from connector_assets.authoring.drafts.bounds import Spent
from connector_assets.authoring.drafts.sourced_text import Sourced
from connector_assets.authoring.imports.source import Fetch, shown
from connector_assets.errors import ConfigError, ConnectorError
from connector_assets.spec.names.url import join

AGENT = "connector-assets"
_LINK = re.compile(r"""(?:\bhref\s*=\s*["']?|\]\()([^"'\s>)]{1,2000})""", re.IGNORECASE)
_DOCUMENT = re.compile(
    r"(?:openapi|swagger|api-docs)[^/]*\.(?:json|ya?ml)|postman[^/]*\.json", re.IGNORECASE
)
_NO_PAGE = re.compile(
    r"\.(?:png|jpe?g|gif|svg|ico|css|js|zip|gz|pdf|xml|woff2?|mp4)$", re.IGNORECASE
)
_SIGN = re.compile(rb"\s*\{?\s*[\"']?(openapi|swagger)[\"']?\s*:")
_POSTMAN = re.compile(rb"schema\.getpostman\.com|_postman_id")
_MOST_LINKS = 300


@dataclass
class Docs:
    """What was read: pages as text, and a document of the API with its kind, where there is one."""

    pages: list[Sourced] = field(default_factory=list)
    kind: str = ""
    document: bytes = field(default=b"", repr=False)
    source: str = ""
    left: list[str] = field(default_factory=list)
    """What was not read, and why."""


def kind_of(raw: bytes) -> str:
    """Openapi or postman where the bytes are such a document, else an empty text."""
    if _POSTMAN.search(raw[:200_000]):
        return "postman"
    return "openapi" if _SIGN.match(raw[:2_000]) else ""


def read_docs(url: str, fetch: Fetch, spent: Spent, wish: str = "") -> Docs:
    """The documentation that begins at `url`; a ConnectorError where that page is not had."""
    if not url.lower().startswith(("http://", "https://")):
        raise ConfigError("is no http or https URL", where="url")
    reading = _Reading(url, fetch, spent, tuple(re.findall(r"[a-z]{4,}", wish.lower())))
    reading.read()
    return reading.docs


@dataclass
class _Reading:
    start: str
    fetch: Fetch
    spent: Spent
    wish: tuple[str, ...]
    docs: Docs = field(default_factory=Docs)
    seen: set[str] = field(default_factory=set)
    ahead: list[str] = field(default_factory=list)
    robots: RobotFileParser = field(default_factory=RobotFileParser)

    def read(self) -> None:
        self._ask_robots()
        if not self.robots.can_fetch(AGENT, self.start):
            fix = "save the page and give it with --text"
            raise ConfigError(
                "its robots.txt asks not to read it", where=shown(self.start), fix=fix
            )
        self._page(self.start, first=True)
        while self.ahead and not self.docs.document and self.spent.may_read:
            self._page(self.ahead.pop(0), first=False)
        if self.ahead and not self.docs.document:
            what = (
                f"{len(self.ahead)} more pages were linked, and not read: the bounds were reached"
            )
            self.docs.left.append(what)

    def _ask_robots(self) -> None:
        try:
            text = self.fetch(join(self.start, "/robots.txt"))[:500_000].decode("utf-8", "replace")
        except ConnectorError:
            text = ""
        self.robots.parse(text.splitlines() if "<" not in text[:100] else [])

    def _page(self, url: str, *, first: bool) -> None:
        self.spent.say(f"reading {shown(url)}")
        self.seen.add(_named(url))
        self.spent.pages += 1
        try:
            raw = self.fetch(url)
        except ConnectorError as error:
            if first:
                raise
            self.docs.left.append(f"{shown(url)} was not had: {error.what}"[:300])
            return
        self.spent.bytes += len(raw)
        if kind := kind_of(raw):
            self.docs.kind, self.docs.document, self.docs.source = kind, raw, shown(url)
            return
        try:
            page = read_docs_page(url, lambda _: raw)
        except ConnectorError:
            if first:
                raise
            return
        self.docs.pages.append(Sourced(page.url, page.text))
        self._follow(url, raw)

    def _follow(self, url: str, raw: bytes) -> None:
        """Put the links of a page in line: documents first, then what the wish names."""
        found = [one for one in _links(url, raw) if self._is_wanted(one)]
        self.seen |= {_named(one) for one in found}
        self.ahead = sorted([*self.ahead, *found], key=self._rank)[:_MOST_LINKS]

    def _is_wanted(self, url: str) -> bool:
        if _named(url) in self.seen or not _same_origin(url, self.start):
            return False
        path = urlsplit(url).path
        below = _folder(self.start)
        near = path.startswith(below) or bool(_DOCUMENT.search(path))
        return near and not _NO_PAGE.search(path) and self.robots.can_fetch(AGENT, url)

    def _rank(self, url: str) -> tuple[int, int]:
        path = unquote(urlsplit(url).path).lower()
        wished = any(word in path or word.rstrip("s") in path for word in self.wish)
        usual = re.search(r"auth|paginat|list|reference|resource", path)
        return (0 if _DOCUMENT.search(path) else 1 if wished else 2 if usual else 3), 0


def _links(base: str, raw: bytes) -> Iterator[str]:
    text = raw[: 2 << 20].decode("utf-8", "replace")
    known: dict[str, None] = {}
    for found in _LINK.finditer(text):
        if len(known) >= _MOST_LINKS:
            break
        try:
            known.setdefault(join(base, unescape(found[1])).partition("#")[0])
        except (ValueError, ConnectorError):
            continue
    return iter(known)


def _named(url: str) -> str:
    return shown(url).rstrip("/")


def _folder(url: str) -> str:
    path = urlsplit(url).path
    return path[: path.rfind("/") + 1] or "/"


def _same_origin(one: str, other: str) -> bool:
    try:
        first, second = urlsplit(one), urlsplit(other)
    except ValueError:
        return False
    return (first.scheme, first.netloc) == (second.scheme, second.netloc)
