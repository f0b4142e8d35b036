"""Which columns a table will have after a load: what it has, what rows bring, what is declared."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace

from connector_assets.errors import LoadError
from connector_assets.load.columns.times import time_type
from connector_assets.load.files.store_names import column_names
from connector_assets.load.kinds import NOTHING, Kind, Profile, column_type
from connector_assets.load.table import LOAD_COLUMNS, Table

# The column of rows that have no key at all, so that they still count.
_ONLY_COLUMN = "value"
NO_COLUMN = "_empty"
"""The only column of a table that was made of no rows: no store has tables without any."""

# Row keys, the names given in earlier loads, and reserved ones: to the name of each key's column.
Named = Callable[[Iterable[str], Mapping[str, str], Iterable[str]], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A column, the row key it holds and the kinds of value seen; `type` is the store's own name.

    `shape` is how the texts looked whose values a column of times holds (see `times`). `fixed`
    marks a type that was declared, or given by hand: values must fit it. `by_hand` says that
    someone else chose the type, which is never changed, `untouched` that no row ever brought it.
    """

    key: str
    name: str
    type: str
    kinds: Kind = NOTHING
    shape: str | None = None
    fixed: bool = False
    by_hand: bool = False
    untouched: bool = False


@dataclass(frozen=True, slots=True)
class PlannedColumn:
    """A column as it will be.

    `before` is what it is now, None if it is new; `arrives` says that rows have it, then as
    `source`, the narrowest type that holds all of them exactly. A column is `held` that would have
    to become another type and may not; of one that `drops`, values that do not fit are left out.
    """

    column: KeyColumn
    before: KeyColumn | None
    arrives: bool
    source: str
    held: bool = False
    drops: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether the stream has, or once had, this column: it is written, if with NULL only."""
        return self.arrives or not self.column.untouched


def plan(  # noqa: PLR0917 # all that decides
    table: Table,
    stored: Iterable[KeyColumn],
    found: Profile,
    store_type: Callable[[str], str],
    reserved: Iterable[str] = (),
    named: Named = column_names,
) -> list[PlannedColumn]:
    """Old columns first, in their order, then new ones in order of appearance.

    Kinds add up with what was seen before, so types only widen; a declared type stands. Declared
    columns and keys are planned before any row has them, so that an empty first load makes a table
    that can be queried. `store_type` gives the store's name of a type; `reserved` are names of the
    store's own columns, and `named` gives those of the others.
    """
    ours = table.wanted.load_columns
    _require_free(table, found)
    declared = {
        **found.types,
        **table.columns,
        **{key: LOAD_COLUMNS[key] for key in ours},
        **({table.deleted: "boolean"} if table.deleted else {}),
    }
    known = {column.key: column for column in stored}
    if set(known) == {NO_COLUMN} and found.kinds:
        known = {}
    keys = list(dict.fromkeys([*known, *found.kinds, *table.primary_key, *table.columns]))
    if not keys:
        keys = [_ONLY_COLUMN if found.rows else NO_COLUMN]
    keys = list(dict.fromkeys([*keys, *ours]))
    names = named(keys, {key: column.name for key, column in known.items()}, reserved)
    return [
        PlannedColumn(
            _column(key, names[key], declared.get(key), known.get(key), found, store_type),
            known.get(key),
            arrives=key in found.kinds or key in ours,
            source=store_type(column_type(found.kinds.get(key, NOTHING))),
        )
        for key in keys
    ]


def _require_free(table: Table, found: Profile) -> None:
    """Raise LoadError where rows have a key that the store is to write itself."""
    for key in table.wanted.load_columns:
        if key in found.kinds:
            raise LoadError(
                f'the rows have a field "{key}", which loadColumns adds',
                where=table.where,
                fix=f"rename it: fields: {{rename: {{{key}: …}}}}",
            )


def anew(stored: Iterable[KeyColumn], found: Profile, keep: Container[str] = ()) -> list[KeyColumn]:
    """The columns of a table whose rows all come again: what they held before is forgotten.

    So a type that one bad row has widened is narrow again. What has no value now keeps its type,
    as do the columns that `keep` names.
    """
    return [
        replace(column, kinds=NOTHING, shape=None)
        if not column.fixed and column.name not in keep and found.kinds.get(column.key)
        else column
        for column in stored
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
    if before is not None and before.by_hand:
        return replace(before, kinds=kinds, untouched=before.untouched and not found.kinds.get(key))
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
