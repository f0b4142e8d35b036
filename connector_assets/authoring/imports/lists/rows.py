"""Whether an operation is a list, and where its rows are in the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from connector_assets.authoring.imports.lists.operation import Operation, plain, singular, words_in
from connector_assets.authoring.imports.lists.schema import Schemas, View

DEEPEST = 3
KNOWN = frozenset(
    words_in(
        "data results result items records entries rows values value objects elements content "
        "list hits resources edges nodes collection documents members entities response payload "
        "resourcelist"
    )
)
"""Names of rows that say nothing of what they are, without case and marks."""

NOT_ROWS = frozenset(
    words_in(
        "errors error warnings included order orderby sort links link facets aggregations "
        "messages notices filters tags scopes columns fields headers expandable deprecations "
        "notifications metadata"
    )
)
"""Names of second lists, unless the path itself names them."""

_WRAPPERS = KNOWN | frozenset(words_in("meta embedded body d page pagination"))
_KEYS = frozenset(words_in("id gid sid uuid guid"))
_META = frozenset(
    words_in(
        "total totalcount totalpages hasmore more next nextpage nextcursor cursor page pages "
        "pagination paging meta links limit offset perpage pagesize count previous prev object "
        "url self kind"
    )
)


@dataclass(frozen=True)
class FoundRows:
    """Where the rows of a list are: `path` in the terms of a spec, `@` for the root."""

    path: str
    why: str
    row: View = field(repr=False)
    steps: tuple[str, ...] = ()
    question: str = ""
    others: Sequence[str] = ()
    score: int = 0


def rows_of(operation: Operation, schemas: Schemas) -> FoundRows | str:
    """The rows of a list, or why it is none."""
    if operation.answer is None:
        return "its answer is not described"
    answer = schemas.view(operation.answer)
    if answer.is_array:
        return _root(answer, schemas)
    found = sorted(_candidates(answer, operation, schemas), key=lambda one: -one.score)
    if not found:
        return _without_candidates(operation, answer)
    best, *others = found
    if reason := _no_list(operation, answer, best):
        return reason
    return _chosen(best, [one for one in others if one.score >= best.score - 2])


def _root(answer: View, schemas: Schemas) -> FoundRows | str:
    row = schemas.view(answer.items)
    if not row.is_object and not (row.is_open and answer.items is not None):
        kind = "/".join(sorted(row.types)) or "nothing"
        return (
            f"it is a list of {kind}, not of objects" if row.types else "its rows are not described"
        )
    return FoundRows("@", "the answer is a list", row)


def _without_candidates(operation: Operation, answer: View) -> FoundRows | str:
    words = {one.word for one in operation.of("query")}
    counted = words & {"page", "pagenumber", "offset"} and words & {"perpage", "pagesize", "limit"}
    if counted and not operation.ends_in_param and answer.is_object:
        question = "the answer is described as one object, and the parameters are those of a list"
        return FoundRows("@", "it has parameters of a list", answer, question=question)
    return "its answer has no list of objects"


def _candidates(
    answer: View, operation: Operation, schemas: Schemas, before: tuple[str, ...] = ()
) -> Iterator[FoundRows]:
    for name in answer.properties:
        inner = schemas.of(answer, name)
        steps = (*before, name)
        if inner.is_array:
            row = schemas.view(inner.items)
            if row.is_object or row.is_open:
                yield _candidate(steps, row, operation, schemas)
        elif inner.properties and len(steps) < DEEPEST:
            yield from _candidates(inner, operation, schemas, steps)


def _candidate(
    steps: tuple[str, ...], row: View, operation: Operation, schemas: Schemas
) -> FoundRows:
    name = plain(steps[-1])
    named = _same(name, operation)
    node = schemas.of(row, "node") if name == "edges" else View()
    path = dotted(steps)
    if node.properties:
        row, path = node, f"{path}[*].node"
    score = 6 * named + 5 * (name in KNOWN) + 3 * any(plain(p) in _KEYS for p in row.properties)
    score -= 10 * (len(steps) - 1)
    score -= 20 * (name in NOT_ROWS and not named)
    score -= 4 * (row.is_open or not row.properties)
    if named:
        why = f"{steps[-1]} is called like the path"
    else:
        why = "a usual name of rows" if name in KNOWN else "the only list of objects"
    return FoundRows(path, why, row, steps, score=score)


def _same(name: str, operation: Operation) -> bool:
    """Whether a list is called like what the path names, in singular or plural, or as a list."""
    for word in operation.names[-2:]:
        noun = plain(word)
        if name in (
            noun,
            singular(noun),
            f"{noun}list",
            f"{singular(noun)}list",
            f"{singular(noun)}s",
        ):
            return True
        if singular(name) == singular(noun):
            return True
    # `/Usage/Records/Daily` holds usage_records: the words of the path, joined
    joined = "".join(plain(one) for one in operation.names)
    return len(name) > 5 and singular(name) in joined  # noqa: PLR2004 - short words are in anything


def _no_list(operation: Operation, answer: View, best: FoundRows) -> str:
    """Why an answer with a list in it is one thing all the same; empty for a list."""
    if operation.ends_in_param:
        return "it is the answer about one thing"
    if best.score <= -10 * DEEPEST:
        return "its answer has no list of objects that could be its rows"
    if _is_listlike(operation, answer, best):
        return ""
    return "its answer is one object with a list within"


def _is_listlike(operation: Operation, answer: View, best: FoundRows) -> bool:
    """Whether what stands around the rows is what stands around lists: pages, totals, links."""
    name = plain(best.steps[-1])
    named = _same(name, operation)
    if not named and not {plain(one) for one in best.steps[:-1]} <= _WRAPPERS:
        return False
    others = {plain(one) for one in answer.properties if one != best.steps[0]}
    if {one.word for one in operation.of("query", "body")} & _PAGING or others & _MORE:
        return True
    own = len(others - _META - NOT_ROWS)
    if named and own <= _FEW:
        return True
    return not others & _KEYS and (name in KNOWN or own <= 1)


_FEW = 4
_MORE = frozenset(words_in("next hasmore nextcursor nextpage nextpagetoken"))
_PAGING = frozenset(
    words_in(
        "page pagenumber perpage pagesize limit offset cursor pagetoken after startingafter "
        "marker startat maxresults skip top iterator pagecursor startindex nextpagetoken"
    )
)


def _chosen(best: FoundRows, close: Sequence[FoundRows]) -> FoundRows:
    if not close:
        return best
    question = f"{best.path} or {' or '.join(one.path for one in close)} may be the rows"
    return FoundRows(
        best.path,
        best.why,
        best.row,
        best.steps,
        question,
        [one.path for one in close],
        best.score,
    )


def dotted(steps: Sequence[str]) -> str:
    """A path in the terms of a spec: names that are no words stand in quotes.

    >>> dotted(("_embedded", "ea:orders"))
    '_embedded."ea:orders"'
    """
    return ".".join(_quoted(step) for step in steps)


def _quoted(step: str) -> str:
    head, rest = step[:1], step.replace("_", "")
    if step.isascii() and rest.isalnum() and not head.isdigit():
        return step
    escaped = step.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
