"""What the lists of a document show together: their habits, and which of them need each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from connector_assets.authoring.imports.lists.found import FoundList, ListIndex
from connector_assets.authoring.imports.lists.page_facts import Habits, ListFacts
from connector_assets.authoring.imports.lists.page_words import is_cursor
from connector_assets.authoring.imports.lists.pagination import cursor_of, linked_by
from connector_assets.authoring.imports.lists.parents import bindings_of, parent_called
from connector_assets.authoring.imports.lists.schema import Schemas


def habits_of(found: Sequence[FoundList], schemas: Schemas) -> Habits:
    """Which cursor parameters the lists of a document have, and what fills them."""
    params = Counter(
        param.name for one in found for param in one.operation.of("query") if is_cursor(param)
    )
    filled = Counter(filter(None, (cursor_of(facts_of(one, schemas)) for one in found)))
    fields: dict[str, str] = {}
    for (param, field_), _ in filled.most_common():
        fields.setdefault(param, field_)
    linked = {name for one in found for name in linked_by(facts_of(one, schemas))}
    return Habits(dict(params), fields, frozenset(linked))


def facts_of(one: FoundList, schemas: Schemas, habits: Habits | None = None) -> ListFacts:
    """What is declared of a list that was found."""
    key = one.key.field if one.key else None
    return ListFacts(one.operation, one.rows, key, schemas, habits or Habits())


def column_count(found: Sequence[FoundList]) -> int:
    """How many columns all lists have together."""
    return sum(len(one.rows.row.properties) for one in found)


def needed(chosen: Sequence[FoundList], index: ListIndex) -> list[FoundList]:
    """The chosen lists with those they are read for, parents first."""
    made: dict[str, FoundList] = {}

    def add(one: FoundList, depth: int) -> None:
        parent = bindings_of(one, index).parent
        if parent and depth < 20 and parent.list.name not in made:  # noqa: PLR2004 - no path is so deep
            add(parent.list, depth + 1)
        for param in one.operation.of("query", "body"):
            other = (
                parent_called(param, index, one) if param.required and not param.choices else None
            )
            if other and other.name not in made and depth < 3:  # noqa: PLR2004
                add(other, depth + 1)
        made.setdefault(one.name, one)

    for one in chosen:
        add(one, 0)
    return list(made.values())
