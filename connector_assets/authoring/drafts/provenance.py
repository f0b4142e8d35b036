"""What each value of a draft rests on: a page and a sentence that stands there, or nothing.

A claim counts only where its sentence stands in the text of the page that it names, and holds the
value. So it does not matter who claims, a rule or a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector_assets.authoring.drafts.said import LIMIT
from connector_assets.authoring.drafts.sourced_text import Sourced
from connector_assets.authoring.imports.commented import Noted, bare

_OWN = {
    "kind": "the format's own",
    "version": "the format's own",
    "id": "made of the address of the API",
    "displayName": "made of the address of the API",
    "docsUrl": "where the documentation begins",
    "maxPages": "drafts read to the end of a list",
}
_UNSOURCED = "UNSOURCED: no sentence of the pages says so"
_LONGEST = 130
_WORDS = {
    "bearer": r"bearer",
    "basic": r"\bbasic\b|(?:^|\s)-u\b|--user",
    "oauth2": r"client_credentials|oauth",
    "client_credentials": r"client_credentials|client credentials",
    "link_header": r"\blink\b",
    "next_url": r"next",
    "cursor": r"cursor|token|after|next",
    "offset": r"offset|skip|start",
    "page": r"\bpage",
    "api_key": r"key|token|header",
    "secret": r"token|key|secret|password|user|(?:^|\s)-u\b|authorization",
    "header": r"header|-H ",
    "query": r"query|parameter|\?",
}
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Claim:
    """A sentence on a page, said to be what the value at `path` rests on."""

    path: str
    url: str
    sentence: str


@dataclass
class Provenance:
    """Finds for each value where it is said; `found` are the lines in their order."""

    pages: Sequence[Sourced]
    claims: Mapping[str, Claim] = field(default_factory=dict)
    mask: Callable[[str], str] = str
    """Takes secrets out of what is quoted: an example may hold one."""
    found: list[dict[str, Any]] = field(default_factory=list)
    _near: str = ""

    def noted(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The document with a comment at each value."""
        self.found.clear()
        made: dict[str, Any] = self._noted(data, ()).value
        return made

    @property
    def unsourced(self) -> list[str]:
        """The paths of values that no sentence holds."""
        return [one["path"] for one in self.found if one["sentence"] is None]

    def _noted(self, value: Any, path: Path) -> Any:
        noted = value if isinstance(value, Noted) else Noted(value)
        inner = noted.value
        if isinstance(inner, Mapping) and inner:
            self._look_near(inner, path)
            made: Any = {key: self._noted(one, (*path, key)) for key, one in inner.items()}
        elif isinstance(inner, list | tuple) and any(_is_deep(one) for one in inner):
            made = [self._noted(one, (*path, at)) for at, one in enumerate(inner)]
        else:
            why = self._why(path, bare(inner))
            told = f"{why}; {noted.why}" if noted.why else why
            return Noted(bare(inner), told, noted.open, noted.above)
        return Noted(made, noted.why, noted.open, noted.above)

    def _look_near(self, inner: Mapping[str, Any], path: Path) -> None:
        """Values of one endpoint are looked for from where its path stands."""
        if len(path) == 2 and path[0] == "endpoints":  # noqa: PLR2004
            self._near = str(bare(inner.get("url", "")))

    def _why(self, path: Path, value: Any) -> str:
        name = _dotted(path)
        key = str(path[-1])
        if (len(path) == 1 and key in _OWN) or key == "maxPages":
            return _OWN[key]
        words = _words_of(path, value)
        claim = self.claims.get(name)
        if claim is None or not self._holds(claim, words):
            claim = self._search(name, words)
        told = {"path": name, "value": value, "url": None, "sentence": None}
        if claim is None:
            self.found.append(told)
            return _UNSOURCED
        quoted = self.mask(claim.sentence)
        self.found.append(told | {"url": claim.url, "sentence": quoted})
        short = quoted[:_LONGEST] + ("…" if len(quoted) > _LONGEST else "")
        return f'{claim.url} "{short}"'

    def _holds(self, claim: Claim, words: re.Pattern[str] | None) -> bool:
        """Whether the sentence of a claim stands on its page, and has the value in it."""
        page = next((one for one in self.pages if one.url == claim.url), None)
        stands = page is not None and page.holds(claim.sentence)
        return stands and (words is None or bool(words.search(claim.sentence)))

    def _search(self, name: str, words: re.Pattern[str] | None) -> Claim | None:
        if words is None:
            return None
        for page, sentence in self._nearest():
            if words.search(sentence):
                return Claim(name, page.url, sentence)
        return None

    def _nearest(self) -> Iterator[tuple[Sourced, str]]:
        """All sentences, from the path of the endpoint on, and then the rest."""
        path = _path_pattern(self._near) if self._near else None
        late: list[tuple[Sourced, str]] = []
        for page in self.pages:
            begun = path is None
            for sentence in page.sentences:
                begun = begun or bool(path and path.search(sentence))
                if begun:
                    yield page, sentence
                else:
                    late.append((page, sentence))
        yield from late


def _is_deep(value: Any) -> bool:
    return isinstance(bare(value), Mapping | list)


def _dotted(path: Path) -> str:
    return ".".join(map(str, path))


def _words_of(path: Path, value: Any) -> re.Pattern[str] | None:
    """What a sentence must have for the value at a path; None where no words can tell."""
    key = str(path[-1])
    texts = [str(one) for one in (value if isinstance(value, list) else [value])]
    text = texts[0] if texts else ""
    if "columns" in path and len(path) >= 5:  # noqa: PLR2004 - read.streams.N.columns.NAME
        return _word(str(path[4]))
    if "secrets" in path or "{{secrets." in text:
        return re.compile(_WORDS["secret"], re.IGNORECASE)
    if text == "@":
        return re.compile(r"^\[")
    if key in ("url", "baseUrl", "tokenUrl"):
        return _path_pattern(text)
    if key in ("type", "grant", "in") and text in _WORDS:
        return re.compile(_WORDS[text], re.IGNORECASE)
    return _named(path, key, texts)


def _named(path: Path, key: str, texts: Sequence[str]) -> re.Pattern[str] | None:
    """The words of a name, or of a value that stands in the sentence as it is."""
    if key == "requestsPerSecond":
        return LIMIT
    if key in ("id", "name", "endpoint", "stream", "description") and "auth" not in path:
        return re.compile(_spaced(texts[0]), re.IGNORECASE) if texts else None
    if any("{{" in one for one in texts):
        return _word(key)
    return re.compile("|".join(_word(one).pattern for one in texts if one), re.IGNORECASE)


def _word(text: str) -> re.Pattern[str]:
    """The value, or the last part of a path, as a word by itself."""
    last = re.split(r"\.(?=[^.]*$)", text.strip())[-1].strip('"') or text
    return re.compile(rf"(?<![A-Za-z0-9]){re.escape(last)}(?![A-Za-z0-9])", re.IGNORECASE)


def _spaced(text: str) -> str:
    return r"[\W_]+".join(re.escape(one) for one in re.split(r"[\W_]+", text) if one) or r"(?!)"


def _path_pattern(text: str) -> re.Pattern[str]:
    """A URL or path in a sentence; what templates stand for may be anything there."""
    parts = re.split(r"\{\{[^{}]*\}\}", text)
    pattern = r"[^/\s]+".join(re.escape(one.removeprefix("https://")) for one in parts)
    return re.compile(rf"{pattern}(?![\w-])")
