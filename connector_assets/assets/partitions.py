"""A stream's partitions as Dagster has them; the keys are those of `spec.partitions`."""

from __future__ import annotations

import datetime as dt
from typing import Any

import dagster as dg

from connector_assets.errors import ConfigError, Fault, SpecError
from connector_assets.project import partitioned
from connector_assets.project.connection import Connection
from connector_assets.spec.stream.for_each import ForEach
from connector_assets.spec.stream.partitions import EachPartitions, Partitions, TimePartitions
from connector_assets.spec.stream.stream import Stream


def partitions_def(connection: Connection, stream: Stream) -> dg.PartitionsDefinition[Any] | None:
    """How Dagster knows the partitions of `stream`, None where it has none.

    Raises SpecError where the values of a list are not known, as one of them is a partition.
    """
    found = connection.partitions(stream.name)
    if each := partitioned.parent_partitions(connection, stream):
        return dg.DynamicPartitionsDefinition(name=dynamic_name(connection, each))
    if isinstance(found, EachPartitions):
        try:
            return dg.StaticPartitionsDefinition(partitioned.keys(connection, stream.name))
        except ConfigError as error:
            raise SpecError([Fault(f"streams.{stream.name}.partitions", str(error))]) from None
    return _of_time(found) if found else None


def dynamic_name(connection: Connection, each: ForEach) -> str:
    """How Dagster calls the partitions that are rows of these parents, whatever stream has them."""
    fields = "+".join(f"{parent.stream}.{parent.field}" for parent in each.parents)
    return f"{connection.id}/{fields}"


def backfill_policy(partitions: Partitions | None) -> dg.BackfillPolicy | None:
    """How many partitions a run of a backfill takes."""
    if partitions is None:
        return None
    most = partitions.partitions_per_run
    return dg.BackfillPolicy.multi_run(most) if most else dg.BackfillPolicy.single_run()


def _of_time(found: TimePartitions) -> dg.PartitionsDefinition[Any]:
    given: dict[str, Any] = {
        "start_date": _local(found.start),
        "end_date": _local(found.end) if found.end else None,
        "timezone": found.timezone,
    }
    match found.type:
        case "hourly":
            return dg.HourlyPartitionsDefinition(**given)
        case "daily":
            return dg.DailyPartitionsDefinition(**given)
        case "weekly":
            # Counted from Sunday there.
            return dg.WeeklyPartitionsDefinition(**given, day_offset=(found.weekday + 1) % 7)
        case "monthly":
            return dg.MonthlyPartitionsDefinition(**given)


def _local(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)
