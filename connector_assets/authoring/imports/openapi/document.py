"""An OpenAPI document and the files it names, with references followed when they are looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from connector_assets.authoring.imports.lists.schema import Schemas
from connector_assets.authoring.imports.read_data import read_data, read_mapping
from connector_assets.authoring.imports.source import Source
from connector_assets.errors import BlockedError, ConfigError, ConnectorError

MOST_FILES = 10_000
_FAR = 30
"""References that lead to references; more of them are a circle."""

Node = Mapping[str, Any]


class _Placed(str):
    """A reference in a file other than the first: it is relative to that file."""

    __slots__ = ("source",)
    source: Source


class Api:
    """The document: `version` is 2.0, 3.0 or 3.1, `lost` are the references that lead nowhere."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.root = read_mapping(source, "an OpenAPI document")
        self.version = _version(self.root, source)
        self.lost: dict[str, str] = {}
        self.schemas = Schemas(self.at)
        self._files: dict[tuple[str, str], tuple[Source, Any]] = {}
        self._targets: dict[tuple[str, str], Any] = {}

    @property
    def paths(self) -> Node:
        """The paths with their items."""
        paths = self.at(self.root.get("paths"))
        return paths if isinstance(paths, Mapping) else {}

    def at(self, node: Any) -> Any:
        """`node` itself, or what its `$ref` leads to, with what stands beside the `$ref` over it.

        A reference that leads nowhere, or round in a circle, is a node that says nothing.
        """
        beside: dict[str, Any] = {}
        for _ in range(_FAR):
            if not isinstance(node, Mapping):
                return node
            ref = node.get("$ref")
            if not isinstance(ref, str):
                return {**node, **beside} if beside else node
            if len(node) > 1:
                beside = {**{k: v for k, v in node.items() if k != "$ref"}, **beside}
            node = self._target(ref)
        return beside

    def _target(self, ref: str) -> Any:
        owner = ref.source if isinstance(ref, _Placed) else self.source
        key = (owner.name, str(ref))
        if key not in self._targets:
            self._targets[key] = self._found(ref, owner)
        return self._targets[key]

    def _found(self, ref: str, owner: Source) -> Any:
        file, _, pointer = ref.partition("#")
        try:
            data = self.root if not file and owner is self.source else self._file(file, owner)
        except ConnectorError as error:
            self.lost[str(ref)[:200]] = str(error)
            return {}
        found = _pointed(data, pointer)
        if found is None:
            self.lost[str(ref)[:200]] = "leads to nothing"
            return {}
        return found

    def _file(self, file: str, owner: Source) -> Any:
        key = (owner.name, file)
        if not file:
            return next(d for s, d in self._files.values() if s.name == owner.name)
        if key not in self._files:
            if len(self._files) >= MOST_FILES:
                raise BlockedError(f"names more than {MOST_FILES:,} files")
            source = owner.beside(file)
            known = [one for one in self._files.values() if one[0].name == source.name]
            if source.name == self.source.name:
                self._files[key] = (self.source, self.root)
            elif known:
                self._files[key] = known[0]
            else:
                self._files[key] = (source, _placed(read_data(source), source))
        return self._files[key][1]


def _placed(data: Any, source: Source) -> Any:
    """`data` with its references knowing the file they stand in; changed in place."""
    stack = [data]
    seen: set[int] = set()
    while stack:
        one = stack.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, dict):
            ref = one.get("$ref")
            if isinstance(ref, str):
                placed = _Placed(ref)
                placed.source = source
                one["$ref"] = placed
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)
    return data


def _pointed(data: Any, pointer: str) -> Any:
    """What a JSON pointer leads to."""
    for part in unquote(pointer).split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(data, Mapping):
            data = data.get(name)
        elif isinstance(data, list) and name.isdigit() and int(name) < len(data):
            data = data[int(name)]
        else:
            return None
    return data


def _version(root: Node, source: Source) -> str:
    said = str(root.get("openapi") or root.get("swagger") or "")
    if root.get("swagger") and said.startswith("2"):
        return "2.0"
    if root.get("openapi") and said.startswith("3."):
        return said[:3]
    if said:
        fix = "give one of version 2.0, 3.0 or 3.1"
        raise ConfigError(f"is OpenAPI {said[:20]}, which is not read", where=source.name, fix=fix)
    what = "is not an OpenAPI document: it has neither openapi nor swagger"
    fix = "a Postman collection, a HAR file and others have importers of their own"
    raise ConfigError(what, where=source.name, fix=fix)
