"""Rows of a parent as partitions of its children: registered as the parent is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import dagster as dg

from connector_assets.assets.partitions import dynamic_name
from connector_assets.errors import ConnectorError
from connector_assets.load.destination import Destination
from connector_assets.project.connection import Connection
from connector_assets.project.partitioned import of_rows, parent_partitions
from connector_assets.spec.stream.for_each import ForEach
from connector_assets.spec.stream.partitions import EachPartitions
from connector_assets.spec.stream.stream import Stream
from connector_assets.sync import parent_rows

_AT_ONCE = 10_000


def register(
    instance: dg.DagsterInstance,
    connection: Connection,
    parent: Stream,
    store: Destination,
    *,
    whole: bool,
    is_secret: Callable[[str], bool],
) -> Mapping[str, int]:
    """Make the rows of `parent` partitions of its children; how many came and went, as metadata.

    Those whose row is gone are removed where all children say so, and the load was of the `whole`
    list. Where the table of another parent cannot be read, those of its rows stay as they are.
    Dagster stores and shows keys, so that one with a secret in it, as a server may send it back,
    becomes none.
    """
    added = removed = left_out = 0
    for name, each, may_remove in _of(connection, parent):
        known = set(instance.get_dynamic_partitions(name))
        found, are_all = _keys(connection, parent, each, store)
        keys = [key for key in found if not is_secret(key)]
        new = [key for key in keys if key not in known]
        for begin in range(0, len(new), _AT_ONCE):
            instance.add_dynamic_partitions(name, new[begin : begin + _AT_ONCE])
        gone = known.difference(keys) if may_remove and whole and are_all else ()
        for key in gone:
            instance.delete_dynamic_partition(name, key)
        added, removed = added + len(new), removed + len(gone)
        left_out += len(found) - len(keys)
    told = {
        "partitions_added": added,
        "partitions_removed": removed,
        "partitions_left_out": left_out,
    }
    return {name: count for name, count in told.items() if count}


def _keys(
    connection: Connection, parent: Stream, each: ForEach, store: Destination
) -> tuple[list[str], bool]:
    """The keys of the parents' rows, and whether those of all parents are known."""
    rows = parent_rows(connection, store)
    try:
        return list(of_rows(each, rows)), True
    except ConnectorError:  # only of another parent, that is not loaded yet
        own = tuple(one for one in each.parents if one.stream == parent.name)
        return list(of_rows(each.model_copy(update={"parent": own}), rows)), False


def _of(connection: Connection, parent: Stream) -> Iterator[tuple[str, ForEach, bool]]:
    """The partitions that rows of `parent` are: their name, and whether they may be removed."""
    found: dict[str, tuple[ForEach, bool]] = {}
    for stream in connection.streams():
        each, said = parent_partitions(connection, stream), connection.partitions(stream.name)
        if each is None or parent.name not in [one.stream for one in each.parents]:
            continue
        removes = isinstance(said, EachPartitions) and said.when_gone == "remove"
        name = dynamic_name(connection, each)
        found[name] = (each, removes and found.get(name, (each, True))[1])
    for name, (each, removes) in found.items():
        yield name, each, removes
