"""What Dagster shows of streams, changed in Python where documents do not say enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from connector_assets.project.connection import Connection
from connector_assets.spec.stream.stream import Stream


class ConnectorTranslator:
    """Says how a stream becomes an asset; subclass it, and pass it to `build_definitions`.

    class Mine(ConnectorTranslator):
        def get_asset_spec(self, connection, stream, spec):
            return spec.merge_attributes(tags={"domain": stream.name.partition(".")[0]})
    """

    def get_asset_key(self, connection: Connection, stream: Stream) -> dg.AssetKey:
        """The key of the stream's asset; children, schedules and lineage go by it."""
        return dg.AssetKey(connection.key_of(stream.name))

    def get_asset_spec(
        self,
        connection: Connection,
        stream: Stream,
        spec: dg.AssetSpec,
    ) -> dg.AssetSpec:
        """The spec of the stream's asset, as the documents have it; key and partitions stay."""
        del connection, stream
        return spec

    def get_op_tags(
        self, connection: Connection, stream: Stream, tags: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The tags of the stream's step, as the documents have them."""
        del connection, stream
        return tags

    def get_retry_policy(
        self, connection: Connection, stream: Stream, policy: dg.RetryPolicy | None
    ) -> dg.RetryPolicy | None:
        """The retry policy of the stream's step, as the documents have it."""
        del connection, stream
        return policy

    def get_pool(self, connection: Connection, stream: Stream, pool: str | None) -> str | None:
        """The pool of the stream's step, as the documents have it."""
        del connection, stream
        return pool

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(type(self))


def asset_keys(
    connection: Connection, translator: ConnectorTranslator
) -> Mapping[str, dg.AssetKey]:
    """The keys of a connection's assets by stream; also of parents that it does not read."""
    known = {one.name: one for one in (*connection.connector.streams(), *connection.streams())}
    return {name: translator.get_asset_key(connection, one) for name, one in known.items()}
