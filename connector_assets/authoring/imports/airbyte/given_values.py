"""What a manifest asks its user for (`spec.connection_specification`) → config values and secrets.

A manifest nests its values and marks secrets one by one; here they are flat, each under a name of
its own. A value that the specification does not name is still read: it becomes a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from connector_assets.authoring.imports.airbyte.components import simple_name
from connector_assets.spec.checks.bindings import RESERVED

Path = tuple[str, ...]
_TYPES = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "array": "list",
    "object": "object",
}


@dataclass
class GivenValue:
    """One value that the user gives."""

    name: str
    path: Path
    secret: bool
    type: str
    optional: bool
    schema: Mapping[str, Any]
    used: bool = False

    @property
    def read(self) -> str:
        """How a template reads it."""
        self.used = True
        return f"secrets.{self.name}" if self.secret else f"config.{self.name}"

    def field(self) -> dict[str, Any]:
        """Its declaration in a connector."""
        about = _about(self.schema)
        if self.secret:
            return {"description": about} if about else {}
        made: dict[str, Any] = {} if self.type == "string" else {"type": self.type}
        if about:
            made["description"] = about
        enum, default = self.schema.get("enum"), self.schema.get("default", self._constant)
        if isinstance(enum, list) and enum and all(isinstance(one, str | int) for one in enum):
            made["enum"] = enum
        if default not in (None, "", [], {}) and _fits(default, self.type):
            made["default"] = default
        elif self.optional:
            made["required"] = False
        return made

    @property
    def _constant(self) -> Any:
        return self.schema.get("const")


@dataclass
class GivenValues:
    """The values by their path in a manifest's config."""

    by_path: dict[Path, GivenValue] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, specification: Any) -> GivenValues:
        """Those of a `connection_specification`; none where there is no such object."""
        made = cls()
        schema = specification if isinstance(specification, Mapping) else {}
        made._add_properties(schema, (), optional=False, depth=0)
        return made

    def at(self, path: Path) -> GivenValue | None:
        """The value at `path`, or None where that is an object with values of its own."""
        if path in self.by_path:
            return self.by_path[path]
        if any(known[: len(path)] == path for known in self.by_path):
            return None
        return self._add(path, {"type": "string"}, optional=True)

    def above(self, path: Path) -> GivenValue | None:
        """The value that is an object or a list and holds `path`."""
        for length in range(len(path) - 1, 0, -1):
            known = self.by_path.get(path[:length])
            if known is not None:
                return known
        return None

    def keep_as(self, path: Path, kind: Literal["config", "secret"]) -> None:
        """Say what a value is where its use shows it: a host is no secret, a password is one."""
        known = self.at(path)
        if known is not None:
            known.secret = kind == "secret"

    def declared(self, kind: Literal["config", "secrets"]) -> dict[str, Any]:
        """The values that were read, as a connector declares them."""
        wanted = kind == "secrets"
        return {
            one.name: one.field()
            for one in self.by_path.values()
            if one.secret is wanted and one.used
        }

    def _add_properties(
        self, schema: Mapping[str, Any], path: Path, *, optional: bool, depth: int
    ) -> None:
        properties = schema.get("properties")
        required = schema.get("required")
        required = required if isinstance(required, list) else []
        for name, one in (properties if isinstance(properties, Mapping) else {}).items():
            if isinstance(one, Mapping) and isinstance(name, str) and depth < 6:  # noqa: PLR2004
                self._add_one((*path, name), one, optional or name not in required, depth)
        for key in ("oneOf", "anyOf"):
            choices = schema.get(key)
            for one in choices if isinstance(choices, list) else ():
                if isinstance(one, Mapping):
                    self._add_properties(one, path, optional=True, depth=depth)

    def _add_one(self, path: Path, schema: Mapping[str, Any], optional: bool, depth: int) -> None:
        nests = any(schema.get(key) for key in ("properties", "oneOf", "anyOf"))
        if nests and _type(schema) in ("object", "string"):
            self._add_properties(schema, path, optional=optional, depth=depth + 1)
            if any(known[: len(path)] == path for known in self.by_path):
                return
        if path in self.by_path:
            known = self.by_path[path]
            known.secret = known.secret or bool(schema.get("airbyte_secret"))
            # Alternatives that differ only in a constant: the user chooses between them.
            if "const" in schema and schema.get("const") != known.schema.get("const"):
                known.schema = {key: v for key, v in known.schema.items() if key != "const"}
            return
        self._add(path, schema, optional=optional)

    def _add(self, path: Path, schema: Mapping[str, Any], *, optional: bool) -> GivenValue:
        name = simple_name(path[-1])
        if self._is_taken(name):
            name = simple_name("_".join(path))
        number = 1
        while self._is_taken(name):
            number += 1
            name = f"{simple_name('_'.join(path))[:56]}_{number}"
        self.taken.add(_plain(name))
        secret = bool(schema.get("airbyte_secret"))
        made = GivenValue(name, path, secret, _type(schema), optional, schema)
        self.by_path[path] = made
        return made

    def _is_taken(self, name: str) -> bool:
        return _plain(name) in self.taken or name in RESERVED


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _type(schema: Mapping[str, Any]) -> str:
    given = schema.get("type")
    if isinstance(given, list):
        given = next((one for one in given if one != "null"), "string")
    return _TYPES.get(str(given), "string")


def _fits(value: Any, kind: str) -> bool:
    fitting: dict[str, Any] = {
        "string": str,
        "integer": int,
        "number": int | float,
        "boolean": bool,
        "list": list,
        "object": Mapping,
    }
    return isinstance(value, fitting[kind]) and isinstance(value, bool) is (kind == "boolean")


def _about(schema: Mapping[str, Any]) -> str:
    """What the manifest's author says of a value, as one short text."""
    for key in ("description", "title"):
        text = schema.get(key)
        if isinstance(text, str) and text.strip():
            return " ".join(text.split())[:200]
    return ""
