"""When streams are read: the cron of a connection as schedules, or as a condition on its assets.

A schedule needs a job, and a job selects among all assets, so that loading time grows with the
product of both. Beyond `MOST_SCHEDULES` the assets carry the cron themselves instead, and one
sensor drives them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import dagster as dg

from connector_assets.assets.stream import asset_key
from connector_assets.connection import Connection

MOST_SCHEDULES = 200


def too_many(connections: Iterable[Connection]) -> bool:
    """Whether these connections ask for more schedules than Dagster loads fast."""
    asked = 0
    for document in (connection.document for connection in connections):
        if document:
            own = document.streams.values() if isinstance(document.streams, dict) else ()
            asked += bool(document.schedule) + sum(bool(one and one.schedule) for one in own)
    return asked > MOST_SCHEDULES


def schedules(connection: Connection, timezone: str) -> Iterator[dg.ScheduleDefinition]:
    """One for the connection, one for each stream with a cron of its own; all start stopped."""
    for (name, cron), keys in _crons(connection).items():
        job = dg.define_asset_job(f"{name}_job", dg.AssetSelection.assets(*keys))
        yield dg.ScheduleDefinition(
            name=f"{name}_schedule", job=job, cron_schedule=cron, execution_timezone=timezone
        )


def _crons(connection: Connection) -> dict[tuple[str, str], list[dg.AssetKey]]:
    found: dict[tuple[str, str], list[dg.AssetKey]] = {}
    document = connection.document
    for stream in connection.streams() if document else ():
        cron = document.schedule_of(stream.name) if document else None
        if document and cron:
            key = asset_key(connection.id, stream.name)
            name = connection.id if cron == document.schedule else "__".join(key.path)
            found.setdefault((name, cron), []).append(key)
    return found
