"""Messages become rows: lines of JSON, in the order of the messages.

It goes by columns, all keys and then all values: a call for each part of each message would take
longer than its line.
"""

from __future__ import annotations

import datetime as dt
from base64 import b64encode
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import msgspec

from connector_assets.errors import ResponseError
from connector_assets.plugins.kafka.config import KafkaConfig, TopicStream
from connector_assets.plugins.kafka.formats import Bad, texts
from connector_assets.plugins.kafka.formats_of import format_of
from connector_assets.plugins.kafka.layouts import LAYOUTS
from connector_assets.plugins.kafka.registry import Registry
from connector_assets.runtime.rows.rejects import rejected

if TYPE_CHECKING:
    from confluent_kafka import Message

_TIMES_KEPT = 10_000
_FIX = "see the formats of keys and values, or set such messages aside by schemaPolicy: quarantine"
_encode = msgspec.json.Encoder().encode


class RowMaker:
    """The rows of one stream's messages."""

    def __init__(
        self, config: KafkaConfig, stream: TopicStream, registry: Registry, *, where: str
    ) -> None:
        self._key = format_of(config, stream, "key", registry)
        self._value = format_of(config, stream, "value", registry)
        self._layout = LAYOUTS[config.rows_of(stream)]
        self._sets_aside = stream.schema_policy == "quarantine"
        self._merges = bool(stream.primary_key)
        self._where = where
        self._seconds: dict[int, bytes] = {}
        self._topics: dict[Any, bytes] = {}

    def runs(self, messages: Sequence[Message]) -> Iterator[tuple[bytes, bool]]:
        """Lines that belong together, and whether they say that their keys are gone."""
        bodies = [one.value() for one in messages]
        lines = self._lines(messages, bodies)
        if not self._merges or None not in bodies:
            yield b"".join(lines), False
            return
        marked = zip(lines, [body is None for body in bodies], strict=True)
        for is_deleted, some in groupby(marked, itemgetter(1)):
            yield b"".join([line for line, _ in some]), is_deleted

    def _lines(self, messages: Sequence[Message], bodies: Sequence[bytes | None]) -> list[bytes]:
        keys = texts(self._key, [one.key() for one in messages])
        tails = self._layout.tails(texts(self._value, bodies), keys, bodies)
        stamps = [self._stamp(*one.timestamp()) for one in messages]
        topics = [self._topic(one.topic()) for one in messages]
        headers = [_headers(one.headers()) for one in messages]
        places = [(one.partition(), one.offset()) for one in messages]
        columns = zip(topics, places, stamps, keys, headers, tails, strict=True)
        if Bad in {*map(type, keys), *map(type, tails), *map(type, stamps)}:
            return list(map(self._checked, messages, columns))
        line = self._layout.line
        return [line % (topic, *place, *rest) for topic, place, *rest in columns]

    def _checked(self, message: Message, parts: tuple[Any, ...]) -> bytes:
        """The line of a message that may be bad: set aside as it came, or an error."""
        topic, place, stamp, key, headers, tail = parts
        found = {"timestamp": stamp, "key": key, "value": tail}
        bad = {name: part.reason for name, part in found.items() if isinstance(part, Bad)}
        if not bad:
            return self._layout.line % (topic, *place, stamp, key, headers, tail)
        name, reason = next(iter(bad.items()))
        why = f"{message.topic()}/{place[0]} at offset {place[1]}: its {name} {reason}"
        if not self._sets_aside:
            raise ResponseError(why, where=self._where, fix=_FIX)
        raw = [_raw(data) for data in (message.key(), message.value())]
        return rejected(self._layout.raw % (topic, *place, *raw), why)

    def _topic(self, name: Any) -> bytes:
        if name not in self._topics:
            self._topics[name] = _encode(name)
        return self._topics[name]

    def _stamp(self, kind: int, ms: int) -> bytes | Bad:
        """A message's time as JSON; the text of a second is made once."""
        if not kind:
            return b"null"
        seconds, rest = divmod(ms, 1000)
        known = self._seconds.get(seconds)
        if known is None:
            if len(self._seconds) >= _TIMES_KEPT:
                self._seconds.clear()
            try:
                when = dt.datetime.fromtimestamp(seconds, dt.UTC)
            except (OverflowError, OSError, ValueError):
                return Bad(f"is {ms} ms since 1970, which is no year of four digits")
            known = self._seconds[seconds] = when.isoformat()[:19].encode()
        return b'"%b.%03dZ"' % (known, rest)


def _headers(found: Any) -> bytes:
    """A list, since a name may come twice."""
    return _encode([_header(name, value) for name, value in found]) if found else b"null"


def _header(name: str, value: bytes | None) -> dict[str, str | None]:
    """A header; a value that is no text is base64."""
    try:
        return {"key": name, "value": None if value is None else value.decode()}
    except UnicodeDecodeError:
        return {"key": name, "base64": b64encode(value or b"").decode()}


def _raw(data: bytes | None) -> bytes:
    return b"null" if data is None else b'"%b"' % b64encode(data)
