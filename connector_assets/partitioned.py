"""Parts of a connection's streams: which there are, and a reading of one of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from connector_assets.connection import Connection
from connector_assets.connector import ReadContext
from connector_assets.errors import ConfigError
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.runtime import Values
from connector_assets.spec.partitions import RANGE, EachPartitions, Partition, Partitions, keyed
from connector_assets.yaml_connector import YamlConnector


def narrowed(
    connection: Connection, reading: ReadContext[Any], key: str | None
) -> ReadContext[Any]:
    """`reading`, of the partition called `key` alone.

    Raises ConfigError where there is no such partition, and where a stream that has partitions is
    to be read without one: its table holds parts, each loaded by itself.
    """
    stream = reading.stream
    partitions = connection.partitions(stream.name)
    where = f"{connection.id}.{stream.name}"
    if partitions is None and key is None:
        return reading
    if partitions is None:
        raise ConfigError("has no partitions", where=where, fix="leave the partition out")
    if key is None:
        known = keys(connection, stream.name)
        example = f" {known[-1]}" if known else " KEY"
        raise ConfigError("has partitions", where=where, fix=f"choose one: --partition{example}")
    try:
        part = _partition(connection, reading, partitions, key)
    except ConfigError as error:
        raise error.at(where) from None
    part = replace(part, mode=partitions.mode(stream))
    return replace(reading, partition=part, stream=part.narrow(stream))


def keys(connection: Connection, stream: str) -> list[str]:
    """The keys of the partitions that `stream` has now, in order; none where it has none.

    Raises ConfigError where a list's values are not known.
    """
    partitions = connection.partitions(stream)
    if partitions is None:
        return []
    if isinstance(partitions, EachPartitions):
        return list(keyed(_listed(connection, connection.open(stream, partial=True), partitions)))
    return list(partitions.keys(_now(connection)))


def chosen(connection: Connection, stream: str, text: str) -> list[str]:
    """The keys that `text` stands for: a key, or the first and the last of a range (`A...B`)."""
    first, dots, last = text.partition(RANGE)
    if not dots:
        return [text]
    known, where = keys(connection, stream), f"{connection.id}.{stream}"
    for key in (first, last):
        if key not in known:
            found = f"use one from {known[0]} to {known[-1]}" if known else "there is none yet"
            raise ConfigError(f'"{key}" is not a partition', where=where, fix=found)
    if known.index(last) < known.index(first):
        raise ConfigError(
            "the range ends before it begins", where=where, fix="name the first partition first"
        )
    return known[known.index(first) : known.index(last) + 1]


def _partition(
    connection: Connection, reading: ReadContext[Any], partitions: Partitions, key: str
) -> Partition:
    if isinstance(partitions, EachPartitions):
        return partitions.partition(key, _listed(connection, reading, partitions))
    return partitions.partition(key, _now(connection))


def _listed(
    connection: Connection, reading: ReadContext[Any], partitions: EachPartitions
) -> Sequence[Any]:
    """The values of the list that is partitioned by."""
    connector, stream = connection.connector, reading.stream
    values = Values(reading.connection, reading.config, reading.secrets, reading.vars, reading.auth)
    scope: dict[str, Any] = {}
    if isinstance(connector, YamlConnector):
        scope = connector.runtime.scope(connector.spec, stream, values)
    for each in stream.for_each:
        if each.bound == partitions.of:
            return each.listed(scope)
    raise ConfigError(f'"{partitions.of}" is not a forEach list of this stream')


def _now(connection: Connection) -> dt.datetime:
    connector = connection.connector
    clock = connector.runtime.clock if isinstance(connector, YamlConnector) else Clock()
    return dt.datetime.fromtimestamp(clock.time(), dt.UTC)
