"""One request that may be a list, in the terms that all sources have: parameters and an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from connector_assets.authoring.imports.lists.schema import Node, View

Place = Literal["query", "path", "header", "cookie", "body"]
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_VERSION = re.compile(r"v?\d[\w.-]*|api|rest|services|data|public|latest", re.IGNORECASE)
VERBS = ("search", "list", "query", "get", "sync", "find", "filter", "lookup")
_PARAM = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True)
class Param:
    """A parameter. `name` is as it is sent; in a JSON body it is the path of the value."""

    name: str
    place: Place
    view: View = field(default_factory=View, repr=False)
    text: str = ""
    required: bool = False
    sent: bool = False
    """Whether it was sent so in a request that was made, and is no more than declared."""

    @property
    def word(self) -> str:
        """The name without case and marks, as `pagesize`; in a body that of its last part."""
        return plain(self.name.rpartition(".")[2] if self.place == "body" else self.name)

    @property
    def default(self) -> Any:
        """The default that its schema has."""
        return self.view.said.get("default")

    @property
    def choices(self) -> list[Any]:
        """The values that are allowed, where they are listed."""
        found = self.view.said.get("enum")
        return [one for one in found if one is not None] if isinstance(found, list) else []


@dataclass(frozen=True)
class Operation:
    """A request and what it is answered.

    `path` begins with `/` and has its parameters in braces. `answer` is the schema of the rows'
    answer. `headers` are those of the answer in lower case, with their texts.
    """

    method: str
    path: str
    id: str = ""
    summary: str = ""
    text: str = ""
    tags: Sequence[str] = ()
    params: Sequence[Param] = ()
    answer: Node | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    deprecated: bool = False
    has_body: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def source(self) -> str:
        """How it is called in reports: `GET /orders`."""
        return f"{self.method} {self.path}"

    @property
    def segments(self) -> list[str]:
        """The parts of the path, without its suffix and query."""
        path = re.split(r"[?#]", self.path)[0]
        return [part for part in re.sub(r"\.(?:json|xml)$", "", path).split("/") if part]

    @property
    def names(self) -> list[str]:
        """The fixed parts of the path that name things: no version, no parameter."""
        fixed = [one for one in self.segments if not _PARAM.search(one)]
        named = [one for one in fixed if not _VERSION.fullmatch(one)]
        return named or fixed

    @property
    def noun(self) -> str:
        """What is listed: the last name of the path that is no verb."""
        nouns = [one for one in self.names if one.lower() not in VERBS]
        return snake((nouns or self.names or ["list"])[-1])

    @property
    def ends_in_param(self) -> bool:
        """Whether the path ends in a parameter, as that of one thing does."""
        return bool(self.segments) and bool(_PARAM.search(self.segments[-1]))

    @property
    def is_search(self) -> bool:
        """Whether it is a POST that reads, by the last word of its path."""
        last = re.split(r"[:/_.-]", self.path.rstrip("/"))[-1].lower()
        return self.method == "POST" and last in VERBS

    def of(self, *places: Place) -> list[Param]:
        """The parameters in these places."""
        return [one for one in self.params if one.place in places]


def words_in(text: str) -> tuple[str, ...]:
    """The words of a text, for tables of names."""
    return tuple(text.split())


def plain(name: str) -> str:
    """A name without case and marks: `page[size]`, `PageSize` and `page_size` are `pagesize`."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def snake(name: str) -> str:
    """A name in lower case with underscores: `usageRecords`, `Usage-Records` → `usage_records`."""
    return "_".join(word.lower() for word in _WORDS.findall(name))


def singular(name: str) -> str:
    """One of what a plural names, by the endings of English.

    >>> [singular(one) for one in ("companies", "addresses", "users", "status", "boxes", "media")]
    ['company', 'address', 'user', 'status', 'box', 'media']
    """
    if name.endswith("ies") and len(name) > 4:  # noqa: PLR2004 - "series", "ties"
        return f"{name[:-3]}y"
    if name.endswith(("sses", "xes", "ches", "shes", "zes")):
        return name[:-2]
    if name.endswith("s") and not name.endswith(("ss", "us", "is")):
        return name[:-1]
    return name


def path_params(segment: str) -> list[str]:
    """The parameters in a part of a path."""
    return _PARAM.findall(segment)
