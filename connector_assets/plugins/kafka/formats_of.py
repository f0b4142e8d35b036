"""The format that a connection chose for the keys or values of a stream."""

from __future__ import annotations

from typing import Literal

from connector_assets.plugins.kafka.avro import Avro, AvroFile
from connector_assets.plugins.kafka.config import KafkaConfig, TopicStream
from connector_assets.plugins.kafka.formats import Format, Integer, Json, Raw, Text
from connector_assets.plugins.kafka.protobuf import Protobuf, ProtobufFile
from connector_assets.plugins.kafka.registry import Registry

_PLAIN: dict[str, type[Format]] = {"json": Json, "text": Text, "raw": Raw, "integer": Integer}


def format_of(
    config: KafkaConfig, stream: TopicStream, what: Literal["key", "value"], registry: Registry
) -> Format:
    """What decodes the keys or the values of `stream`; ConfigError for a file that cannot be."""
    name = config.format_of(stream, what)
    if name in _PLAIN:
        return _PLAIN[name]()
    if name == "avro":
        by_file = config.schema_file if what == "value" else None
        return AvroFile(by_file) if by_file else Avro(registry)
    message = stream.key_message if what == "key" else stream.value_message
    if config.descriptors and message:
        return ProtobufFile(config.descriptors, message, framed=config.registry is not None)
    return Protobuf(registry)
