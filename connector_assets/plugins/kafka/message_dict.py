"""A Protobuf message as a dict, by a reader that is made once for each type."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor
    from google.protobuf.message import Message

Reader = Callable[[Any], Any]
_WRAPPERS = frozenset(
    f"google.protobuf.{kind}Value"
    for kind in ("Bool", "Bytes", "Double", "Float", "Int32", "Int64", "String", "UInt32", "UInt64")
)
_AS_JSON = frozenset(
    f"google.protobuf.{kind}"
    for kind in ("Any", "Duration", "FieldMask", "ListValue", "Struct", "Timestamp", "Value")
)


def as_dict(message: Message) -> dict[str, Any]:
    """All fields by name: those that may be absent and are, are None."""
    found: dict[str, Any] = _reader(message.DESCRIPTOR)(message)
    return found


_readers: dict[Any, Reader] = {}


def _reader(type_: Descriptor) -> Reader:
    # By the descriptor itself: the same name may be another type in another schema.
    if type_ not in _readers:
        _readers[type_] = partial(_later, type_)
        _readers[type_] = _made(type_)
    return _readers[type_]


def _later(type_: Descriptor, message: Message) -> Any:
    """What reads a type that is not known yet, as it holds itself."""
    return _readers[type_](message)


def _made(type_: Descriptor) -> Reader:
    if type_.full_name in _AS_JSON:
        return _by_json
    if type_.full_name in _WRAPPERS:
        only = _value(type_.fields[0])
        return lambda message: only(message.value)
    fields = [(one.name, _field(one)) for one in type_.fields]
    return lambda message: {name: read(message) for name, read in fields}


def _by_json(message: Message) -> Any:
    from google.protobuf.json_format import MessageToDict

    pool = message.DESCRIPTOR.file.pool
    return MessageToDict(message, preserving_proto_field_name=True, descriptor_pool=pool)


def _field(field: FieldDescriptor) -> Reader:
    """What reads one field of a message."""
    name, own = field.name, field.message_type
    if own is not None and own.GetOptions().map_entry:
        of = _value(own.fields_by_name["value"])
        return lambda message: _map(getattr(message, name), of)
    one = _value(field)
    if field.is_repeated:
        return lambda message: [one(item) for item in getattr(message, name)]
    if field.has_presence:
        return lambda message: one(getattr(message, name)) if message.HasField(name) else None
    return lambda message: one(getattr(message, name))


def _map(found: Mapping[Any, Any], of: Reader) -> dict[str, Any]:
    return {_key(key): of(found[key]) for key in found}


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _value(field: FieldDescriptor) -> Reader:
    if field.message_type is not None:
        return _reader(field.message_type)
    if field.enum_type is not None:
        names = {value.number: value.name for value in field.enum_type.values}
        return lambda number: names.get(number, number)
    if field.type == field.TYPE_BYTES:
        return lambda data: b64encode(data).decode()
    return lambda value: value
