"""A sensor for each connection that is watched: it asks the API, and loads what has changed.

What a look told is kept in the sensor's cursor; what a load began with, in its materialization. So
a change is loaded though the run that was asked for failed, and loads by hand or on a schedule
count as well.
"""

# No `from __future__ import annotations`: Dagster reads the type of `context` as it stands.

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from connector_assets.assets import history
from connector_assets.assets.resources import ResourceKeys
from connector_assets.errors import Cancelled, ConnectorError, RateLimited
from connector_assets.legible import message
from connector_assets.project.connection import Connection
from connector_assets.runtime.clock import Clock
from connector_assets.spec.names import dates
from connector_assets.spec.stream.stream import Stream

STATE = "source_state"
"""Metadata of a materialization: what its source was like as the load began."""
_TAG = "connector_assets/changes"
_PATIENCE_S = 30.0
"""A tick may take so long; Dagster ends one after a minute."""
_GOING = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def is_watched(connection: Connection, stream: Stream) -> bool:
    """Whether a sensor asks for changes of `stream`."""
    said = connection.asset_settings(stream.name).watch
    return said is not None and not connection.unwatchable(stream)


def change_sensor(
    connection: Connection, asset_keys: Mapping[str, dg.AssetKey], keys: ResourceKeys
) -> dg.SensorDefinition | None:
    """The sensor of a connection, None where none of its streams is watched."""
    if not _says_so(connection):
        return None
    watched = [one for one in connection.streams() if is_watched(connection, one)]
    spans = {one.name: _span_s(connection, one) for one in watched}
    follow = _followers(connection, watched)
    name = f"{connection.id}_changes"

    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        going = context.instance.get_runs(
            dg.RunsFilter(tags={_TAG: connection.id}, statuses=_GOING), limit=1
        )
        if going:
            reason = f"the run {going[0].run_id} that was asked for is not over"
            return dg.SensorResult(skip_reason=reason, cursor=context.cursor)
        looks = _Looks(
            context.instance, connection, asset_keys, spans, _state(context.cursor), Clock()
        )
        looks.go(getattr(context.resources, keys.http))
        return looks.result(follow)

    return dg.SensorDefinition(
        name,
        evaluation_fn=look,
        minimum_interval_seconds=min(spans.values()),
        description=f"Asks {connection.connector.display_name} whether there is anything new in "
        f"{', '.join(spans)}, and loads it.",
        asset_selection=dg.AssetSelection.assets(*map(asset_keys.__getitem__, {*spans, *follow})),
        required_resource_keys={keys.http},
    )


def _says_so(connection: Connection) -> bool:
    """Whether anything is to be watched, known without a look at each of thousands of streams."""
    document = connection.document
    if document is None:
        return False
    own = document.streams.values() if isinstance(document.streams, dict) else ()
    return document.watch is not None or any(one and one.watch for one in own)


def _span_s(connection: Connection, stream: Stream) -> int:
    said = connection.asset_settings(stream.name).watch
    return int(dates.duration(said or "PT1M").span.total_seconds())


def _followers(connection: Connection, watched: Sequence[Stream]) -> dict[str, set[str]]:
    """The streams that are loaded with others, whose rows they are read for, by name."""
    found: dict[str, set[str]] = {}
    above = {one.name for one in watched}
    rest = [one for one in connection.streams() if one.name not in above and one.parents]
    while ready := [one for one in rest if above.intersection(one.parents)]:
        for one in ready:
            rest.remove(one)
            wanted = connection.asset_settings(one.name).watch
            if wanted and connection.partitions(one.name) is None:
                above.add(one.name)
                found[one.name] = {*one.parents}
    return found


def _state(cursor: str | None) -> dict[str, dict[str, Any]]:
    """What earlier looks told; a cursor that is none of ours counts as none."""
    try:
        found = json.loads(cursor or "{}")
    except ValueError:
        return {}
    entries = found.items() if isinstance(found, dict) else ()
    return {name: one for name, one in entries if isinstance(one, dict)}


@dataclass
class _Looks:
    """The looks of one tick."""

    instance: dg.DagsterInstance
    connection: Connection
    keys: Mapping[str, dg.AssetKey]
    spans: Mapping[str, int]
    state: dict[str, dict[str, Any]]
    clock: Clock
    changed: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def due(self) -> Iterable[str]:
        """The streams to ask for now, first those that were not asked for longest."""
        now = self.clock.time()
        asked = {name: float(self.state.get(name, {}).get("at", 0)) for name in self.spans}
        return [
            name
            for name in sorted(self.spans, key=asked.__getitem__)
            if now - asked[name] >= self.spans[name] - 1
        ]

    def go(self, http: Any) -> None:
        """Ask for each stream that is due, as long as there is time."""
        with _in_time() as cancel, http.runtime(max_attempts=1) as runtime:
            connection = self.connection.with_runtime(runtime)
            for name in self.due():
                try:
                    self._ask(connection, name, cancel)
                except (Cancelled, RateLimited) as error:
                    self.told.append(f"{name}: not asked yet, as it would have to wait ({error})")
                except ConnectorError as error:
                    self.failed.append(f"{name}: {error}")

    def _ask(self, connection: Connection, name: str, cancel: threading.Event) -> None:
        loaded = history.last(self.instance, self.keys[name])
        own = self.state.get(name, {}).get("state") or {}
        before = {**own, **_stored(loaded)}
        seen = connection.probe(name, before, loaded.get("cursor_after"), cancel=cancel)
        self.state[name] = {"at": self.clock.time(), "state": dict(seen.state)}
        if not loaded:
            self.told.append(f"{name}: never loaded")
            self.changed.append(name)
            return
        self.told.append(f"{name}: {seen.told}")
        if seen.changed is not False:
            self.changed.append(name)

    def result(self, follow: Mapping[str, set[str]]) -> dg.SensorResult:
        """A run for what has changed, or why there is none; dg.Failure where nothing answered."""
        if self.failed and not (self.changed or self.told):
            raise dg.Failure(message("\n".join(self.failed)))
        said, cursor = message("; ".join(self.told + self.failed)), json.dumps(self.state)
        if not self.changed:
            return dg.SensorResult(skip_reason=said or "nothing is due yet", cursor=cursor)
        names = [*self.changed]
        for name, parents in follow.items():
            if parents.intersection(names):
                names.append(name)
        request = dg.RunRequest(
            asset_selection=[self.keys[name] for name in names],
            tags={_TAG: self.connection.id, "connector_assets/why": said[:500]},
        )
        return dg.SensorResult(run_requests=[request], cursor=cursor)


def _stored(loaded: Mapping[str, Any]) -> dict[str, Any]:
    """What the source was like as the last load began, as far as that load asked."""
    try:
        found = json.loads(str(loaded.get(STATE, "{}")))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def _in_time() -> Iterator[threading.Event]:
    """An event that is set when the tick has taken long enough."""
    cancel = threading.Event()
    timer = threading.Timer(_PATIENCE_S, cancel.set)
    timer.daemon = True
    timer.start()
    try:
        yield cancel
    finally:
        timer.cancel()


def _goes_by_position(stream: Stream) -> bool:
    incremental = stream.incremental
    is_of_rows = incremental is not None and incremental.kind == "field" and not stream.made_cursor
    return is_of_rows and not (incremental and incremental.client_filter)


def source_state(connection: Connection, stream: Stream, cancel: threading.Event) -> str | None:
    """What the source is like as a load begins, for the sensor to compare with.

    None where the stream is not watched, or goes by a position: that is in the metadata already.
    An API that does not answer is the load's to tell.
    """
    if not is_watched(connection, stream) or _goes_by_position(stream):
        return None
    try:
        seen = connection.probe(stream.name, {}, cancel=cancel)
    except ConnectorError:
        return None
    return json.dumps(dict(seen.state))
