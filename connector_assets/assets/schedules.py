"""When streams are read: the cron of a connection as schedules, or as a condition on its assets.

A schedule needs a job, and a job selects among all assets, so that loading time grows with the
product of both. Beyond `MOST_SCHEDULES` the assets carry the cron themselves instead, and one
sensor drives them all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import dagster as dg

from connector_assets.assets.partitions import dynamic_name
from connector_assets.load.files.store_names import table_name
from connector_assets.project.connection import Connection
from connector_assets.project.partitioned import keys as partition_keys
from connector_assets.project.partitioned import parent_partitions
from connector_assets.spec.stream.partitions import EachPartitions

MOST_SCHEDULES = 200


def too_many(connections: Iterable[Connection]) -> bool:
    """Whether these connections ask for more schedules than Dagster loads fast."""
    asked = 0
    for document in (connection.document for connection in connections):
        if document:
            own = document.streams.values() if isinstance(document.streams, dict) else ()
            asked += bool(document.schedule) + sum(bool(one and one.schedule) for one in own)
    return asked > MOST_SCHEDULES


def schedules(
    connection: Connection, timezone: str, keys: Mapping[str, dg.AssetKey]
) -> Iterator[dg.ScheduleDefinition]:
    """One for the connection, one for each stream with a cron of its own; all start stopped.

    A stream with partitions always has its own: a run of one partition has no other assets.
    """
    for (name, cron), streams in _crons(connection).items():
        selection = dg.AssetSelection.assets(*(keys[one] for one in streams))
        job = dg.define_asset_job(f"{name}_job", selection)
        due = _due(connection, streams[0], cron, timezone)
        yield dg.ScheduleDefinition(
            name=f"{name}_schedule",
            job=job,
            cron_schedule=cron,
            execution_timezone=timezone,
            execution_fn=due,
        )


def _crons(connection: Connection) -> dict[tuple[str, str], list[str]]:
    """The streams of each schedule, by its name and cron."""
    found: dict[tuple[str, str], list[str]] = {}
    document = connection.document
    for stream in connection.streams() if document else ():
        cron = document.schedule_of(stream.name) if document else None
        if document and cron:
            shared = cron == document.schedule and not connection.partitions(stream.name)
            alone = f"{connection.id}__{table_name(stream.name)}"
            name = connection.id if shared else alone
            found.setdefault((name, cron), []).append(stream.name)
    return found


Due = Callable[[dg.ScheduleEvaluationContext], Iterator[dg.RunRequest | dg.SkipReason]]


def _due(connection: Connection, stream: str, cron: str, timezone: str) -> Due | None:
    """Which partitions a tick asks for; None for a stream that has none.

    Of time, those that ended since the tick before; of a list, all.
    """
    partitions = connection.partitions(stream)
    if partitions is None:
        return None
    each = parent_partitions(connection, connection.stream(stream))

    def known(context: dg.ScheduleEvaluationContext) -> Sequence[str]:
        if each is None:
            return partition_keys(connection, stream)
        return context.instance.get_dynamic_partitions(dynamic_name(connection, each))

    def due(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        tick = context.scheduled_execution_time
        if isinstance(partitions, EachPartitions):
            asked = [(key, f"{tick.isoformat()} {key}") for key in known(context)]
            empty = f"the list of {partitions.of} is empty"
            nothing = f"no {partitions.of} is registered: load its parent" if each else empty
        else:
            before = _tick_before(tick, cron, timezone)
            # By its key, so that a tick that is evaluated twice asks once.
            asked = [(key, key) for key in partitions.ended(before, tick)]
            nothing = f"no {partitions.unit} ended since the tick before, {before.isoformat()}"
        for key, run_key in asked:
            yield dg.RunRequest(partition_key=key, run_key=run_key)
        if not asked:
            yield dg.SkipReason(nothing)

    return due


def _tick_before(tick: dt.datetime, cron: str, timezone: str) -> dt.datetime:
    """The cron's last tick before this one: the time between ticks is a partition, too."""
    between = dg.TimeWindowPartitionsDefinition(
        start=dt.datetime(2000, 1, 1),  # noqa: DTZ001 - in that time zone
        fmt="%Y-%m-%d-%H:%M",
        cron_schedule=cron,
        timezone=timezone,
    )
    window = between.get_prev_partition_window(tick)
    return window.start if window else tick
