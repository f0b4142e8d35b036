"""Parts of a connection's streams: which there are, and a reading of one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from connector_assets.errors import ConfigError
from connector_assets.project.connection import Connection
from connector_assets.reading.connector import ReadContext
from connector_assets.runtime.walk.slices import ParentRows
from connector_assets.spec.names import dates
from connector_assets.spec.stream.for_each import ForEach
from connector_assets.spec.stream.incremental import Window
from connector_assets.spec.stream.partitions import (
    RANGE,
    EachPartitions,
    Partition,
    Partitions,
    is_key,
    key_of,
    keyed,
)
from connector_assets.spec.stream.stream import Stream
from connector_assets.spec.templates.template import Template


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
        known = [] if _of_parents(partitions, stream) else keys(connection, stream.name)
        example = f" {known[-1]}" if known else " KEY"
        raise ConfigError("has partitions", where=where, fix=f"choose one: --partition{example}")
    try:
        part = _partition(connection, reading, partitions, key)
    except ConfigError as error:
        raise error.at(where) from None
    part = replace(part, mode=partitions.mode(stream))
    return replace(reading, partition=part, stream=part.narrow(stream))


def asked(
    reading: ReadContext[Any], start: str | float | None, window: tuple[str, str] | None
) -> ReadContext[Any]:
    """`reading` from another start, or of a stretch of time alone, for one run.

    Raises ConfigError for a stream that cannot be asked so.
    """
    stream, where = reading.stream, reading.label
    if start is None and window is None:
        return reading
    if stream.incremental is None or reading.partition:
        raise ConfigError(
            "start and window are for an incremental stream without partitions",
            where=where,
            fix="leave them out",
        )
    if window is None:
        first = Template(start) if isinstance(start, str) else start
        told = stream.incremental.model_copy(update={"start": first})
        return replace(reading, stream=stream.model_copy(update={"incremental": told}))
    if not stream.primary_key:
        raise ConfigError("a window is merged by key, and there is none", where=where)
    try:
        begin, end = (dates.instant(text) for text in window)
    except ValueError as error:
        raise ConfigError(
            f"the window is not two times: {error}", where=where, fix="write 2024-01-31T00:00:00Z"
        ) from None
    if end <= begin:
        raise ConfigError("the window ends before it begins", where=where)
    part = Partition(
        f"{window[0]}{RANGE}{window[1]}", Window(begin, end, closed=True), mode="merge"
    )
    return replace(reading, partition=part, stream=part.narrow(stream))


def keys(connection: Connection, stream: str, rows: ParentRows | None = None) -> list[str]:
    """The keys of the partitions that `stream` has now, in order; none where it has none.

    `rows` reads the tables of parents, whose rows may be partitions. Raises ConfigError where a
    list's values are not known, and where the table of a parent is not there.
    """
    partitions = connection.partitions(stream)
    if partitions is None:
        return []
    if isinstance(partitions, EachPartitions):
        each = _of_parents(partitions, connection.stream(stream))
        if each and rows is None:
            where = f"{connection.id}.{stream}"
            raise ConfigError("its partitions are rows of a table", where=where)
        if each and rows is not None:
            return list(of_rows(each, rows))
        return list(keyed(_listed(connection, connection.open(stream, partial=True), partitions)))
    return list(partitions.keys(connection.connector.now()))


def parent_partitions(connection: Connection, stream: Stream) -> ForEach | None:
    """The `forEach` over parents whose rows are the partitions of `stream`; None for others."""
    partitions = connection.partitions(stream.name)
    return _of_parents(partitions, stream) if partitions else None


def _of_parents(partitions: Partitions, stream: Stream) -> ForEach | None:
    found = partitions.dimension(stream) if isinstance(partitions, EachPartitions) else None
    return found if found and found.parents else None


def of_rows(each: ForEach, rows: ParentRows) -> Iterator[str]:
    """The keys of the parents' rows, each once; rows whose value can be no key are left out."""
    seen: set[str] = set()
    for parent in each.parents:
        for (value,) in rows(parent.stream, [parent.field]):
            key = "" if value is None else key_of(value)
            if is_key(key) and key not in seen:
                seen.add(key)
                yield key


class Indexed:
    """Tables of parents, read once for many partitions: each then finds its rows at once."""

    def __init__(self, rows: ParentRows) -> None:
        self._rows = rows
        self._found: dict[tuple[str, ...], dict[str, list[Sequence[Any]]]] = {}

    def __call__(self, stream: str, keys: Sequence[str]) -> Iterator[Sequence[Any]]:
        return self._rows(stream, keys)

    def of(self, key: str, stream: str, keys: Sequence[str]) -> Iterator[Sequence[Any]]:
        """The rows whose first value is a partition's `key`."""
        at = (stream, *keys)
        if at not in self._found:
            found: dict[str, list[Sequence[Any]]] = {}
            for row in self._rows(stream, keys):
                found.setdefault(key_of(row[0]), []).append(row)
            self._found[at] = found
        return iter(self._found[at].get(key, ()))


def only(rows: ParentRows, reading: ReadContext[Any]) -> ParentRows:
    """`rows`, but of the parents that the partitions are only those of the one that is read."""
    part = reading.partition
    each = [one for one in reading.stream.for_each if part and part.of and one.bound == part.of]
    fields = {(parent.stream, parent.field) for one in each for parent in one.parents}

    def some(stream: str, keys: Sequence[str]) -> Iterator[Sequence[Any]]:
        if part is None or (stream, keys[0]) not in fields:
            return rows(stream, keys)
        if isinstance(rows, Indexed):
            return rows.of(part.key, stream, keys)
        return (row for row in rows(stream, keys) if key_of(row[0]) == part.key)

    return some if fields else rows


def chosen(
    connection: Connection, stream: str, text: str, rows: ParentRows | None = None
) -> list[str]:
    """The keys that `text` stands for: a key, or the first and the last of a range (`A...B`).

    `rows` reads the tables of parents.
    """
    first, dots, last = text.partition(RANGE)
    if not dots:
        return [text]
    known, where = keys(connection, stream, rows), f"{connection.id}.{stream}"
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
    if _of_parents(partitions, reading.stream):
        return Partition(key, of=partitions.unit)
    if isinstance(partitions, EachPartitions):
        return partitions.partition(key, _listed(connection, reading, partitions))
    return partitions.partition(key, connection.connector.now())


def _listed(
    connection: Connection, reading: ReadContext[Any], partitions: EachPartitions
) -> Sequence[Any]:
    """The values of the list that is partitioned by."""
    scope = connection.connector.scope(reading)
    for each in reading.stream.for_each:
        if each.bound == partitions.of:
            return each.listed(scope)
    raise ConfigError(f'"{partitions.of}" is not a forEach list of this stream')
