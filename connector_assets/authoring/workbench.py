"""What is done with a connector while it is written: looked at, previewed, checked, planned.

A connector is one of the project by its id, or a document that is not written yet. Its values come
from the environment and from connections, as for a load: whoever asks names secrets, and sees none.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from connector_assets.authoring.answers import cut, fitting
from connector_assets.authoring.imports.source import Fetch, Source, fetched_by, open_source
from connector_assets.authoring.recording.recording_folder import folder_of, read_recording
from connector_assets.authoring.recording.replay import replayed
from connector_assets.authoring.simulator.report import Report
from connector_assets.authoring.simulator.trial import Look, tried
from connector_assets.authoring.simulator.wire import CannotSimulate
from connector_assets.authoring.specs_folder import MAX_LISTED, SpecsFolder
from connector_assets.errors import BlockedError, Cancelled, ConfigError, ConnectorError
from connector_assets.project.connection import Connection
from connector_assets.project.project import Project, discover
from connector_assets.project.settings import folders, private_hosts, setting
from connector_assets.project.spec_files import refuse_id_of_connection
from connector_assets.reading.connector import Batch, Check, ReadContext, lasting
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.reading.yielded import closing_if_closable
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.runtime.session import Observe
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.document import read_connector

PATIENCE_S = 60.0
"""How long a look at an API may take."""
LOOKS: tuple[Look, ...] = ("twice", "killed", "disturbed", "repeated")
_TRIES = 2
_REQUESTS = 20


@dataclass(frozen=True)
class Workbench:
    """One project, as an assistant works on it; `root` is the only folder it may read files of."""

    folder: SpecsFolder
    environ: Mapping[str, str] = field(repr=False)
    root: Path = field(default_factory=Path.cwd)

    @cached_property
    def runtime(self) -> HttpRuntime:
        """What sends all requests: the operator's guard and limits hold."""
        return self.observed(None)

    def observed(self, observe: Observe | None) -> HttpRuntime:
        """Such a runtime that tells `observe` each exchange."""
        return HttpRuntime(
            allow_private=private_hosts(self.environ),
            state=setting("STATE", self.environ),
            max_attempts=_TRIES,
            observe=observe,
        )

    def close(self) -> None:
        """Close what the runtime has open."""
        made = self.__dict__.get("runtime")
        if made:
            made.close()

    @property
    def fetch(self) -> Fetch:
        """The way to a document on the web."""
        return fetched_by(self.runtime)

    def chosen(self, connector: str = "", yaml: str = "") -> Connection:
        """The connection that an id or a document stands for; raises a ConnectorError."""
        if bool(connector.strip()) == bool(yaml.strip()):
            raise ConfigError("give one of both: the id of a connector, or yaml", where="id")
        return self._drafted(yaml) if yaml.strip() else self._known(connector.strip())

    def source(self, given: str) -> Source:
        """A document to import: its URL, its text, or the path of a file below the project."""
        if "\n" in given or given.lstrip()[:1] == "{" or given.lstrip().startswith("curl "):
            return Source("the text", given.encode("utf-8", "replace"))
        if given.lower().startswith(("http://", "https://")):
            return open_source(given, fetch=self.fetch)
        return open_source(str(self._below(given)))

    def preview(
        self, connection: Connection, stream: str = "", *, limit: int = 10, room: int = 8_000
    ) -> dict[str, Any]:
        """The first rows of a stream and the requests for them, secrets masked in both."""
        reading = self._opened(connection, stream)
        requests: list[str] = []
        reading = replace(reading, on_request=requests.append)
        told: dict[str, Any] = {"ok": True, "stream": reading.stream.name}
        rows: list[Any] = []
        more = False
        try:
            read = connection.connector.read(reading)
            with patient(reading), closing_if_closable(read):
                for batch in lasting(read):
                    rows += first_rows(batch, limit - len(rows))
                    more = len(rows) >= limit and not (batch.complete and batch.count <= limit)
                    if len(rows) >= limit:
                        break
        except ConnectorError as error:
            told |= {"ok": False, "errors": [reading.secrets.mask(str(error))]}
        shown, left = fitting((cut(reading.secrets.mask_data(row)) for row in rows), room)
        notes = [*reading.stats.notes, *reading.stats.lacks]
        return told | {
            "rows": shown,
            "more": more or bool(left) or reading.stats.truncated,
            "requests": [reading.secrets.mask(one) for one in requests[:_REQUESTS]],
            "notes": [reading.secrets.mask(one) for one in notes],
        }

    def check(self, connection: Connection, stream: str = "") -> dict[str, Any]:
        """Whether the connection works, and if not, which part of it."""
        try:
            reading = self._opened(connection, stream)
            with patient(reading):
                outcome = connection.connector.check(reading)
            message = reading.secrets.mask(outcome.message)
        except ConnectorError as error:
            outcome = Check.of(error)
            message = outcome.message
        names = ", ".join(connection.variable(name) for name in outcome.secrets)
        told = {"ok": outcome.ok, "message": f"{message} ({names})" if names else message}
        if not outcome.ok:
            told |= {"failed": outcome.failed, "errors": [told["message"]]}
        return told | {"reads": connection.reads(), "sendsTo": connection.sends_to()}

    def simulate(
        self,
        connector: str = "",
        yaml: str = "",
        *,
        streams: Sequence[str] = (),
        config: Mapping[str, str] | None = None,
        looks: Sequence[Look] = LOOKS,
    ) -> Report:
        """The connector run against a fake of its API; nothing is sent to the vendor."""
        if not yaml.strip():
            yaml = self.folder.text_of(self.chosen(connector).connector.id)
        data = dict(read_connector(yaml).yaml.data)
        try:
            return tried(data, tuple(streams), config=config, looks=looks)
        except CannotSimulate as error:
            raise ConfigError(f"cannot be simulated: {error}", where=str(data["id"])) from None

    def replay(self, connector: str = "", yaml: str = "", *, streams: Sequence[str] = ()) -> Report:
        """The connector, or a new text of it, beside what was recorded of it."""
        known = connector.strip() or read_connector(yaml).spec.id
        found = self._known(known)
        path = found.spec or found.source
        if path is None:
            raise ConfigError("is of no file, and has no recording", where=known)
        text = (yaml.strip() and yaml) or self.folder.text_of(found.connector.id)
        data = dict(read_connector(text).yaml.data)
        try:
            return replayed(data, read_recording(folder_of(path)), tuple(streams))
        except CannotSimulate as error:
            raise ConfigError(f"cannot be replayed: {error}", where=known) from None

    def plan(self, connection: Connection, stream: str = "", *, probe: bool = False) -> Any:
        """How many requests a load will send; nothing is sent unless `probe`."""
        from connector_assets.authoring.planned import Planning, plain_plans
        from connector_assets.load.urls import destination_from_url

        own = connection.document.destination if connection.document else None
        url = own or setting("DESTINATION", self.environ)
        planning = Planning(connection, destination_from_url(url))
        names = [stream] if stream else [one.name for one in connection.streams()]
        plans = [planning.plan(name, probe=probe) for name in names]
        return plain_plans(connection.id, plans)

    def _opened(self, connection: Connection, stream: str) -> ReadContext[Any]:
        streams = connection.streams()
        if not stream and not streams:
            raise connection.not_discovered()
        return connection.open(stream or streams[0].name, preview=True)

    def _drafted(self, yaml: str) -> Connection:
        spec = self.folder.tried(yaml)
        known = self.project().connection(spec.id)
        if known is not None and known.document and self._is_of(known, spec):
            return _redrafted(known, YamlConnector(spec, self.runtime))
        refuse_id_of_connection(read_connector(yaml), folders(self.environ)[1])
        return Connection(spec.id, YamlConnector(spec, self.runtime), environ=self.environ)

    def project(self) -> Project:
        """The connections that there are, and the files that cannot be used."""
        return discover(
            self.folder.path,
            folders(self.environ)[1],
            runtime=self.runtime,
            environ=self.environ,
            plugins=self.folder.registry.connectors(self.runtime),
        )

    def _is_of(self, connection: Connection, spec: ConnectorSpec) -> bool:
        """Whether a connection reads the spec of this id in the folder, and no other of that id."""
        file, folder = connection.spec, self.folder.path.resolve()
        return connection.connector.id == spec.id and bool(
            file and file.resolve().is_relative_to(folder)
        )

    def _known(self, connector: str) -> Connection:
        project = self.project()
        found = project.connection(connector)
        if found is not None:
            return found
        for broken in project.broken:
            if connector in (broken.id, broken.path.stem):
                raise broken.error
        known = ", ".join([one.id for one in project.connections][:MAX_LISTED]) or "none"
        raise ConfigError(f'"{connector[:80]}" is no connector', fix=f"known are: {known}")

    def _below(self, given: str) -> Path:
        """A file of the project: a model reads no other, and nothing hidden."""
        try:
            path = (self.root / given).resolve()
            inner = path.relative_to(self.root.resolve())
            hidden = any(part.startswith(".") for part in inner.parts)
            there = path.is_file()
        except (OSError, ValueError, RuntimeError):
            hidden, there = True, False
        if hidden or not there:
            what = "is no URL, no document and no file of this project"
            raise BlockedError(what, where="source", fix="give the text of the document instead")
        return path


def _redrafted(connection: Connection, connector: YamlConnector) -> Connection:
    """The connection with another text of its own connector, all streams of it.

    What it gives may go where its file's text sends it, and nowhere else; also where that text was
    written by whoever asks, since the connection was made by its operator.
    """
    extra = [one for one in connector.sends_to() if one not in connection.sends_to()]
    if extra:
        what = f"the values of the connection would go to {', '.join(extra)} too"
        raise BlockedError(what, where=connection.id, fix="save it first, if that is meant")
    document = connection.document
    assert document is not None
    said = document.streams if isinstance(document.streams, dict) else {}
    streams = {one.name: said.get(one.name) for one in connector.streams()}
    every = document.model_copy(update={"streams": streams if document.streams else None})
    return replace(connection, connector=connector, document=every)


@contextmanager
def patient(reading: ReadContext[Any]) -> Iterator[None]:
    """Ends the read where it takes longer than anyone waits."""
    timer = threading.Timer(PATIENCE_S, reading.cancel.set)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Cancelled:
        what = f"took longer than {PATIENCE_S:g} s, and was ended"
        raise ConfigError(what, where=reading.label, fix="look at fewer rows") from None
    finally:
        timer.cancel()


def first_rows(batch: Batch, limit: int) -> list[Any]:
    """The first rows of a batch as plain data."""
    lines = first_lines(batch, limit).split(b"\n")
    return [msgspec.json.decode(line) for line in lines if line]


def first_lines(batch: Batch, limit: int) -> bytes:
    """The first rows of a batch, a line of JSON each."""
    from connector_assets.load.staging.rows import encode

    rows = batch.rows
    if isinstance(rows, bytes):
        return b"\n".join(rows.split(b"\n", limit)[:limit])
    plain = rows if isinstance(rows, list | tuple) else rows.slice(0, limit).to_pylist()
    return encode(plain[:limit], len(plain[:limit]), where="preview").data
