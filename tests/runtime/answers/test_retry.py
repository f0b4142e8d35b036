"""What Retry-After says, how long to back off, and what a status means without a rule."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_assets.runtime.answers.retry import Backoff, default_action, parse_retry_after

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2", 2),
        (" 1 ", 1),
        ("\t3", 3),
        ("0.5", 0.5),
        ("0000000000000000000007", 7),
        ("999999999", 999_999_999),
        ("1700000030", 30),
        ("1700000030000", 30),
        ("1700000030.5", 30.5),
        ("2s", 2),
        ("1.5s", 1.5),
        ("500ms", 0.5),
        ("1m30s", 90),
        ("2h", 7200),
        ("1h5ms", 3600.005),
        ("9" * 5000, math.inf),
        ("1" * 400 + ".5", math.inf),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30),
        ("Tuesday, 14-Nov-23 22:13:50 GMT", 30),
        ("Tue Nov 14 22:13:50 2023", 30),
        ("Tue, 14 Nov 2023 23:13:50 +0100", 30),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 251_702_300_799 + 2_000_000_000 - 1_700_000_000),
    ],
)
def test_a_number_or_a_date_says_how_long_to_wait(value, seconds):
    assert parse_retry_after(value, NOW) == pytest.approx(seconds, rel=0.01)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        " ",
        "0",
        "0.0",
        "-5",
        "+5",
        "soon",
        "nan",
        "NaN",
        "inf",
        "Infinity",
        "1e9",
        "0x10",
        "1_000",
        "1,5",
        "\u00b2",
        "\u0665",
        "5 seconds",
        "1600000000",
        "s",
        "30s1m",
        "0s",
        "Wed, 21 Oct 2015 07:28:00 GMT",
        "Mon, 99 Foo 2024 00:00:00 GMT",
        "Mon, 32 Jan 2024 00:00:00 GMT",
        "Tue, 14 Nov 99999999999999 22:13:50 GMT",
        "Tue, 14 Nov 2023 22:13:50 +99999999999999",
        "Tue, " * 2000,
    ],
)
def test_what_says_nothing_usable_leaves_it_to_the_back_off(value):
    assert parse_retry_after(value, NOW) is None


@given(st.text(max_size=80), st.floats(0, 4e9))
def test_any_header_gives_a_positive_wait_or_none(value, now):
    seconds = parse_retry_after(value, now)
    assert seconds is None or seconds > 0


def test_the_back_off_doubles_up_to_its_cap():
    longest = Backoff(base_s=1, max_delay_s=10, random=lambda: 1.0)
    assert [longest.delay(attempt) for attempt in range(1, 7)] == [1, 2, 4, 8, 10, 10]
    assert longest.delay(10**9) == 10


def test_the_back_off_is_never_nothing():
    assert Backoff(random=lambda: 0.0).delay(1) > 0
    assert Backoff(max_delay_s=0.01, random=lambda: 0.0).delay(1) == 0.01


def test_full_jitter_spreads_over_the_whole_range():
    delays = [Backoff(base_s=8).delay(3) for _ in range(300)]
    assert min(delays) < 8
    assert max(delays) > 24


@pytest.mark.parametrize(
    ("action", "statuses"),
    [
        ("rate_limited", [429]),
        ("refresh_auth", [401]),
        ("retry", [408, 425, 500, 502, 503, 504, 507, 520, 599]),
        ("fail", [101, 206, 300, 302, 304, 305, 400, 402, 403, 404, 405, 409, 410, 422, 501, 600]),
    ],
)
def test_a_status_means_what_the_format_says(action, statuses):
    assert {default_action(status) for status in statuses} == {action}
