"""A manifest's transformations and filters → `fields` and `where` of a stream.

A spec changes a row in a fixed order: rows are kept or not, then fields are added, removed, moved
up and their keys rewritten. A manifest's own order is followed where it comes to the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from connector_assets.authoring.imports.airbyte.code import (
    Code,
    Const,
    Value,
    as_text,
    literal,
    piped,
)
from connector_assets.authoring.imports.airbyte.code import path as code_path
from connector_assets.authoring.imports.airbyte.expressions import Expressions, Reading
from connector_assets.authoring.imports.airbyte.jinja_trees import (
    Chain,
    Refused,
    chain_of,
    chains_in,
    only_expression,
)
from connector_assets.authoring.imports.airbyte.texts import Texts, braced, literal_of

Keys = tuple[str, ...]
_IS_EMPTY = re.compile(r"\{\{\s*property\s*(\|\s*string\s*)?==\s*(''|\"\")\s*\}\}")
"""A condition of fields that are removed: they are an empty text."""


@dataclass
class RowChanges:
    """What becomes of rows: the condition to keep one, and its fields."""

    where: str = ""
    add: dict[str, Any] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)
    flatten: list[str] = field(default_factory=list)
    rename: dict[str, str] = field(default_factory=dict)
    keys: str = ""
    near: list[str] = field(default_factory=list)
    added: dict[Keys, Value] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        """The key `fields` of a stream."""
        made = {"add": self.add, "remove": self.remove, "flatten": self.flatten}
        made |= {"rename": self.rename, "keys": self.keys}
        return {key: value for key, value in made.items() if value}


class Transformations:
    """Converts what one stream does with its rows."""

    def __init__(self, reading: Reading) -> None:
        self.reading = replace(reading, data={**reading.data, "record": "record"})
        self.made = RowChanges()
        self.removed: set[Keys] = set()

    def changes(self, selector: Mapping[str, Any], steps: Any) -> RowChanges:
        """All of it; Refused where a spec cannot say it."""
        for one in steps if isinstance(steps, list) else ():
            self._step(one)
        record_filter = selector.get("record_filter")
        if isinstance(record_filter, Mapping):
            later = selector.get("transform_before_filtering") in (True, "true", "True")
            self._filter(record_filter, later=later)
        normal = selector.get("schema_normalization")
        if normal not in (None, "None", "none"):
            self.made.near.append("values are not cast to the types of the schema")
        return self.made

    def _filter(self, component: Mapping[str, Any], *, later: bool) -> None:
        if component.get("class_name"):
            raise Refused(f"the record filter {component['class_name']}")
        condition = component.get("condition")
        if condition in (None, ""):
            return
        texts = Texts(self._reading(component))
        if later:
            added = _WithAdded(self._reading(component), self.made.added)
            parts = [one for one in texts.parts(str(condition).strip(), added) if one != Const("")]
            value = parts[0] if len(parts) == 1 else Const(None)
            if len(parts) != 1 or self.made.keys or self.made.rename or self.made.flatten:
                raise Refused("a filter of rows after their keys are rewritten")
        else:
            value = texts.condition(condition)
        if isinstance(value, Const):
            if not value.value:
                raise Refused("a filter that keeps no row")
            return
        self.made.where = f"{{{{ {value.text} }}}}"

    def _reading(self, component: Mapping[str, Any]) -> Reading:
        own = component.get("$parameters")
        if not isinstance(own, Mapping):
            return self.reading
        return replace(self.reading, parameters={**self.reading.parameters, **own})

    def _step(self, step: Any) -> None:
        if not isinstance(step, Mapping) or step.get("class_name"):
            name = step.get("class_name") if isinstance(step, Mapping) else "?"
            raise Refused(f"the transformation {name}")
        kind = step.get("type")
        make = {
            "AddFields": self._add,
            "RemoveFields": self._remove,
            "KeysToLower": self._lower,
            "KeysToSnakeCase": self._snake,
            "DpathFlattenFields": self._move_up,
        }.get(str(kind))
        if make is None:
            raise Refused(f"the transformation {kind}")
        if kind in ("AddFields", "RemoveFields") and (self.made.keys or self.made.flatten):
            raise Refused("fields that are changed after their keys are rewritten")
        make(step)

    # Fields that are added.

    def _add(self, step: Mapping[str, Any]) -> None:
        reading = self._reading(step)
        condition = step.get("condition")
        for one in step.get("fields") or ():
            path = tuple(Texts(reading).text(key) for key in one.get("path") or ())
            if not path or any("{{" in key for key in path):
                raise Refused("a field whose name is computed")
            if any(path[: len(gone)] == gone for gone in self.removed):
                raise Refused("a field that is added after it was removed")
            self._read_before_removal(str(one.get("value")))
            value = self._added(one.get("value"), one.get("value_type"), reading)
            if condition not in (None, ""):
                value = self._where(value, condition, path, reading)
            self.made.add[_path(path)] = _shown(value)
            self.made.added[path] = value

    def _read_before_removal(self, text: str) -> None:
        if not self.removed or "{" not in text:
            return
        for chain in chains_in(text):
            if chain.root == "record" and any(
                tuple(map(str, chain.keys))[: len(gone)] == gone for gone in self.removed
            ):
                raise Refused("a field that is computed of one that was removed before")

    def _added(self, source: Any, kind: Any, reading: Reading) -> Value:
        if not isinstance(source, str):
            return Const(source)
        texts = Texts(reading)
        node = only_expression(source) if "{{" in source or "{%" in source else None
        chain = chain_of(node) if node is not None else None
        if chain is not None and chain.root == "record" and not chain.optional:
            value: Value = _or_empty(chain, texts.one(source))
        else:
            value = texts.one(source)
        if isinstance(value, Const):
            text = value.value
            read = literal_of(text) if isinstance(text, str) and kind != "string" else text
            return Const("" if read is None and isinstance(text, str) and not text else read)
        if kind == "string" and value.kind != "string":
            # Null is the text None there.
            return piped(as_text(value), "string")
        return value

    def _where(self, value: Value, condition: Any, path: Keys, reading: Reading) -> Value:
        test = Texts(replace(reading, data={**reading.data, "value": "record"})).condition(
            condition
        )
        if "value" in {chain.root for chain in chains_in(str(condition))}:
            raise Refused("a field that is added where its own value fulfils a condition")
        if isinstance(test, Const):
            if test.value:
                return value
            raise Refused("a field that is never added")
        self.made.near.append(f"{'.'.join(path)} is null, not absent, where it is not added")
        known = Expressions(self.reading).chain(Chain("record", path, optional=True))
        assert isinstance(known, Code)
        shown = value.at(1) if isinstance(value, Code) else literal(value.value)
        return Code(f"{shown} if {test.at(1)} else {known.at(1)}", 0)

    # Fields that go.

    def _remove(self, step: Mapping[str, Any]) -> None:
        if step.get("condition"):
            if step.get("field_pointers") != [["**"]] or not _IS_EMPTY.fullmatch(step["condition"]):
                raise Refused("fields that are removed where a condition holds")
            self.made.near.append("empty texts stay, which are removed there")
            return
        texts = Texts(self._reading(step))
        for pointer in step.get("field_pointers") or ():
            path = tuple(texts.text(str(key)) for key in pointer)
            if any("{{" in key or key == "**" for key in path) or not path:
                raise Refused("a field to remove at any depth")
            self.removed.add(path)
            self.made.add = {
                name: one for name, one in self.made.add.items() if name != _path(path)
            }
            self.made.remove += _removed(path)

    def _lower(self, step: Mapping[str, Any]) -> None:
        del step
        self.made.keys = "lower"

    def _snake(self, step: Mapping[str, Any]) -> None:
        del step
        self.made.keys = "snake_case"
        self.made.near.append(
            "keys within objects stay, and words are told apart otherwise at digits and capitals"
        )

    def _move_up(self, step: Mapping[str, Any]) -> None:
        texts = Texts(self._reading(step))
        path = [texts.text(key) for key in step.get("field_path") or ()]
        if len(path) != 1 or "*" in path:
            raise Refused("DpathFlattenFields with a path of its own")
        if step.get("replace_record"):
            raise Refused("DpathFlattenFields that replaces the row")
        (name,) = path
        keys = step.get("key_transformation") or {}
        before, after = (texts.text(keys.get(one) or "") for one in ("prefix", "suffix"))
        if not step.get("delete_origin_value"):
            # Moved up is a copy: the object itself comes back under its name.
            self.made.add[_path((f"kept_{name}",))] = f"{{{{ {code_path('record', (name,))} }}}}"
            self.made.rename[f"kept_{name}"] = name
        self.made.flatten.append(_path((name,)))
        if (before, after) != (f"{name}_", ""):
            self.made.rename[f"{name}_*"] = f"{before}*{after}"
        self.made.near.append(f"objects within {name} are moved up, too")


class _WithAdded(Expressions):
    """Expressions in which fields that were added are what they were added as."""

    def __init__(self, reading: Reading, added: Mapping[Keys, Value]) -> None:
        super().__init__(reading)
        self.added = added

    def chain(self, chain: Chain) -> Value:
        if chain.root == "record":
            known = self.added.get(tuple(map(str, chain.keys)))
            if known is not None:
                return known
        return super().chain(chain)


def _or_empty(chain: Chain, value: Value) -> Value:
    """A field, where null stays null and what is absent is an empty text, as in the CDK."""
    if len(chain.keys) != 1 or not isinstance(value, Code) or not isinstance(chain.keys[0], str):
        return value
    field_ = value.text.removesuffix(" | default(none)")
    name = chain.keys[0].replace("\\", "\\\\").replace("'", "\\'")
    return Code(f"{field_} if '{name}' in record else ''", 0)


def _removed(path: Keys) -> list[str]:
    if "*" not in path:
        return [_path(path)]
    lists = _path(path).replace(".*", "[*]")
    return [one for one in (lists, _path(path)) if not one.endswith("[*]")]


def _path(keys: Keys) -> str:
    plain = [
        key
        if key == "*" or (key.isidentifier() and key.isascii())
        else '"' + key.replace('"', '\\"') + '"'
        for key in keys
    ]
    return ".".join(plain)


def _shown(value: Value) -> Any:
    if isinstance(value, Code):
        return f"{{{{ {value.text} }}}}"
    return braced(value.value) if isinstance(value.value, str) else value.value
