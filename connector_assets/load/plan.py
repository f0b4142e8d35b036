"""Which columns a table will have after a load: what it has, what rows bring, what is declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from connector_assets.load.kinds import NOTHING, Kind, Profile, column_type
from connector_assets.load.names import column_names
from connector_assets.load.table import Table
from connector_assets.load.times import time_type

# The column of rows that have no key at all, so that they still count.
_ONLY_COLUMN = "value"


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A column, the row key it holds and the kinds of value seen; `type` is the store's own name.

    `shape` is how the texts looked whose values a column of times holds (see `times`). `fixed`
    marks a type that was declared, or given by hand: values must fit it.
    """

    key: str
    name: str
    type: str
    kinds: Kind = NOTHING
    shape: str | None = None
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """A column as it will be.

    `before` is what it is now, None if it is new; `arrives` says that rows have it, then as
    `source`, the narrowest type that holds all of them exactly.
    """

    column: KeyColumn
    before: KeyColumn | None
    arrives: bool
    source: str


def plan(
    table: Table,
    stored: Iterable[KeyColumn],
    found: Profile,
    store_type: Callable[[str], str],
    reserved: Iterable[str] = (),
) -> list[Planned]:
    """Old columns first, in their order, then new ones in order of appearance.

    Kinds add up with what was seen before, so types only widen; a declared type stands. Declared
    columns and keys are planned before any row has them, so that an empty first load makes a table
    that can be queried. `store_type` gives the store's name of a type; `reserved` are names of the
    store's own columns.
    """
    declared = {
        **found.types,
        **table.columns,
        **({table.deleted: "boolean"} if table.deleted else {}),
    }
    known = {column.key: column for column in stored}
    keys = list(dict.fromkeys([*known, *found.kinds, *table.primary_key, *table.columns]))
    if not keys and found.rows:
        keys = [_ONLY_COLUMN]
    names = column_names(keys, {key: column.name for key, column in known.items()}, reserved)
    return [
        Planned(
            _column(key, names[key], declared.get(key), known.get(key), found, store_type),
            known.get(key),
            arrives=key in found.kinds,
            source=store_type(column_type(found.kinds.get(key, NOTHING))),
        )
        for key in keys
    ]


def _column(  # noqa: PLR0917 # all that decides about one column
    key: str,
    name: str,
    declared: str | None,
    before: KeyColumn | None,
    found: Profile,
    store_type: Callable[[str], str],
) -> KeyColumn:
    kinds = found.kinds.get(key, NOTHING) | (before.kinds if before else NOTHING)
    if declared is not None:
        return KeyColumn(key, name, store_type(declared), kinds, fixed=True)
    if before is not None and before.fixed:
        return KeyColumn(key, name, before.type, kinds, fixed=True)
    shape = _shape(key, kinds, before, found)
    return KeyColumn(
        key, name, store_type(time_type(shape) if shape else column_type(kinds)), kinds, shape
    )


def _shape(key: str, kinds: Kind, before: KeyColumn | None, found: Profile) -> str | None:
    """The one shape of all texts of the column, old and new."""
    shapes = set()
    if before is not None and before.kinds & Kind.TEXT:
        shapes.add(before.shape)
    if found.kinds.get(key, NOTHING) & Kind.TEXT:
        shapes.add(found.shapes.get(key))
    return shapes.pop() if kinds == Kind.TEXT and len(shapes) == 1 else None
