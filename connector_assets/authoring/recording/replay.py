"""A spec read from its recording, and what is another than when it was recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from connector_assets.authoring.recording.clock_at import ClockAt
from connector_assets.authoring.recording.kept_requests import KeptRequest
from connector_assets.authoring.recording.recording_folder import RecordedStream, Recording
from connector_assets.authoring.recording.replayed_api import Replayed, nearest, replaying
from connector_assets.authoring.recording.sent_requests import kept_request
from connector_assets.authoring.simulator.report import Point, Report, Verdict
from connector_assets.authoring.simulator.rows import row_key
from connector_assets.authoring.simulator.wire import CannotSimulate
from connector_assets.errors import ConnectorError
from connector_assets.project.connection import Connection
from connector_assets.reading.connector import ReadContext, lasting
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.reading.yielded import closing_if_closable
from connector_assets.runtime.http.exchange import Answer
from connector_assets.runtime.http.request import Request
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import parse_connector
from connector_assets.spec.endpoint import Endpoint
from connector_assets.spec.stream.stream import Stream

_SHOWN = 5


@dataclass
class Told:
    """What a replay of one stream gave: rows as lines of JSON, and its requests.

    `new` were asked and are not recorded, `missing` are recorded and were not asked, each in words.
    """

    rows: Sequence[bytes] = ()
    new: Sequence[str] = ()
    missing: Sequence[str] = ()
    error: str = ""


def rows_of(data: Mapping[str, Any], recording: Recording, name: str) -> Told:
    """Read a stream from its own recorded answers; `data` is the spec, as plain data."""
    recorded = recording.streams[name]
    with replaying(data, recording, [name]) as served:
        read = _Read(served, recorded)
        with HttpRuntime(
            allow_private=served.allowed, clock=ClockAt(recording.at), observe=read.observe
        ) as runtime:
            rows, error = read.rows(name, runtime)
        kept = served.api.requests
    new = [f"{one.shown} is not recorded{nearest(one, kept)}" for one in _without(read.asked, kept)]
    missing = [f"{one.shown} was not asked" for one in _never_asked(kept, read.asked)]
    return Told(rows, new, missing, error)


@dataclass
class _Read:
    served: Replayed
    recorded: RecordedStream
    asked: list[KeptRequest] = field(default_factory=list)
    reading: ReadContext[Any] | None = None

    def observe(self, endpoint: Endpoint, request: Request, answer: Answer) -> None:
        del answer
        assert self.reading is not None
        made = kept_request(endpoint, request, self.reading.secrets.mask)
        made = replace(made, url=self.served.as_recorded(made.url))
        if made not in self.asked:
            self.asked.append(made)

    def rows(self, name: str, runtime: HttpRuntime) -> tuple[list[bytes], str]:
        connector = YamlConnector(self.served.spec, runtime)
        connection = Connection(self.served.spec.id, connector, environ={})
        rows: list[bytes] = []
        try:
            opened = connection.open(
                name,
                config={**self.served.config, **self.recorded.vars},
                secrets=self.served.secrets,
                auth=self.served.auth,
                preview=True,
            )
            kept, pages = self.recorded, 0
            self.reading = replace(opened, max_pages=kept.most, vars=kept.vars)
            read = connector.read(self.reading)
            with closing_if_closable(read):
                for batch in lasting(read):
                    pages += not batch.partial
                    rows += self._lines(batch.rows)
                    if kept.stopped and pages >= kept.pages and not batch.partial:
                        break
        except ConnectorError as error:
            return rows, self.served.as_recorded(str(error))
        return rows, ""

    def _lines(self, rows: bytes) -> Iterator[bytes]:
        text = self.served.as_recorded(rows.decode("utf-8"))
        yield from (line.encode() for line in text.split("\n") if line)


def _without(asked: Sequence[KeptRequest], kept: Sequence[KeptRequest]) -> list[KeptRequest]:
    return [one for one in asked if all(other.differences(one) for other in kept)]


def _never_asked(kept: Sequence[KeptRequest], asked: Sequence[KeptRequest]) -> list[KeptRequest]:
    return [one for one in kept if all(one.differences(other) for other in asked)]


def replayed(data: Mapping[str, Any], recording: Recording, streams: Sequence[str] = ()) -> Report:
    """Read every recorded stream of a spec, as plain data, and compare rows and requests.

    CannotSimulate says what of the spec has no meaning on loopback.
    """
    unknown = [name for name in streams if name not in recording.streams]
    if unknown:
        known = ", ".join(recording.streams)
        raise CannotSimulate(f'"{unknown[0]}" is not recorded; use some of {known}')
    spec = parse_connector(json.dumps(data, ensure_ascii=False))
    models = {one.name: one for one in spec.streams}
    points: list[Point] = []
    for name in streams or recording.streams:
        if name in models:
            told = rows_of(data, recording, name)
            points += _compared(models[name], told, recording.streams[name].rows)
        else:
            points.append(Point("recorded rows", name, "failed", "the spec has no such stream"))
    return Report(spec.id, points)


def _compared(stream: Stream, told: Told, recorded: Sequence[bytes]) -> Iterator[Point]:
    yield _point("recorded requests", stream.name, told.new, told.missing)
    if told.error:
        yield Point("recorded rows", stream.name, "failed", told.error)
    else:
        yield _rows_point(stream, recorded, told.rows)
        yield from _key_point(stream, told.rows)


def _key_point(stream: Stream, lines: Sequence[bytes]) -> Iterator[Point]:
    """Whether every row has the primary key, as a load needs it, and a key of its own."""
    if not stream.primary_key:
        return
    keys = [list(row_key(msgspec.json.decode(line), stream.primary_key)) for line in lines]
    named = ", ".join(stream.primary_key)
    without = sum(any(part is None for part in key) for key in keys)
    twice = len(keys) - len({json.dumps(key, default=str) for key in keys})
    if without:
        message = f"{without} of {len(keys)} rows have no {named}"
        yield Point("primary key", stream.name, "failed", message)
    elif twice:
        message = f"{twice} of {len(keys)} rows have a {named} that came before: is it the key?"
        yield Point("primary key", stream.name, "not judged", message)


def _point(what: str, name: str, *found: Sequence[str]) -> Point:
    said = [one for listed in found for one in listed]
    more = f"; and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
    verdict: Verdict = "failed" if said else "held"
    return Point(what, name, verdict, "; ".join(said[:_SHOWN]) + more)


def _rows_point(stream: Stream, before: Sequence[bytes], after: Sequence[bytes]) -> Point:
    """Whether the rows are the same; if not, which are new, missing or changed, and in what."""
    if list(before) == list(after):
        return _point("recorded rows", stream.name, [])
    old, new = (_by_key(stream, lines) for lines in (before, after))
    missing = [f"row {_named(key)} is missing" for key in old if key not in new]
    further = [f"row {_named(key)} is new" for key in new if key not in old]
    changed = [
        f"row {_named(key)} changed: {_changes(old[key], new[key])}"
        for key in old
        if key in new and old[key] != new[key]
    ]
    found = [*changed, *missing, *further]
    if not found and len(before) == len(after):
        found = ["the rows come in another order, or are written in another way"]
    elif not found:
        found = [f"{len(after)} rows instead of {len(before)}: some come more than once"]
    return _point("recorded rows", stream.name, found)


def _by_key(stream: Stream, lines: Sequence[bytes]) -> dict[str, Any]:
    """The rows by their primary key; without one by their number."""
    found: dict[str, Any] = {}
    for number, line in enumerate(lines):
        row = msgspec.json.decode(line)
        key = list(row_key(row, stream.primary_key)) if stream.primary_key else [number]
        found[json.dumps(key, default=str)] = row
    return found


def _named(key: str) -> str:
    return ", ".join(map(str, json.loads(key)))[:80]


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """The fields that are others, by name: what they hold is in the files."""
    gone = [f"no {name}" for name in before if name not in after]
    more = [f"also {name}" for name in after if name not in before]
    other = [name for name in before if name in after and before[name] != after[name]]
    return ", ".join([*gone, *more, *(f"another {name}" for name in other)][:_SHOWN])
