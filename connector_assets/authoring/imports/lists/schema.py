"""A JSON Schema as far as lists need it: properties, items and types, with references followed.

References are followed when they are looked at and never inlined, so that a document with cycles is
read like any other. `allOf` and choices are merged: what matters is which fields there may be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Node = Mapping[str, Any]
Follow = Callable[[Node], Node]
"""A node with its `$ref` followed, siblings kept; a node without one as it is."""

DEEPEST = 12
_SCALARS = ("integer", "number", "string", "boolean")


@dataclass(frozen=True)
class View:
    """What a schema says in all its parts together.

    `choice` says that a part of it comes from `oneOf` or `anyOf`, so that a type is not sure.
    """

    types: frozenset[str] = frozenset()
    properties: Mapping[str, Node] = field(default_factory=dict)
    items: Node | None = None
    values: Node | None = None
    """Schema of further properties (`additionalProperties`), where it is one."""
    said: Node = field(default_factory=dict)
    """Keywords of it: description, format, enum, default, maximum, …"""
    choice: bool = False

    @property
    def text(self) -> str:
        """The description, and the title if there is none."""
        return str(self.said.get("description") or self.said.get("title") or "")

    @property
    def format(self) -> str:
        """The format in lower case, or an empty text."""
        return str(self.said.get("format") or "").lower()

    @property
    def is_object(self) -> bool:
        """Whether it is an object, also one of which nothing more is said."""
        return "object" in self.types or bool(self.properties) or self.values is not None

    @property
    def is_array(self) -> bool:
        """Whether it is a list."""
        return "array" in self.types or self.items is not None

    @property
    def is_text(self) -> bool:
        """Whether it may be text, or nothing is said of its type."""
        return "string" in self.types or self.is_open

    @property
    def is_number(self) -> bool:
        """Whether it is a number for sure."""
        return bool(self.types & {"integer", "number"}) and "string" not in self.types

    @property
    def is_open(self) -> bool:
        """Whether nothing is said of what it is."""
        return not (self.types or self.properties or self.items)

    @property
    def is_vague(self) -> bool:
        """An object of which nothing is said, which is often no object but something left out."""
        return self.types == {"object"} and not self.properties and self.values is None

    @property
    def is_scalar(self) -> bool:
        """Whether it is one value, or may be."""
        return bool(self.types & set(_SCALARS)) or self.is_open


class Schemas:
    """Views of nodes; `follow` knows where references lead."""

    def __init__(self, follow: Follow | None = None) -> None:
        self._follow = follow or (lambda node: node)
        self._known: dict[int, tuple[Any, View]] = {}

    def view(self, node: Any) -> View:
        """The view of a schema; of what is none, one that says nothing."""
        if not isinstance(node, Mapping):
            return View()
        known = self._known.get(id(node))
        if known is None:
            known = (node, self._merged(node, (), 0))  # the node is kept, or its id may come again
            self._known[id(node)] = known
        return known[1]

    def of(self, view: View, name: str) -> View:
        """The view of a property."""
        return self.view(view.properties.get(name))

    def at(self, view: View, path: str) -> View:
        """The view at a dotted path."""
        for name in path.split("."):
            view = self.of(view, name)
        return view

    def fields(
        self, view: View, deepest: int = 3, before: tuple[str, ...] = ()
    ) -> Iterator[tuple[tuple[str, ...], View]]:
        """Every field in objects within objects, with its path; lists are not entered."""
        for name in view.properties:
            inner = self.of(view, name)
            path = (*before, name)
            yield path, inner
            if inner.properties and not inner.is_array and len(path) < deepest:
                yield from self.fields(inner, deepest, path)

    def _merged(self, node: Node, seen: tuple[int, ...], depth: int) -> View:
        node = self._follow(node)
        if id(node) in seen or depth > DEEPEST or not isinstance(node, Mapping):
            return View()
        seen = (*seen, id(node))
        properties = node.get("properties")
        view = View(
            types=_types(node),
            properties=dict(properties) if isinstance(properties, Mapping) else {},
            items=_items(node),
            values=_schema(node.get("additionalProperties")),
            said=node,
        )
        for one in _members(node, "allOf"):
            view = _both(view, self._merged(one, seen, depth + 1), choice=False)
        for key in ("oneOf", "anyOf"):
            views = [self._merged(one, seen, depth + 1) for one in _members(node, key)]
            some = [one for one in views if not _is_null(one)]
            for part in some:
                view = _both(view, part, choice=len(some) > 1)
        return view


def _both(one: View, other: View, *, choice: bool) -> View:
    properties = dict(one.properties)
    for name, node in other.properties.items():
        # The same property may stand in two members, each with a part of it.
        properties[name] = {"allOf": [properties[name], node]} if name in properties else node
    return View(
        types=one.types | other.types,
        properties=properties,
        items=one.items if one.items is not None else other.items,
        values=one.values if one.values is not None else other.values,
        said={**other.said, **{k: v for k, v in one.said.items() if v is not None}},
        choice=one.choice or other.choice or choice,
    )


def _types(node: Node) -> frozenset[str]:
    said = node.get("type")
    given = said if isinstance(said, list) else [said]
    types = {one for one in given if isinstance(one, str) and one != "null"}
    if not types and "const" in node:
        types = {_type_of(node["const"])}
    return frozenset(types)


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "integer" if isinstance(value, int) else "string"


def _is_null(view: View) -> bool:
    return view.said.get("type") in ("null", ["null"]) and not view.properties


def _items(node: Node) -> Node | None:
    return _schema(node.get("items"))


def _schema(node: Any) -> Node | None:
    return node if isinstance(node, Mapping) else None


def _members(node: Node, key: str) -> list[Node]:
    found = node.get(key)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def schema_of(value: Any, depth: int = 0) -> dict[str, Any]:
    """The schema that an example shows: of a list, that of all its elements together."""
    if depth > DEEPEST:
        return {}
    if isinstance(value, Mapping):
        inner = {str(key): schema_of(one, depth + 1) for key, one in value.items()}
        return {"type": "object", "properties": inner}
    if isinstance(value, list):
        shown = [schema_of(one, depth + 1) for one in value[:20]]
        return {"type": "array", "items": {"allOf": shown} if shown else {}}
    if value is None:
        return {}
    if isinstance(value, bool | int | str):
        return {"type": _type_of(value), "example": value}
    return {"type": "number", "example": value}
