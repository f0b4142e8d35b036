"""Fields of a row by their paths: found, set, taken out, renamed.

What lies on the way is copied before it is changed: rows that come of one list share the rest.
An object where a path says `[*]` counts as a list of one: XML does not tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from connector_assets.errors import ResponseError
from connector_assets.runtime.rows.record import decoded
from connector_assets.runtime.rows.tombstones import TOMBSTONE
from connector_assets.spec.names.field_paths import EACH, Glob, Keys, field_keys
from connector_assets.spec.names.paths import MISSING
from connector_assets.spec.stream.fields import STYLES, Fields
from connector_assets.spec.templates.plain_data import kind

Row = dict[str, Any]
FieldAt = tuple[Any, Any]
"""An object and a key of it, or a list and an index of it."""


def fields_at(node: Any, keys: Keys) -> Iterator[FieldAt]:
    """Where `keys` lead from `node`; nowhere where a key is absent.

    Raises ResponseError for a list where a key is wanted: it would be passed over.
    """
    key, rest = keys[0], keys[1:]
    for at in _found(node, key):
        child, left = decoded(node[at]), rest
        while left and left[0] is EACH and not isinstance(child, list):
            left = left[1:]
        if not left:
            yield node, at
        elif isinstance(child, list) and left[0] is not EACH:
            raise ResponseError("a list is on the way", fix="write [*] after its key")
        elif isinstance(child, dict | list):
            node[at] = child = child.copy()
            yield from fields_at(child, left)


def _found(node: Any, key: Any) -> Sequence[Any]:
    if key is EACH:
        return range(len(node))
    if isinstance(key, Glob):
        return [name for name in node if name != TOMBSTONE and key.matches(name)]
    return (key,) if key in node else ()


def find(row: Mapping[str, Any], keys: Keys) -> Any:
    """The value at `keys`, MISSING where there is none."""
    value: Any = row
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            return MISSING
        value = decoded(value[key])
    return value


def put(row: Row, keys: Sequence[Any], value: Any, *, new: bool = False) -> None:
    """Set the field at `keys`, and make the objects on the way; `new`: it must not be there yet."""
    node = row
    for key in keys[:-1]:
        child = decoded(node.get(key))
        if child is not None and not isinstance(child, dict):
            raise ResponseError(f'{kind(child)} is on the way at "{key}"')
        child = {} if child is None else child.copy()
        node[key] = child
        node = child
    if new and keys[-1] in node:
        raise ResponseError(f'there is a "{keys[-1]}" already', fix="rename or remove that one too")
    node[keys[-1]] = value


class Renames:
    """What `flatten`, `rename` and `keys` say, as if done at once: two names can be swapped.

    For each row first `take`, then `finish`; between them the rest of a moved field's old home may
    be removed. `seen` is told each path that the row has.
    """

    def __init__(self, fields: Fields, seen: Callable[[str], None]) -> None:
        pairs = {path: (field_keys(path), field_keys(to)) for path, to in fields.rename.items()}
        self._moves = {path: pair for path, pair in pairs.items() if _parents_differ(*pair)}
        self._style, self._seen = STYLES[fields.keys], seen
        self._names: dict[Keys, dict[Any, tuple[Any, str]]] = {(): {}}
        self._flatten, self._levels = fields.flatten, fields.levels
        if fields.keys:
            self._names[()][TOMBSTONE] = (TOMBSTONE, "")  # it is not the row's own key
        for path, (keys, to) in pairs.items():
            if path not in self._moves:
                self._names.setdefault(keys[:-1], {})[keys[-1]] = (to[-1], path)
        self._taken: list[tuple[Keys, Any]] = []

    def take(self, row: Row) -> None:
        """Take out the fields that move to another object."""
        self._taken = []
        for path, (keys, to) in self._moves.items():
            for node, at in fields_at(row, keys):
                self._taken.append((to, node.pop(at)))
                self._seen(path)

    def finish(self, row: Row) -> None:
        """Flatten and rename in place, then put in what was taken."""
        if self._levels:
            flatten_levels(row, self._levels)
        elif isinstance(self._flatten, tuple) or self._flatten is True:
            flatten(row, self._flatten)
        # From the inside out: a parent is found by the name that it still has.
        for parent in sorted(self._names, key=len, reverse=True):
            self._rename_below(row, parent)
        for to, value in self._taken:
            put(row, to, value, new=True)

    def _rename_below(self, row: Row, parent: Keys) -> None:
        names = self._names[parent]
        if not parent:
            if names or self._style is not str:
                fresh = _renamed(row, names, self._style, self._seen)
                row.clear()
                row.update(fresh)
            return
        for node, at in fields_at(row, parent):
            child = decoded(node[at])
            if isinstance(child, dict):
                node[at] = _renamed(child, names, str, self._seen)


def flatten(row: Row, what: Literal[True] | Sequence[str]) -> None:
    """Move the fields of objects up into `row`: of all of them, or of those at `what`."""
    roots = [(key,) for key in row] if what is True else [field_keys(path) for path in what]
    for keys in roots:
        found = decoded(find(row, keys))
        if isinstance(found, Mapping):
            _take(row, keys)
            for name, value in _leaves("_".join(map(str, keys)), found):
                put(row, (name,), value, new=True)


def flatten_levels(row: Row, levels: int) -> None:
    """Move the fields of all objects up into `row`, so many levels of them: `a__b`."""
    for key in list(row):
        found = decoded(row[key])
        if isinstance(found, Mapping) and key != TOMBSTONE:
            del row[key]
            for name, value in _leaves(key, found, "__", levels):
                put(row, (name,), value, new=True)


def _leaves(
    name: str, value: Any, between: str = "_", levels: int | None = None
) -> Iterator[tuple[str, Any]]:
    value = decoded(value)
    if not isinstance(value, Mapping) or levels == 0:
        yield name, value
        return
    below = None if levels is None else levels - 1
    for key, item in value.items():
        yield from _leaves(f"{name}{between}{key}", item, between, below)


def _take(row: Row, keys: Keys) -> None:
    for node, at in fields_at(row, keys):
        del node[at]


def _parents_differ(keys: Keys, to: Keys) -> bool:
    return keys[:-1] != to[:-1]


def _by_pattern(key: str, names: Mapping[Any, tuple[Any, str]]) -> tuple[str, str] | None:
    for one, (to, path) in names.items():
        if isinstance(one, Glob) and key != TOMBSTONE and (name := one.renamed(key, to)):
            return name, path
    return None


def _renamed(
    node: Row,
    names: Mapping[Any, tuple[Any, str]],
    style: Callable[[str], str],
    seen: Callable[[str], None],
) -> Row:
    """`node` in its order under new names; ResponseError where two fields come to one name."""
    fresh: Row = {}
    for key, value in node.items():
        renamed = names.get(key) or _by_pattern(key, names)
        if renamed:
            name, path = renamed
            seen(path)
        else:
            name = style(key)
        if name in fresh:
            raise ResponseError(
                f'two fields come to the name "{name}"', fix="rename or remove one of them"
            )
        fresh[name] = value
    return fresh
