"""How the parts of a message stand in a row: the message as it is, or its value's fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from connector_assets.plugins.kafka.config import Rows
from connector_assets.plugins.kafka.formats import Bad

Text = bytes | Bad
PREFIX = "_kafka_"
"""Before the columns of the message, where a value's fields are columns too."""


def _head(prefix: str, *names: str) -> bytes:
    """The beginning of a line that `%` fills in."""
    marks = {"partition": "%d", "offset": "%d"}
    return ("{" + ",".join(f'"{prefix}{name}":{marks.get(name, "%b")}' for name in names)).encode()


class Layout(Protocol):
    """What a row is."""

    line: bytes
    """A line, for topic, partition, offset, timestamp, key, headers and a tail."""
    raw: bytes
    """The line of a message that cannot be decoded, for topic, partition, offset, key and value."""

    def tails(
        self, values: Sequence[Text], keys: Sequence[Text], bodies: Sequence[bytes | None]
    ) -> Sequence[Text]:
        """The ends of lines, with what comes of each value."""
        ...


class MessageRows:
    """A row is a message, whose value is one column."""

    line = (
        _head("", "topic", "partition", "offset", "timestamp", "key", "headers") + b',"value":%b}\n'
    )
    raw = _head("", "topic", "partition", "offset", "key", "value") + b"}\n"

    def tails(
        self,
        values: Sequence[Text],
        keys: Sequence[Text],  # noqa: ARG002 - the Protocol's shape
        bodies: Sequence[bytes | None],  # noqa: ARG002 - as above
    ) -> Sequence[Text]:
        return values


class ValueRows:
    """A row is the value, whose fields are columns, with those of the message before them.

    A tombstone has no value: its row has the fields of its key.
    """

    line = _head(PREFIX, "topic", "partition", "offset", "timestamp", "key", "headers") + b"%b\n"
    raw = _head(PREFIX, "topic", "partition", "offset", "key", "value") + b"}\n"

    def tails(
        self, values: Sequence[Text], keys: Sequence[Text], bodies: Sequence[bytes | None]
    ) -> Sequence[Text]:
        return [
            # Most are so; a space before the first field would take another look.
            b"," + value[1:]
            if isinstance(value, bytes) and value.startswith(b'{"')
            else _fields(value, key, is_gone=body is None)
            for value, key, body in zip(values, keys, bodies, strict=True)
        ]


def _fields(value: Text, key: Text, *, is_gone: bool) -> Text:
    if isinstance(value, Bad):
        return value
    if is_gone:
        value = key if isinstance(key, bytes) and key.lstrip().startswith(b"{") else b"{}"
    value = value.strip()
    if not value.startswith(b"{"):
        return Bad("is no object, whose fields could be columns; use rows: message")
    inner = value[1:].lstrip()
    return inner if inner.startswith(b"}") else b"," + inner


LAYOUTS: dict[Rows, Layout] = {"message": MessageRows(), "value": ValueRows()}
