"""Avro values, decoded by the schema they were written with."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from connector_assets.errors import ConfigError, ResponseError
from connector_assets.plugins.kafka.formats import Undecodable, schema_id
from connector_assets.plugins.kafka.plain import line
from connector_assets.plugins.kafka.registry import Reference, Registry


class Avro:
    """Avro whose schema is named by each message, and kept by a registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._schema = cache(self._parsed)

    def text(self, data: bytes) -> bytes:
        id_, body = schema_id(data)
        return decoded(self._schema(id_), body)

    def _parsed(self, id_: int) -> Any:
        found = self._registry.schema(id_)
        if found.kind != "AVRO":
            raise ResponseError(
                f"schema {id_} is {found.kind}", fix=f"say {found.kind.lower()} instead of avro"
            )
        named: dict[str, Any] = {}
        for one in found.references:
            self._import(one, named)
        return parsed(found.text, named, f"schema {id_} of the registry")

    def _import(self, one: Reference, named: dict[str, Any]) -> None:
        """Put a schema that is imported, and what it imports itself, into `named`."""
        found = self._registry.referenced(one)
        for other in found.references:
            self._import(other, named)
        parsed(found.text, named, f"schema {one.subject} {one.version}")


class AvroFile:
    """Avro without a registry: all messages were written with the schema of one file."""

    def __init__(self, path: str) -> None:
        try:
            text = Path(path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot be read: {error}", where=f"schemaFile {path}") from None
        self._schema = parsed(text, {}, f"schemaFile {path}")

    def text(self, data: bytes) -> bytes:
        return decoded(self._schema, data)


def parsed(text: str, named: dict[str, Any], where: str) -> Any:
    """A schema in the form that decodes; `named` has those it may refer to, and gets its own."""
    from fastavro import parse_schema

    try:
        return parse_schema(json.loads(text), named_schemas=named)
    except Exception as error:  # noqa: BLE001 - fastavro has no base of its errors
        raise ResponseError(f"is no Avro schema: {error}", where=where) from None


def decoded(schema: Any, body: bytes) -> bytes:
    """A value as JSON; Undecodable where the bytes are not of the schema."""
    from fastavro import schemaless_reader

    stream = BytesIO(body)
    read: Callable[..., Any] = schemaless_reader
    try:
        value = read(stream, schema, None)
    except Exception as error:  # noqa: BLE001 - bytes of others may raise anything in there
        raise Undecodable(f"is not of its schema: {type(error).__name__}: {error}") from None
    if left := len(body) - stream.tell():
        raise Undecodable(f"has {left} bytes more than its schema reads")
    return line(value)
