"""Local names of a stream: computed once for each item and window, or for each row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector_assets.spec.templates.refs import templates_in
from connector_assets.spec.templates.template import render

Lets = Mapping[str, Any]


def by_time(lets: Lets) -> tuple[dict[str, Any], dict[str, Any]]:
    """The names that a request may read, and those that read `record`, directly or not."""
    rows: dict[str, Any] = {}
    for name, value in lets.items():
        read = {one.split(".")[0] for template in templates_in(value) for one in template.names}
        if read & {"record", *rows}:
            rows[name] = value
    return {name: value for name, value in lets.items() if name not in rows}, rows


def with_lets(scope: Mapping[str, Any], lets: Lets) -> Mapping[str, Any]:
    """`scope` with `lets` in it, each of which may read those before it."""
    if not lets:
        return scope
    made = dict(scope)
    for name, value in lets.items():
        made[name] = render(value, made)
    return made
