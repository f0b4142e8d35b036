"""Rows of a recording as samples for a fake of the API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connector_assets.authoring.recording.recording_folder import Recording
from connector_assets.authoring.recording.written_json import plain_numbers
from connector_assets.authoring.simulator.documents import get, steps_of
from connector_assets.authoring.simulator.wire import CannotSimulate
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.endpoint import Endpoint

_MOST = 500


def samples_of(recording: Recording, spec: ConnectorSpec) -> dict[str, list[dict[str, Any]]]:
    """The rows of each stream as they were sent, as far as they are objects in JSON."""
    found: dict[str, list[dict[str, Any]]] = {}
    for stream in spec.streams:
        recorded = recording.streams.get(stream.name)
        endpoint = spec.endpoint_of(stream)
        for one in recorded.exchanges if recorded else ():
            if one.endpoint == endpoint.id and one.answer.body.kind in ("json", "lines"):
                rows = found.setdefault(stream.name, [])
                rows += [row for row in _rows(one.answer.body.content, endpoint) if row]
                del rows[_MOST:]
    return {name: rows for name, rows in found.items() if rows}


def _rows(content: Any, endpoint: Endpoint) -> Iterator[dict[str, Any]]:
    path = endpoint.response_rows_path
    try:
        steps = steps_of(path.source) if path is not None else []
    except CannotSimulate:
        return
    listed = get(content, [step for step in steps if isinstance(step, str | int)])
    if path is None and isinstance(content, dict):
        lists = [one for one in content.values() if isinstance(one, list)]
        listed = lists[0] if len(lists) == 1 else content
    for row in listed if isinstance(listed, list) else [listed]:
        plain = plain_numbers(row)
        if isinstance(plain, dict):
            yield plain
