"""A clock that tests set, and an API in memory whose rows change as time goes by."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.project.connection import Connection
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import parse_connector
from connector_assets.sync import Synced
from tests.syncing import sync

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


class Now(Clock):
    """A clock that stands where it is put; waiting moves it."""

    def __init__(self, now: dt.datetime = START) -> None:
        self.now = now

    def time(self) -> float:
        return self.now.timestamp()

    def wait(self, seconds: float, cancel: Any) -> None:
        # At least a microsecond: a datetime knows no less, and a waiter that stands still never ends.
        self.now += dt.timedelta(microseconds=math.ceil(seconds * 1e6))


class Project:
    """One spec, one DuckDB file, and an API that `answer(path, query)` speaks for."""

    def __init__(self, folder: Any, text: str, answer: Callable[..., Any]) -> None:
        self.folder, self.answer, self.clock = folder, answer, Now()
        self.asked: list[dict[str, str]] = []
        self.destination = DuckDBDestination(folder / "data.duckdb")
        self.use(text)

    def use(self, text: str) -> None:
        """Go on with another spec."""
        self.spec = parse_connector(text)
        runtime = HttpRuntime(
            resolver=lambda _host: ["93.184.216.34"],
            transport=httpx.MockTransport(self._handle),
            clock=self.clock,
        )
        self.connection = Connection(self.spec.id, YamlConnector(self.spec, runtime), environ={})

    def load(self, stream: str, **given: Any) -> Synced:
        return sync(
            self.connection, stream, self.destination, staging=self.folder / "staging", **given
        )

    def table(self, sql: str) -> list[tuple[Any, ...]]:
        return list(self.destination.query(sql)[1])

    def cursor(self, stream: str) -> Mapping[str, Any] | None:
        from connector_assets.sync import table_of

        table = table_of(self.connection, self.connection.stream(stream))
        found: Mapping[str, Any] | None = self.destination.read_cursor(table)
        return found

    def _handle(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        body = json.loads(request.content) if request.content else None
        self.asked.append({"path": request.url.path, **query})
        answered = self.answer(request.url.path, query if body is None else {**query, "body": body})
        if isinstance(answered, httpx.Response):
            return answered
        status, content = answered if isinstance(answered, tuple) else (200, answered)
        return httpx.Response(status, json=content)
