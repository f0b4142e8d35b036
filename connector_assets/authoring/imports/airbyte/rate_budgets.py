"""A manifest's API budget → the rate limit of a connector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connector_assets.spec.names import dates


def rate_limit(budget: Any) -> tuple[dict[str, Any], list[str]]:
    """The limit of all endpoints, and what differs; the strictest where there are several."""
    if not isinstance(budget, Mapping):
        return {}, []
    policies = [one for one in budget.get("policies") or () if isinstance(one, Mapping)]
    rates = [rate for one in policies for rate in _rates(one)]
    if not rates:
        return {}, []
    per_second, burst = min(rates)
    near = []
    if len(rates) > 1 or any(one.get("matchers") for one in policies):
        near.append("one limit, the strictest, holds for all requests, not one for some of them")
    made: dict[str, Any] = {"requestsPerSecond": per_second}
    if burst > 1:
        made["burstSize"] = burst
    for key, ours in (
        ("ratelimit_remaining_header", "remainingHeader"),
        ("ratelimit_reset_header", "resetHeader"),
    ):
        if isinstance(budget.get(key), str):
            made[ours] = budget[key]
    return made, near


def _rates(policy: Mapping[str, Any]) -> Iterator[tuple[float, int]]:
    """Requests in a second, and how many may be at once, of each rate of a policy."""
    if policy.get("type") == "FixedWindowCallRatePolicy":
        yield from _rate(policy.get("call_limit"), policy.get("period"))
    for one in policy.get("rates") or ():
        if isinstance(one, Mapping):
            yield from _rate(one.get("limit"), one.get("interval"))


def _rate(limit: Any, interval: Any) -> Iterator[tuple[float, int]]:
    if isinstance(limit, str) and limit.isdigit():
        limit = int(limit)
    if not isinstance(limit, int) or limit < 1 or not isinstance(interval, str):
        return
    try:
        span = dates.duration(interval)
    except dates.DateError:
        return
    seconds = span.span.total_seconds() + span.months * 30 * 86_400
    if seconds > 0:
        # A window of a minute may be used up at once; the pace after that is the window's.
        yield max(round(limit / seconds, 6), 0.000001), min(limit, 100_000)
