"""A vendor's window, as headers tell it."""

import httpx
import pytest

from connector_assets.runtime.answers.quota import window_ends_in, windows_end_in
from connector_assets.spec.endpoint import RateLimit

NOW = 1_700_000_000.0
LIMIT = RateLimit(remainingHeader="X-Left", resetHeader="X-Reset")


@pytest.mark.parametrize(
    ("left", "reset", "seconds"),
    [
        ("0", "30", 30),
        ("-1", "30", 30),
        ("0.0", "1.5", 1.5),
        ("0", "1700000060", 60),
        ("0", "1700000060000", 60),
        ("0", "Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("0", "2023-11-14T22:14:20Z", 60),
        ("0", "2023-11-14T22:14:20", 60),
        ("1", "30", None),
        ("", "30", None),
        ("nan", "30", None),
        ("many", "30", None),
        ("0", "", None),
        ("0", "soon", None),
        ("0", "nan", None),
        ("0", "inf", None),
        ("0", "-5", None),
        ("0", "1600000000", None),
        ("0", "2001-01-01T00:00:00Z", None),
    ],
)
def test_a_window_with_nothing_left_ends_when_it_says(left, reset, seconds):
    headers = httpx.Headers({"x-left": left, "x-reset": reset})
    assert window_ends_in(headers, LIMIT, NOW) == seconds


def test_without_both_headers_nothing_is_known():
    assert window_ends_in(httpx.Headers(), LIMIT, NOW) is None
    assert window_ends_in(httpx.Headers({"x-left": "0"}), LIMIT, NOW) is None
    assert window_ends_in(httpx.Headers({"x-left": "0", "x-reset": "9"}), RateLimit(), NOW) is None


def test_of_two_windows_the_longer_counts():
    own = RateLimit(remainingHeader="X-Own", resetHeader="X-Reset")
    said = {"x-left": "0", "x-reset": "30", "x-own": "0"}
    hour = RateLimit(remainingHeader="X-Left", resetHeader="X-Hour")
    headers = httpx.Headers({**said, "x-hour": "600"})
    assert windows_end_in(headers, [own, hour], NOW) == 600
    assert windows_end_in(httpx.Headers(said), [own, hour], NOW) == 30
    assert windows_end_in(httpx.Headers(), [own, hour], NOW) is None
