"""The assets of a connection: those by default, and the check `lag` where it says a `maxLag`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connector_assets.errors import Fault, SpecError
from connector_assets.plugins.kafka.streams import said_in
from connector_assets.project.connection import Connection


def assets(connection: Connection, blocks: Any) -> Any:
    """All assets by default, and a check of each stream that has a `maxLag`."""
    import dagster as dg

    made = blocks.definitions()
    checks = [_check(blocks, name, most) for name, most in max_lags(connection)]
    return dg.Definitions.merge(made, dg.Definitions(asset_checks=checks)) if checks else made


def max_lags(connection: Connection) -> Iterator[tuple[str, int]]:
    """The streams that are checked, and most messages that each may lack; raises SpecError."""
    for stream in connection.streams():
        config = dict(connection.document.config) if connection.document else {}
        said = said_in({**config, "maxLag": connection.known(stream, "maxLag")})
        topic = said.topics.get(stream.name)
        own, why = topic.max_lag if topic else None, connection.unwatchable(stream)
        if own is not None and why:
            path = f"config.topics.{stream.name}.maxLag"
            raise SpecError([Fault(path, f"cannot be checked, as the stream {why}; leave it out")])
        most = said.max_lag if own is None else own
        if most is not None and not why:
            yield stream.name, most


def _check(blocks: Any, stream: str, most: int) -> Any:
    """The check of one stream, which asks the cluster whenever it runs."""
    import dagster as dg

    key = blocks.spec(stream).key
    text = f"At most {most:,} messages are there and not loaded."

    # A step of a name that no stream's has, as one called `orders_lag`.
    @dg.multi_asset_check(
        name=f"lag_of_{key.to_python_identifier()}",
        specs=[dg.AssetCheckSpec("lag", asset=key, description=text)],
        required_resource_keys=blocks.resource_keys,
    )
    def check(context):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - Dagster reads types as they stand
        seen = blocks.probe(context, stream)
        lag = seen.metadata.get("lag")
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name="lag",
            passed=lag is not None and lag <= most,
            description="never loaded" if lag is None else seen.told,
            metadata={**seen.metadata, "max_lag": most},
        )

    return check
