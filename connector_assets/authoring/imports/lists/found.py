"""A list that was found, with what is known of it, and an index of them by path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from connector_assets.authoring.imports.draft import Names
from connector_assets.authoring.imports.lists.keys import Key, key_of
from connector_assets.authoring.imports.lists.operation import (
    VERBS,
    Operation,
    path_params,
    plain,
    singular,
    snake,
)
from connector_assets.authoring.imports.lists.rows import FoundRows
from connector_assets.authoring.imports.lists.schema import Schemas

Signature = tuple[str, ...]


@dataclass(frozen=True)
class FoundList:
    """A list: its operation, its rows, what identifies one of them, and the stream's name."""

    operation: Operation
    rows: FoundRows
    key: Key | None
    name: str

    @property
    def noun(self) -> str:
        """What a row is called, in the plural as the path has it."""
        return self.operation.noun


def signature(segments: Sequence[str]) -> Signature:
    """A path whatever its parameters are called."""
    return tuple("{}" if path_params(one) else one for one in segments)


class Details:
    """The parameters by which the API addresses single rows, by the path of their list."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._by_path: dict[Signature, list[str]] = {}
        self._by_names: dict[Signature, list[str]] = {}
        for one in operations:
            if one.ends_in_param and len(path_params(one.segments[-1])) == 1:
                param = path_params(one.segments[-1])[0]
                self._by_path.setdefault(signature(one.segments[:-1]), []).append(param)
                self._by_names.setdefault(tuple(one.names[-2:]), []).append(param)

    def of(self, operation: Operation) -> list[str]:
        """The parameters of paths to one row of this list, the nearest path first."""
        own = self._by_path.get(signature(operation.segments), [])
        return [*own, *self._by_names.get(tuple(operation.names[-2:]), [])]


def found_lists(
    listed: Sequence[tuple[Operation, FoundRows]], details: Details, schemas: Schemas
) -> list[FoundList]:
    """The lists with their keys and names."""
    names = _names([operation for operation, _ in listed])
    made = []
    for (operation, rows), name in zip(listed, names, strict=True):
        above = [param for one in operation.segments for param in path_params(one)]
        params = details.of(operation)
        key = key_of(rows.row, operation.noun, params, schemas, above)
        made.append(FoundList(operation, rows, key, name))
    return made


def _names(operations: Sequence[Operation]) -> list[str]:
    """For each the fewest last words of its path that tell it from the others."""
    words = [[snake(one) for one in op.names if snake(one)] or ["list"] for op in operations]
    counts = Counter("_".join(w[-n:]) for w in words for n in range(1, len(w) + 1))
    given = Names(longest=60)
    # The shortest path gets the plain name where all words are alike.
    order = sorted(range(len(words)), key=lambda at: (len(operations[at].segments), at))
    made = dict.fromkeys(order, "")
    for at in order:
        own = words[at]
        least = 2 if own[-1] in VERBS and len(own) > 1 else 1
        wanted = next(
            (
                "_".join(own[-n:])
                for n in range(least, len(own) + 1)
                if counts["_".join(own[-n:])] == 1
            ),
            "_".join(own[-2:]) if len(own) > 1 else own[-1],
        )
        made[at] = given.new(wanted)
    return [made[at] for at in range(len(words))]


class ListIndex:
    """The lists by path and by what they list, to find parents."""

    def __init__(self, found: Sequence[FoundList]) -> None:
        self.lists = found
        self._by_path: dict[Signature, FoundList] = {}
        by_noun: dict[str, list[FoundList]] = {}
        for one in found:
            if one.operation.method == "GET":
                self._by_path.setdefault(signature(one.operation.segments), one)
                by_noun.setdefault(plain(singular(one.noun)), []).append(one)
        self._by_noun: Mapping[str, list[FoundList]] = by_noun

    def at(self, segments: Sequence[str]) -> FoundList | None:
        """The list at this path."""
        return self._by_path.get(signature(segments))

    def called(self, word: str) -> FoundList | None:
        """The one list at the top whose rows are called so."""
        top = [
            one
            for one in self._by_noun.get(word, [])
            if not any(path_params(segment) for segment in one.operation.segments)
        ]
        return top[0] if len(top) == 1 else None
