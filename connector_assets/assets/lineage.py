"""Where a table comes from: the API as an asset upstream, parents, the origin of each column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from connector_assets.legible import markdown
from connector_assets.project.connection import Connection
from connector_assets.spec.names.paths import own_key
from connector_assets.spec.stream.stream import Stream
from connector_assets.spec.templates.template import Template

APIS = "apis"
"""Group of the APIs, and beginning of their keys."""


def api_asset(connection: Connection, key: dg.AssetKey) -> dg.AssetSpec:
    """The vendor's side of a connection: nothing materializes it, and its streams read it."""
    connector = connection.connector
    origins = list(connector.sends_to() or ())
    docs = connector.docs_url
    told = {
        "dagster/uri": origins[0] if origins else None,
        "docs": dg.MetadataValue.url(docs) if docs else None,
    }
    about = [markdown(connector.display_name), markdown(connector.description)]
    return dg.AssetSpec(
        key,
        group_name=APIS,
        description="\n\n".join(text for text in about if text),
        kinds={"api"},
        metadata={name: value for name, value in told.items() if value is not None},
    )


def api_key(connection: Connection) -> dg.AssetKey:
    """Apart from the streams' keys, so that `key:"shop/*"` selects only what can be loaded."""
    return dg.AssetKey([APIS, connection.id])


@dataclass(frozen=True)
class Lineage:
    """Where the columns of a connection's tables come from."""

    connection: Connection
    api: dg.AssetKey
    keys: Mapping[str, dg.AssetKey]
    """Those of the connection's streams, by name."""

    def of(self, stream: Stream, columns: Sequence[str]) -> dg.TableColumnLineage:
        """Each column with the JSON path, or the parent's column, that its values are read from."""
        found = {name: list(self._origins(stream, name)) for name in columns}
        return dg.TableColumnLineage({name: origins for name, origins in found.items() if origins})

    def _origins(self, stream: Stream, column: str) -> Iterator[dg.TableColumnDep]:
        names = [
            name for name in stream.fields.add if own_key(stream.fields.own_name(name)) == column
        ]
        if names:
            value = stream.fields.add[names[0]]
            read = value.names if isinstance(value, Template) else ()
            for name in sorted(read):
                yield from self._read(stream, name)
        elif not column.startswith("_"):
            sent = stream.fields.sent_name(column)
            yield dg.TableColumnDep(self.api, f"$.{sent}")

    def _read(self, stream: Stream, name: str) -> Iterator[dg.TableColumnDep]:
        """What a template reads under `name`: of the record, or of a parent's row."""
        head, _, rest = name.partition(".")
        if head == "record":
            yield dg.TableColumnDep(self.api, f"$.{rest}" if rest else "$")
        for parent in (one for each in stream.for_each for one in each.parents):
            key = self.keys[parent.stream]
            if name in (parent.bound, f"item.{parent.bound}"):
                yield dg.TableColumnDep(key, own_key(parent.field))
            elif head == "parent" and rest in parent.include:
                yield dg.TableColumnDep(key, own_key(rest))
