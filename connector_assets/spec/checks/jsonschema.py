"""The JSON Schema of both documents, from the models: for editors, and for error messages.

An editor with yaml-language-server checks a file that begins with
`# yaml-language-server: $schema=connector.schema.json`.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import ModelSchema

from connector_assets.spec.names.model import key_order
from connector_assets.spec.names.paths import Path
from connector_assets.spec.templates.template import Template

_Schema = Mapping[str, Any]


class _Generator(GenerateJsonSchema):
    """Templates and paths as the texts they are written as; attributes with their docstrings."""

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        fields = schema["cls"].model_fields
        for name, text in _attribute_docs(schema["cls"]).items():
            if name in fields:
                made["properties"][fields[name].alias or name]["description"] = text
        if properties := made.get("properties"):
            made["properties"] = {key: properties[key] for key in key_order(schema["cls"])}
        return made

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, Template | Path):
            return str(dft)
        if isinstance(dft, BaseModel):
            return dft.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return super().encode_default(dft)


def _attribute_docs(model: type[BaseModel]) -> dict[str, str]:
    """The text below each attribute, its bases' included.

    Read here and not by pydantic's `use_attribute_docstrings`: that reads the source of every model
    when it is imported, a tenth of a second for each process that starts.
    """
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if not issubclass(cls, BaseModel) or cls is BaseModel:
            continue
        try:
            source = inspect.getsource(cls)
        except OSError:  # installed without its sources
            continue
        definition = ast.parse(textwrap.dedent(source)).body[0]
        assert isinstance(definition, ast.ClassDef)
        for attribute, text in pairwise(definition.body):
            match attribute, text:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(words))),
                ):
                    found[name] = inspect.cleandoc(words)
    return found


@cache
def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a document."""
    schema = model.model_json_schema(by_alias=True, schema_generator=_Generator)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def known_keys(model: type[BaseModel], path: Sequence[str | int], data: Any) -> list[str]:
    """The keys that the mapping at `path` of a document may have, in the order of the model."""
    schemas = _schemas(model, path, data)
    return list(dict.fromkeys(key for schema in schemas for key in schema.get("properties", ())))


def known_values(
    model: type[BaseModel], path: Sequence[str | int], key: str, data: Any
) -> list[str]:
    """What `key` may say in the mapping at `path`, where that is a choice between words."""
    found = [schema.get("properties", {}).get(key, {}) for schema in _schemas(model, path, data)]
    return [str(value) for schema in found for value in schema.get("enum", [schema.get("const")])]


def _schemas(model: type[BaseModel], path: Sequence[str | int], data: Any) -> list[_Schema]:
    root = schema_of(model)
    schemas = list(_members(root, data, root))
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            data = None
        below = [_child(schema, step) for schema in schemas]
        schemas = [one for child in below if child for one in _members(child, data, root)]
    return schemas


def _child(schema: _Schema, step: str | int) -> _Schema | None:
    if isinstance(step, int):
        items = schema.get("items")
    else:
        items = schema.get("properties", {}).get(step) or schema.get("additionalProperties")
    return items if isinstance(items, Mapping) else None


def _members(schema: _Schema, data: Any, root: _Schema) -> Iterator[_Schema]:
    """The schemas without references and unions that `data` may be meant for."""
    if "$ref" in schema:
        yield from _members(root["$defs"][schema["$ref"].rpartition("/")[2]], data, root)
        return
    members = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if not members:
        yield schema
        return
    chooser = schema.get("discriminator", {})
    kind = data.get(chooser.get("propertyName")) if isinstance(data, Mapping) else None
    chosen = chooser.get("mapping", {}).get(kind) if isinstance(kind, str) else None
    for member in [{"$ref": chosen}] if chosen else members:
        yield from _members(member, data, root)
