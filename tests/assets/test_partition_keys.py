"""Keys and windows of partitions are those that Dagster gives the same partitions."""

from __future__ import annotations

import datetime as dt

import pytest

from connector_assets.assets.partitions import _of_time
from connector_assets.errors import ConfigError
from connector_assets.spec.stream.partitions import TimePartitions

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


def partitions(kind, start, end, zone="UTC"):
    return TimePartitions.model_validate(
        {"type": kind, "start": start, "end": end, "timezone": zone}
    )


@pytest.mark.parametrize("zone", ["UTC", "Europe/Madrid", "America/Sao_Paulo", "Asia/Kolkata"])
@pytest.mark.parametrize(
    ("kind", "start", "end"),
    [
        ("hourly", "2018-10-28", "2018-10-29"),  # clocks go back in Madrid
        ("hourly", "2018-11-03", "2018-11-05"),  # forward at midnight in Sao Paulo
        ("hourly", "2018-03-25T01:00", "2018-03-25T06:00"),
        ("daily", "2018-10-20", "2018-11-10"),
        ("weekly", "2018-01-03", "2018-12-19"),
        ("monthly", "2017-11-01", "2019-03-01"),
    ],
)
def test_keys_and_windows_are_those_of_dagster(kind, start, end, zone):
    ours = partitions(kind, start, end, zone)
    theirs = _of_time(ours)
    keys = list(ours.keys(NOW))
    assert keys == theirs.get_partition_keys()
    for key in keys:
        window = ours.partition(key, NOW).window
        their = theirs.time_window_for_partition_key(key)
        # As instants: a local time that does not exist is unequal to any other.
        found = (window.start.timestamp(), window.end.timestamp())
        assert found == (their.start.timestamp(), their.end.timestamp()), key


@pytest.mark.parametrize(
    ("key", "now"),
    [
        ("2024-01-31", "2024-01-31T23:59"),  # not over yet
        ("2023-12-31", "2024-02-01"),  # before the first
        ("2024-03-01", "2024-04-01"),  # after the last
        ("2024-1-5", "2024-04-01"),
        ("2024-01-05-00:00", "2024-04-01"),
        ("yesterday", "2024-04-01"),
        ("", "2024-04-01"),
    ],
)
def test_a_partition_that_is_not_there_is_an_error_that_lists_those_that_are(key, now):
    days = partitions("daily", "2024-01-01", "2024-03-01")
    moment = dt.datetime.fromisoformat(now).replace(tzinfo=dt.UTC)
    with pytest.raises(ConfigError, match="is not a daily partition; use one from 2024-01-01 to"):
        days.partition(key, moment)


def test_a_partition_is_there_once_its_time_is_over():
    days = partitions("daily", "2024-01-01", None)
    assert list(days.keys(dt.datetime(2024, 1, 2, 23, tzinfo=dt.UTC))) == ["2024-01-01"]
    assert list(days.keys(dt.datetime(2024, 1, 3, tzinfo=dt.UTC)))[-1] == "2024-01-02"
    with pytest.raises(ConfigError, match="none is over yet"):
        days.partition("2024-01-01", dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC))
