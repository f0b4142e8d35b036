"""Fields of a row by their paths: found, set, taken out, renamed.

What lies on the way is copied before it is changed: rows that come of one list share the rest.
An object where a path says `[*]` counts as a list of one: XML does not tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from connector_assets.errors import ResponseError
from connector_assets.runtime.record import decoded
from connector_assets.runtime.tombstones import TOMBSTONE
from connector_assets.spec.fields import EACH, STYLES, Fields, Keys, field_keys
from connector_assets.spec.functions import kind
from connector_assets.spec.paths import MISSING

Row = dict[str, Any]
Place = tuple[Any, Any]
"""An object and a key of it, or a list and an index of it."""


def places(node: Any, keys: Keys) -> Iterator[Place]:
    """Where `keys` lead from `node`; nowhere where a key is absent.

    Raises ResponseError for a list where a key is wanted: it would be passed over.
    """
    key, rest = keys[0], keys[1:]
    found: Sequence[Any] = range(len(node)) if key is EACH else (key,) if key in node else ()
    for at in found:
        child, left = decoded(node[at]), rest
        while left and left[0] is EACH and not isinstance(child, list):
            left = left[1:]
        if not left:
            yield node, at
        elif isinstance(child, list) and left[0] is not EACH:
            raise ResponseError("a list is on the way", fix="write [*] after its key")
        elif isinstance(child, dict | list):
            node[at] = child = child.copy()
            yield from places(child, left)


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
    """What `rename` and `keys` say, as if done at once: two names can be swapped.

    For each row first `take`, then `finish`; between them the rest of a moved field's old home may
    be removed. `seen` is told each path that the row has.
    """

    def __init__(self, fields: Fields, seen: Callable[[str], None]) -> None:
        pairs = {path: (field_keys(path), field_keys(to)) for path, to in fields.rename.items()}
        self._moves = {path: pair for path, pair in pairs.items() if _parents_differ(*pair)}
        self._style, self._seen = STYLES[fields.keys], seen
        self._names: dict[Keys, dict[Any, tuple[Any, str]]] = {(): {}}
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
            for node, at in places(row, keys):
                self._taken.append((to, node.pop(at)))
                self._seen(path)

    def finish(self, row: Row) -> None:
        """Rename in place, then put in what was taken."""
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
        for node, at in places(row, parent):
            child = decoded(node[at])
            if isinstance(child, dict):
                node[at] = _renamed(child, names, str, self._seen)


def _parents_differ(keys: Keys, to: Keys) -> bool:
    return keys[:-1] != to[:-1]


def _renamed(
    node: Row,
    names: Mapping[str, tuple[str, str]],
    style: Callable[[str], str],
    seen: Callable[[str], None],
) -> Row:
    """`node` in its order under new names; ResponseError where two fields come to one name."""
    fresh: Row = {}
    for key, value in node.items():
        if key in names:
            name, path = names[key]
            seen(path)
        else:
            name = style(key)
        if name in fresh:
            raise ResponseError(
                f'two fields come to the name "{name}"', fix="rename or remove one of them"
            )
        fresh[name] = value
    return fresh
