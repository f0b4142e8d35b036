"""Reads that are open while somebody looks: page after page, each with its requests and its answer.

A read goes on where it stands when the next page is asked for, so no page is asked for twice. All
that is told is masked, and bounded.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

from connector_assets.authoring.answers import cut, fitting, refused
from connector_assets.authoring.simulator.simulated import simulated
from connector_assets.authoring.simulator.wire import CannotSimulate
from connector_assets.authoring.workbench import Workbench, first_lines, first_rows, patient
from connector_assets.errors import ConfigError, ConnectorError
from connector_assets.legible import legible, message
from connector_assets.load.columns.plan import NO_COLUMN, plan
from connector_assets.load.columns.profile import Profiler
from connector_assets.load.kinds import EXACT_IN_DOUBLE
from connector_assets.project.connection import Connection
from connector_assets.reading.connector import Batch, ReadContext, lasting
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.reading.yielded import closing_if_closable
from connector_assets.runtime.http.exchange import Answer
from connector_assets.runtime.http.request import Request
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import read_connector
from connector_assets.spec.endpoint import Endpoint
from connector_assets.sync import table_of

MOST_OPEN = 8
"""Reads that are open at once; one more ends the one that was longest without being asked."""
MOST_PAGES = 1_000
MOST_ROWS = 200
"""Rows of a page that are shown."""
_ROOM = 400_000
_MOST_REQUESTS = 50
_MOST_ANSWERS = 5
_ANSWER, _LOOKED_AT = 20_000, 200_000


@dataclass(frozen=True)
class Previews:
    """The reads that are open, by a name that only their opener knows."""

    bench: Workbench
    _open: OrderedDict[str, Preview] = field(default_factory=OrderedDict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def begin(
        self, connector: str = "", yaml: str = "", stream: str = "", *, auth: int | None = None
    ) -> dict[str, Any]:
        """Open a read of the real API, and give its first page."""
        chosen = self.bench.chosen(connector, yaml)
        return self._begun(_Real(self.bench, chosen, auth).opened, stream)

    def simulate(
        self,
        yaml: str,
        stream: str = "",
        *,
        faults: Sequence[str] = (),
        config: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Open a read of a fake of the API that the document describes, with faults on its way."""
        data = dict(read_connector(yaml).yaml.data)
        return self._begun(_Fake(data, tuple(faults), dict(config or {})).opened, stream)

    def next(self, name: str) -> dict[str, Any]:
        """The next page of an open read."""
        with self._lock:
            found = self._open.get(name)
            if found is None:
                raise ConfigError("this read is not open any more", fix="begin it again")
            self._open.move_to_end(name)
        return self._told(name, found)

    def end(self, name: str) -> dict[str, Any]:
        """Close a read; one that is not there is no error."""
        with self._lock:
            found = self._open.pop(name, None)
        if found is not None:
            found.close()
        return {"ok": True}

    def close(self) -> None:
        """Close all of them."""
        for name in list(self._open):
            self.end(name)

    def _begun(self, opens: Opens, stream: str) -> dict[str, Any]:
        preview = Preview.of(opens, stream)
        name = secrets.token_urlsafe(12)
        with self._lock:
            self._open[name] = preview
            odd = [self._open.popitem(last=False)[1] for _ in range(len(self._open) - MOST_OPEN)]
        for one in odd:
            one.close()
        return self._told(name, preview)

    def _told(self, name: str, preview: Preview) -> dict[str, Any]:
        told = preview.next()
        if told["done"]:
            self.end(name)
        return {"preview": name, **told}


@dataclass
class _Seen:
    """What was asked and answered since somebody looked."""

    requests: list[str] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    mask: Callable[[str], str] = str

    def observe(self, endpoint: Endpoint, request: Request, answer: Answer) -> None:
        """Keep the beginning of an answer."""
        if len(self.answers) < _MOST_ANSWERS:
            # Masked before it is cut: half a secret would not be found.
            text = answer.body[:_LOOKED_AT].decode("utf-8", "replace")
            whole = max(len(answer.body), answer.wire_bytes if answer.file else 0)
            self.answers.append(
                {
                    "request": message(self.mask(request.label)),
                    "endpoint": endpoint.id,
                    "status": answer.status,
                    "type": legible(answer.headers.get("content-type", "")[:100]),
                    "bytes": whole,
                    "text": legible(self.mask(text)[:_ANSWER]),
                    "isCut": whole > _ANSWER,
                }
            )

    def taken(self) -> dict[str, Any]:
        """All that is kept, which then begins anew."""
        requests, answers = self.requests[:], self.answers[:]
        left = max(len(requests) - _MOST_REQUESTS, 0)
        self.requests.clear()
        self.answers.clear()
        shown = [message(self.mask(one)) for one in requests[:_MOST_REQUESTS]]
        return {"requests": shown, "requestsLeft": left, "answers": answers}


Opened = tuple[Connection, ReadContext[Any], Sequence[str]]
"""A stream ready to be read, and the faults that a fake of its API has fired."""
Opens = Callable[[str, _Seen, ExitStack], Opened]


@dataclass
class Preview:
    """One read that is open."""

    connection: Connection
    reading: ReadContext[Any]
    fired: Sequence[str]
    seen: _Seen
    stack: ExitStack
    batches: Iterator[Batch]
    pages: int = 0
    rows: int = 0
    done: bool = False
    profiler: Profiler = field(default_factory=lambda: Profiler(where="preview"))
    _lock: Lock = field(default_factory=Lock, repr=False)

    @classmethod
    def of(cls, opens: Opens, stream: str) -> Preview:
        """Opened, and nothing asked yet; raises a ConnectorError where that cannot be."""
        seen, stack = _Seen(), ExitStack()
        try:
            connection, reading, fired = opens(stream, seen, stack)
            seen.mask = reading.secrets.mask
            reading = replace(reading, on_request=seen.requests.append)
            read = connection.connector.read(reading)
            stack.enter_context(closing_if_closable(read))
        except BaseException:
            stack.close()
            raise
        return cls(connection, reading, fired, seen, stack, iter(lasting(read)))

    def next(self) -> dict[str, Any]:
        """The next page; of a read that fails, how far it came and why."""
        with self._lock:
            page: list[Any] = []
            told: dict[str, Any] = {"ok": True}
            try:
                with patient(self.reading):
                    page = self._page()
            except ConnectorError as error:
                self.done = True
                told = refused(error.masked(self.reading.secrets.mask))
            return {**told, **self._state(page)}

    def close(self) -> None:
        """End the read, also one that is under way."""
        self.reading.cancel.set()
        with self._lock:
            self.done = True
            self.stack.close()

    def _page(self) -> list[Any]:
        rows: list[Any] = []
        for batch in self.batches:
            rows += first_rows(batch, MOST_ROWS - len(rows))
            self.rows += batch.count
            if batch.count:
                self.profiler.add(first_lines(batch, batch.count))
            if not batch.partial:
                self.pages += 1
                self.done = batch.complete or self.pages >= MOST_PAGES
                return rows
        self.done = True
        return rows

    def _state(self, page: list[Any]) -> dict[str, Any]:
        secrets = self.reading.secrets
        shown, _ = fitting((_shown(cut(secrets.mask_data(row))) for row in page), _ROOM)
        notes = [*self.reading.stats.notes, *self.reading.stats.lacks]
        return {
            "stream": self.reading.stream.name,
            "page": self.pages,
            "rows": shown,
            "rowsSoFar": self.rows,
            "columns": self._columns(),
            "done": self.done,
            "isWhole": self.done and self.pages < MOST_PAGES,
            "notes": [message(secrets.mask(one)) for one in notes],
            "faults": list(self.fired),
            **self.seen.taken(),
        }

    def _columns(self) -> list[dict[str, str]]:
        """The columns that a load of these rows would make."""
        table = table_of(self.connection, self.reading.stream)
        try:
            planned = plan(table, (), self.profiler.found, str)
        except ConnectorError:
            return []
        keys = set(table.primary_key)
        return [
            {
                "name": legible(one.column.name),
                "type": one.column.type,
                "isKey": "key" if one.column.key in keys else "",
            }
            for one in planned
            if one.column.key != NO_COLUMN
        ]


@dataclass(frozen=True)
class _Real:
    bench: Workbench
    connection: Connection
    auth: int | None

    def opened(self, stream: str, seen: _Seen, stack: ExitStack) -> Opened:
        runtime = stack.enter_context(self.bench.observed(seen.observe))
        connection = self.connection.with_runtime(runtime)
        streams = connection.streams()
        if not stream and not streams:
            raise connection.not_discovered()
        reading = connection.open(stream or streams[0].name, preview=True, auth=self.auth)
        return connection, reading, ()


@dataclass(frozen=True)
class _Fake:
    data: dict[str, Any]
    faults: tuple[str, ...]
    config: dict[str, str]

    def opened(self, stream: str, seen: _Seen, stack: ExitStack) -> Opened:
        try:
            fake = stack.enter_context(simulated(self.data, config=self.config))
            for one in self.faults:
                fake.api.faults.plan(one)
        except CannotSimulate as error:
            what = f"cannot be simulated: {error}"
            raise ConfigError(what, where=str(self.data["id"])) from None
        except ValueError as error:
            raise ConfigError(str(error), where="faults") from None
        runtime = stack.enter_context(HttpRuntime(fake.allowed, observe=seen.observe))
        connection = Connection(fake.spec.id, YamlConnector(fake.spec, runtime), environ={})
        reading = connection.open(
            stream or fake.spec.streams[0].name,
            config=fake.config,
            secrets=fake.secrets,
            auth=fake.auth,
            preview=True,
        )
        return connection, reading, fake.api.faults.fired


def _shown(row: Any) -> Any:
    """A row for a browser: texts that nothing obeys, and numbers it would round as texts."""
    if isinstance(row, dict):
        return {legible(str(key)): _shown(one) for key, one in row.items()}
    if isinstance(row, list):
        return [_shown(one) for one in row]
    if isinstance(row, int) and abs(row) > EXACT_IN_DOUBLE:
        return str(row)
    return legible(row) if isinstance(row, str) else row
