"""What is declared of one list, for the rules of pagination to look at."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from connector_assets.authoring.imports.lists import page_words as words
from connector_assets.authoring.imports.lists.operation import Operation, Param, plain
from connector_assets.authoring.imports.lists.rows import FoundRows, dotted
from connector_assets.authoring.imports.lists.schema import Schemas, View

Step = tuple[str, ...]
_MAXIMUM = re.compile(
    r"(?:max(?:imum)?(?: (?:value|number|page size|limit|allowed|size))?"
    r"(?: (?:is|of|for \w+ is))?\W{0,4}"
    r"|between 1 and |1 ?(?:-|\u2013|to|and) ?|up to |no more than |at most |cannot exceed "
    r"|limit of )"
    r"`?(\d{1,3}(?:,\d{3})+|\d{2,6})",
    re.IGNORECASE,
)
_LARGEST_SIZE = 100_000


@dataclass(frozen=True)
class Paging:
    """A pagination in the terms of a spec, what it was guessed from, and what is to be asked.

    `params` are further parameters of the endpoint, as the size of a page where pages are followed.
    """

    spec: Mapping[str, Any]
    why: str
    question: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    others: Sequence[str] = ()


@dataclass(frozen=True)
class Habits:
    """What other lists of the same document do.

    `cursor_params` are their cursor parameters and how often each is there, `cursor_fields` which
    field of the answer fills each.
    """

    cursor_params: Mapping[str, int] = field(default_factory=dict)
    cursor_fields: Mapping[str, str] = field(default_factory=dict)
    linked: frozenset[str] = frozenset()
    """Cursor parameters of lists that a Link header leads on."""


@dataclass(frozen=True)
class ListFacts:
    """What is declared of one list, for the rules to look at."""

    operation: Operation
    rows: FoundRows
    key: str | None
    schemas: Schemas
    habits: Habits = field(default_factory=Habits)

    @cached_property
    def params(self) -> list[Param]:
        """The parameters that may page: the query's, else those of a JSON body."""
        return [*self.operation.of("query"), *self.operation.of("body")]

    @cached_property
    def fields(self) -> dict[Step, View]:
        """The fields of the answer beside the rows, the nearest first."""
        if self.operation.answer is None:
            return {}
        answer = self.schemas.view(self.operation.answer)
        if answer.is_array:
            return {}
        found = self.schemas.fields(answer)
        kept = [(path, view) for path, view in found if path != self.rows.steps]
        return dict(sorted(kept, key=lambda one: len(one[0])))

    def first(self, fits: Callable[[Param], bool], order: Sequence[str] = ()) -> Param | None:
        """The parameter that fits, the one that stands first in `order` if there are several."""
        found = [one for one in self.params if fits(one)]
        rank = {word: place for place, word in enumerate(order)}
        return min(found, key=lambda one: rank.get(one.word, len(rank)), default=None)

    @cached_property
    def size(self) -> Param | None:
        """The parameter that says how many rows an answer has."""
        return self.first(words.is_size, words.SIZES)

    @cached_property
    def largest(self) -> int | None:
        """The most rows that one may ask for, where the document says so."""
        return largest(self.size) if self.size else None

    def field(self, names: Sequence[str], fits: Callable[[View], bool]) -> Step | None:
        """The field with one of these names, by the order of the names, then the nearest."""
        for name in names:
            for path, view in self.fields.items():
                if plain(path[-1]) == name and fits(view) and not _backwards(path):
                    return path
        return None

    def with_size(self, spec: dict[str, Any]) -> dict[str, Any]:
        """The pagination with the size of a page, if it takes one."""
        if self.size and self.largest:
            spec |= {"pageSizeParam": self.size.name, "pageSize": self.largest}
        return spec

    @property
    def size_params(self) -> dict[str, Any]:
        """The size of a page as a parameter, for paginations that follow URLs."""
        return {self.size.name: self.largest} if self.size and self.largest else {}


def largest(size: Param) -> int | None:
    """The most that a size may be: by the schema, else by the text."""
    said = size.view.said.get("maximum")
    if isinstance(said, int | float) and 1 < said <= _LARGEST_SIZE:
        return int(said)
    numbers = [one for one in size.choices if isinstance(one, int) and not isinstance(one, bool)]
    if numbers:
        return max(numbers)
    found = _MAXIMUM.findall(f"{size.text} {size.view.text}")
    told = [int(one.replace(",", "")) for one in found]
    fitting = [one for one in told if 1 < one <= _LARGEST_SIZE]
    return fitting[0] if fitting else None


def begins_at_zero(param: Param) -> bool:
    text = f"{param.text} {param.view.text}".lower()
    said = param.view.said
    if re.search(
        r"zero[- ](?:based|indexed)|(?:starts?|begins?|starting|beginning) (?:at|from|with) 0", text
    ):
        return True
    return said.get("default") == 0 and said.get("default") is not False


def begins_at_one(param: Param) -> bool:
    said = param.view.said
    if param.word == "startindex" and said.get("default", 1) == 1 and said.get("minimum", 1) == 1:
        return True
    return said.get("default") == 1 and said.get("default") is not True


def has_more(facts: ListFacts) -> dict[str, Any]:
    path = facts.field(sorted(words.MORE), lambda view: "boolean" in view.types or view.is_open)
    return {"hasMoreField": dotted(path)} if path else {}


def done(facts: ListFacts) -> str:
    path = facts.field(sorted(words.DONE), lambda view: "boolean" in view.types)
    return ".".join(path) if path else ""


def totals(facts: ListFacts, *, pages: bool) -> dict[str, Any]:
    """Where the number of pages, or else of rows, is told."""
    if pages and (path := facts.field(words.TOTAL_PAGES, lambda view: view.is_number)):
        return {"totalPagesField": dotted(path)}
    if path := facts.field(words.TOTALS, _is_always_told):
        return {"totalField": dotted(path)}
    by_word = {plain(name): name for name in facts.operation.headers}
    counted = [by_word[one] for one in words.PAGES_HEADERS & by_word.keys()]
    if pages and counted:
        return {"totalPagesHeader": counted[0]}
    told = [by_word[one] for one in words.TOTAL_HEADERS & by_word.keys()]
    return {"totalHeader": told[0]} if told else {}


def _is_always_told(view: View) -> bool:
    """A number that is never null: some servers count only when they are asked to."""
    nullable = view.said.get("nullable") is True or "null" in str(view.said.get("type"))
    return view.is_number and not nullable and "null" not in view.text.lower()


def _backwards(path: Step) -> bool:
    return any(plain(one).startswith(("prev", "before", "first", "last")) for one in path)
