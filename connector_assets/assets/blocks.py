"""What an asset factory of a plugin builds with: the parts that assets by default are made of."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import dagster as dg

from connector_assets.assets.checks import check_specs
from connector_assets.assets.outcome import failure
from connector_assets.assets.resources import (
    DestinationResource,
    HttpRuntimeResource,
    ResourceKeys,
)
from connector_assets.assets.step import check, materialize
from connector_assets.assets.stream import PlannedAsset, step_of, stream_asset
from connector_assets.errors import ConnectorError
from connector_assets.project.connection import Connection
from connector_assets.reading.connector import Probe
from connector_assets.spec.stream.stream import Stream
from connector_assets.sync import position_of


class Holds(Protocol):
    """A context of Dagster with resources."""

    @property
    def resources(self) -> Any:
        """The resources, by their keys."""
        ...


class AssetBlocks:
    """The parts that the assets of a connection are made of, for an asset factory of a plugin.

    A factory that takes a second argument gets them. What it makes has the same keys, groups,
    kinds, pools, checks, secrets, destination and metadata as assets by default.

    >>> def assets(connection, blocks):
    ...     @dg.sensor(target=[blocks.spec("events")], name=f"{connection.id}_lag")
    ...     def lag(context):
    ...         if behind(connection.open("events").config):
    ...             yield dg.RunRequest()
    ...     return dg.Definitions.merge(blocks.definitions(), dg.Definitions(sensors=[lag]))
    """

    def __init__(
        self,
        connection: Connection,
        planned: Sequence[PlannedAsset],
        keys: ResourceKeys,
        definitions: Callable[[], dg.Definitions],
    ) -> None:
        self._connection, self._keys, self._definitions = connection, keys, definitions
        self._planned = {one.stream.name: one for one in planned}

    @property
    def streams(self) -> Sequence[Stream]:
        """The streams that the connection reads."""
        return [one.stream for one in self._planned.values()]

    def spec(self, stream: str) -> dg.AssetSpec:
        """The spec of a stream's asset: key, group, kinds, owners, tags, metadata, partitions."""
        return self._planned[stream].spec

    def checks(self, stream: str) -> Sequence[dg.AssetCheckSpec]:
        """The specs of the checks that `load` yields results of."""
        return check_specs(self.spec(stream).key, self._planned[stream].stream)

    def op(self, stream: str) -> Mapping[str, Any]:
        """The settings of a stream's step: `pool`, `retry_policy` and `op_tags`, as given."""
        names = {"tags": "op_tags"}
        op = self._planned[stream].op.items()
        return {names.get(name, name): value for name, value in op if value is not None}

    @property
    def resource_keys(self) -> set[str]:
        """What a step that calls `load` has as `required_resource_keys`."""
        return {self._keys.http, self._keys.destination}

    def asset(self, stream: str) -> dg.AssetsDefinition:
        """The asset of a stream as it is by default."""
        return stream_asset(self._connection, self._planned[stream], self._keys)

    def load(self, context: dg.AssetExecutionContext, stream: str) -> Iterator[Any]:
        """Load a stream in a step of one's own, and yield what Dagster is to be told.

        Where the run asks for the checks of the asset alone, these are judged.
        """
        step = step_of(context, self._connection, self._planned[stream], self._keys)
        return materialize(step) if step.loads else check(step)

    def position(self, context: Holds, stream: str) -> Any:
        """The position stored with a stream's rows, which `ctx.cursor` of the next load is.

        None where there is none. `context` is of a step, a check or a sensor that has
        `resource_keys`.
        """
        store: DestinationResource = getattr(context.resources, self._keys.destination)
        return position_of(self._connection, self._planned[stream].stream, store.open())

    def probe(self, context: Holds, stream: str) -> Probe:
        """What the plugin's `probe` tells of a stream and its `position`, asked now.

        Raises dg.Failure where the source does not answer. `context` is as that of `position`.
        """
        http: HttpRuntimeResource = getattr(context.resources, self._keys.http)
        try:
            with http.runtime() as runtime:
                connection = self._connection.with_runtime(runtime)
                return connection.probe(stream, {}, self.position(context, stream))
        except ConnectorError as error:
            problem = failure(error)
        # Outside of `except`, so that Dagster shows one line and not the chain that led to it.
        raise problem

    def definitions(self) -> dg.Definitions:
        """All that a connection has by default: assets, schedules, sensors, resources."""
        return self._definitions()


def takes_blocks(factory: Callable[..., Any]) -> bool:
    """Whether a factory has a second argument."""
    return len(inspect.signature(factory).parameters) > 1
