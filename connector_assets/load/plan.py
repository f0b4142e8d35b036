"""Which columns a table will have after a load: what it has, what rows bring, what is declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from connector_assets.load.kinds import NOTHING, Kind, column_type
from connector_assets.load.names import column_names
from connector_assets.load.profile import Profile
from connector_assets.load.table import Table

# The column of rows that have no key at all, so that they still count.
_ONLY_COLUMN = "value"


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A column, the row key it holds and the kinds of value seen; `type` is the store's own name.

    `fixed` marks a type that was declared, or given by hand: values must fit it.
    """

    key: str
    name: str
    type: str
    kinds: Kind = NOTHING
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
    table: Table, stored: Iterable[KeyColumn], found: Profile, store_type: Callable[[str], str]
) -> list[Planned]:
    """Old columns first, in their order, then new ones in order of appearance.

    Kinds add up with what was seen before, so types only widen; a declared type stands. Declared
    columns and keys are planned before any row has them, so that an empty first load makes a table
    that can be queried. `store_type` gives the store's name of a type.
    """
    known = {column.key: column for column in stored}
    keys = list(dict.fromkeys([*known, *table.primary_key, *found.kinds, *table.columns]))
    if not keys and found.rows:
        keys = [_ONLY_COLUMN]
    names = column_names(keys, {key: column.name for key, column in known.items()})
    return [_planned(key, names[key], table, known.get(key), found, store_type) for key in keys]


def _planned(  # noqa: PLR0917
    key: str,
    name: str,
    table: Table,
    before: KeyColumn | None,
    found: Profile,
    store_type: Callable[[str], str],
) -> Planned:
    here = found.kinds.get(key, NOTHING)
    kinds = here | (before.kinds if before else NOTHING)
    fixed = True
    if key in table.columns:
        type_ = store_type(table.columns[key])
    elif before is not None and before.fixed:
        type_ = before.type
    else:
        type_, fixed = store_type(column_type(kinds)), False
    return Planned(
        KeyColumn(key, name, type_, kinds, fixed),
        before,
        arrives=key in found.kinds,
        source=store_type(column_type(here)),
    )
