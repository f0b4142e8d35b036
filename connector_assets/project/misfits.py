"""What a connection says that its connector has not: streams, secrets, tables, parents, origins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from connector_assets.errors import Fault
from connector_assets.load.files.store_names import table_name
from connector_assets.project.connection import Connection
from connector_assets.project.partitioned import parent_partitions
from connector_assets.reading.connector import Connector
from connector_assets.runtime.guard.origins import unpinned
from connector_assets.spec.checks.model_faults import Finding, near
from connector_assets.spec.stream.stream import Stream
from connector_assets.spec.yaml.yaml_source import YamlSource

if TYPE_CHECKING:
    from connector_assets.spec.connection import ConnectionDocument


def misfits(connection: Connection, document: ConnectionDocument) -> Iterator[Finding]:
    """What a connection says of its connector that it is not."""
    if document.origins is not None:
        yield from _unpinned(connection.connector, document.origins)
    streams = {stream.name: stream for stream in connection.connector.streams()}
    for name in document.streams or ():
        path = ("streams", name)
        if name in streams:
            for key, message in document.misfits(streams[name]):
                yield Finding((*path, *key.split(".")), message)
            yield from _unread_parents(connection, document, streams[name])
            if document.settings(name).watch and (reason := connection.unwatchable(streams[name])):
                yield Finding((*path, "watch"), reason)
        elif not connection.awaits_discovery:
            known = ", ".join(streams)
            yield Finding(path, f"is not a stream; use one of {known}", on_key=True)
    if document.watch and all(map(connection.unwatchable, connection.streams())):
        yield Finding(
            ("watch",), "is for none of the streams: no small request tells their changes"
        )
    yield from _shared_tables(document, streams.values())
    yield from _unknown_secrets(connection.connector, document)


def _shared_tables(document: ConnectionDocument, streams: Iterable[Stream]) -> Iterator[Finding]:
    """Streams that `table` puts into one: stores ignore case, and several characters become `_`."""
    tables: dict[str, str] = {}
    read = [one for one in streams if not document.streams or one.name in document.streams]
    for stream in read:
        name = table_name(document.overridden(stream).table_name).casefold()
        other = tables.setdefault(name, stream.name)
        if other != stream.name and (document.table or document.settings(stream.name).table):
            own = ("streams", stream.name, "table")
            path = own if document.settings(stream.name).table else ("table",)
            yield Finding(
                path, f'puts "{other}" and "{stream.name}" into one table; use {{{{stream}}}}'
            )


def _unread_parents(
    connection: Connection, document: ConnectionDocument, stream: Stream
) -> Iterator[Finding]:
    each = parent_partitions(connection, stream)
    for parent in each.parents if each else ():
        if document.streams is not None and parent.stream not in document.streams:
            text = f'are rows of "{parent.stream}", which this connection does not read; add it'
            yield Finding(("streams", stream.name, "partitions"), text)


def _unknown_secrets(connector: Connector[Any], document: ConnectionDocument) -> Iterator[Finding]:
    known = sorted(connector.known_secrets()) if document.secrets else ()
    for name in document.secrets:
        if name not in known:
            meant = near(name, known)
            listed_ = f"use one of {', '.join(known)}" if known else "it takes none"
            hint = f'did you mean "{meant}"?' if meant else listed_
            yield Finding(("secrets", name), f"is not a secret of {connector.id}; {hint}", True)


def _unpinned(connector: Connector[Any], pinned: Sequence[str]) -> Iterator[Finding]:
    origins = connector.sends_to()
    if origins is None:
        yield Finding(("origins",), "is for connectors in YAML; a plugin may send anywhere", True)
        return
    extra = unpinned(origins, pinned)
    if extra:
        message = f"does not allow {', '.join(extra)}, where the connector may send too"
        yield Finding(("origins",), f"{message}; add it if the secrets may go there")


def placed(one: Finding, yaml: YamlSource | None) -> Fault:
    """At its line; of a list of streams, the one that it names."""
    if yaml is None:
        return Fault(".".join(map(str, one.path)), one.message)
    names = yaml.at(("streams",))
    if one.path[0] != "streams" or not isinstance(names, list):
        return one.placed(yaml)
    line, column = yaml.position(("streams", names.index(one.path[1])))
    return Fault(".".join(map(str, one.path)), one.message, line, column)
