"""Protobuf values, decoded by descriptors that a registry keeps or a file has.

A row has the fields by their names in the `.proto`: enums by name, 64-bit numbers as numbers, bytes
as base64, and null where a field that may be absent is.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.errors import ConfigError, ResponseError
from connector_assets.plugins.kafka.formats import Undecodable, schema_id
from connector_assets.plugins.kafka.message_dict import as_dict
from connector_assets.plugins.kafka.plain import line
from connector_assets.plugins.kafka.registry import Reference, Registry, Schema

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor
    from google.protobuf.descriptor_pool import DescriptorPool

_GOOGLE = "google/protobuf/"
_MOST_INDEXES = 100


class Protobuf:
    """Protobuf whose schema is named by each message, and kept by a registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._types = cache(self._read)

    def text(self, data: bytes) -> bytes:
        id_, rest = schema_id(data)
        path, body = indexes(rest)
        return decoded(self._type(id_, path), body)

    def _type(self, id_: int, path: tuple[int, ...]) -> Descriptor:
        types = self._types(id_)
        try:
            for index in path[:-1]:
                types = types[index].nested_types
            return types[path[-1]]
        except IndexError:
            raise Undecodable(f"names a type that schema {id_} does not have") from None

    def _read(self, id_: int) -> Sequence[Descriptor]:
        """The types of a schema, in its order."""
        where = f"schema {id_} of the registry"
        found = self._registry.schema(id_, serialized=True)
        if found.kind != "PROTOBUF":
            raise ResponseError(f"is {found.kind}", where=where, fix="say so instead of protobuf")
        pool = _pool()
        name = self._add(pool, f"schema_{id_}.proto", found, where)
        types: Any = pool.FindFileByName(name).message_types_by_name
        return list(types.values())

    def _add(self, pool: DescriptorPool, name: str, schema: Schema, where: str) -> str:
        """Put a schema into `pool` under `name`, after what it imports."""
        for one in schema.references:
            self._import(pool, one)
        file = _file(schema.text, where)
        file.name = name
        _add_file(pool, file, where)
        return name

    def _import(self, pool: DescriptorPool, one: Reference) -> None:
        found = self._registry.referenced(one, serialized=True)
        self._add(pool, one.name, found, f"schema {one.subject} {one.version}")


class ProtobufFile:
    """Protobuf of one type of a descriptor file; `framed` says that messages name a schema, too."""

    def __init__(self, path: str, message: str, *, framed: bool) -> None:
        from google.protobuf.descriptor_pb2 import FileDescriptorSet
        from google.protobuf.message import DecodeError

        where = f"descriptors {path}"
        try:
            files = FileDescriptorSet.FromString(Path(path).read_bytes()).file
        except (OSError, DecodeError) as error:
            fix = "write it with protoc --include_imports --descriptor_set_out"
            raise ConfigError(f"cannot be read: {error}", where=where, fix=fix) from None
        pool = _pool()
        for file in files:
            _add_file(pool, file, where)
        try:
            self._type = pool.FindMessageTypeByName(message)
        except KeyError:
            raise ConfigError(f'has no message "{message}"', where=where) from None
        self._framed = framed

    def text(self, data: bytes) -> bytes:
        if self._framed:
            data = indexes(schema_id(data)[1])[1]
        return decoded(self._type, data)


def indexes(data: bytes) -> tuple[tuple[int, ...], bytes]:
    """Which type of a schema a message is of, as the way to it, and what follows.

    >>> indexes(bytes([0, 65])), indexes(bytes([4, 2, 0, 65]))
    (((0,), b'A'), ((1, 0), b'A'))
    """
    count, at = _number(data, 0)
    if not 0 <= count <= _MOST_INDEXES:
        raise Undecodable("does not say of which type of its schema it is")
    found = []
    for _ in range(count):
        index, at = _number(data, at)
        found.append(index)
    return tuple(found) or (0,), data[at:]


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag varint, and where it ends."""
    found = shift = 0
    while True:
        if at >= len(data) or shift > 63:  # noqa: PLR2004 - bits of the longest one
            raise Undecodable("ends before it says of which type it is")
        found |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return (found >> 1) ^ -(found & 1), at


def decoded(type_: Descriptor, body: bytes) -> bytes:
    """A message as JSON; Undecodable where the bytes are not of its type."""
    from google.protobuf.json_format import Error
    from google.protobuf.message import DecodeError
    from google.protobuf.message_factory import GetMessageClass

    try:
        return line(as_dict(GetMessageClass(type_).FromString(body)))
    except (DecodeError, Error, TypeError, ValueError) as error:
        raise Undecodable(f"is no {type_.full_name}: {error}") from None


def _pool() -> DescriptorPool:
    """An own pool: two versions of a schema may stand beside each other."""
    from google.protobuf.descriptor_pool import DescriptorPool

    return DescriptorPool()


def _file(text: str, where: str) -> Any:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.message import DecodeError

    try:
        return FileDescriptorProto.FromString(b64decode(text, validate=True))
    except (binascii.Error, DecodeError, ValueError):
        what = "came as text, where its descriptor was asked for"
        fix = "give the types in descriptors, with keyMessage or valueMessage"
        raise ResponseError(what, where=where, fix=fix) from None


def _add_file(pool: DescriptorPool, file: Any, where: str) -> None:
    """Put a file into `pool`; those of Google's own that it imports are at hand."""
    for name in file.dependency:
        if name.startswith(_GOOGLE):
            _add_google(pool, name)
    try:
        pool.Add(file)
        pool.FindFileByName(file.name)
    except (KeyError, TypeError) as error:
        text = " ".join(str(error).split())
        raise ResponseError(f"cannot be used: {text}", where=where) from None


def _add_google(pool: DescriptorPool, name: str) -> None:
    from importlib import import_module

    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    module = import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2")
    file = FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(file)
    for other in file.dependency:
        _add_google(pool, other)
    pool.Add(file)
