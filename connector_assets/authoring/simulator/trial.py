"""A spec tried against its own simulated API, by the command that users load with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from connector_assets.authoring.simulator.api import Served
from connector_assets.authoring.simulator.report import Point, Report, Verdict
from connector_assets.authoring.simulator.simulated import ServedSpec, Simulated, simulated
from connector_assets.authoring.simulator.tables import Compared, compared
from connector_assets.authoring.simulator.wire import CannotSimulate
from connector_assets.spec.endpoint import RateLimit
from connector_assets.spec.request.counted import OffsetPagination, PagePagination
from connector_assets.spec.request.followed import CursorPagination
from connector_assets.spec.request.pagination import NonePagination
from connector_assets.spec.stream.stream import Stream

_PATIENCE_S = 300
Look = Literal["twice", "killed", "disturbed", "repeated"]
# Arrivals are counted on the server: what was sent in time may come together.
_JITTER = 3


def tried(
    data: Mapping[str, Any],
    streams: Sequence[str] = (),
    *,
    config: Mapping[str, str] | None = None,
    auth: int = 0,
    looks: Sequence[Look] = ("twice", "killed", "disturbed", "repeated"),
    samples: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> Report:
    """Try a valid connector, as plain data, against its simulated API.

    `looks` are what is tried: two loads after each other, one that is killed and run again, one
    with faults on its way, and a list that goes in circles; each begins with an empty database.
    `samples` are rows as the vendor sends them. CannotSimulate says what of the spec has no
    meaning there.
    """
    points: list[Point] = []
    with tempfile.TemporaryDirectory(prefix="connector-assets-test-") as folder:
        for name in looks:
            with simulated(data, config=config, auth=auth, samples=samples) as fake:
                trial = _Trial(fake, Path(tempfile.mkdtemp(dir=folder)), tuple(streams))
                points += _LOOKS[name](trial)
    return Report(str(data.get("id", "")), points)


@dataclass
class _Load:
    """One run of the command: its exit status, what it said of each stream, and its errors."""

    status: int
    said: dict[str, Mapping[str, Any]]
    errors: str


@dataclass
class _Trial:
    fake: Simulated
    folder: Path
    chosen: tuple[str, ...]
    streams: list[Stream] = field(default_factory=list)

    def __post_init__(self) -> None:
        known = [one.name for one in self.fake.spec.streams]
        unknown = [name for name in self.chosen if name not in known]
        if unknown:
            raise CannotSimulate(f'"{unknown[0]}" is not a stream; use some of {", ".join(known)}')
        self.streams = [
            one for one in self.fake.spec.streams if not self.chosen or one.name in self.chosen
        ]
        write_files(self.fake, self.folder)

    @property
    def database(self) -> Path:
        return self.folder / "data.duckdb"

    def load(self, stop: Callable[[Served], bool] | None = None) -> _Load:
        """Run the command; `stop` says at which answer it is killed."""
        command = [
            *(sys.executable, "-m", "connector_assets.cli", "load", str(self.folder / "spec.yaml")),
            *(one.name for one in self.streams),
            *("--json", "--to", f"duckdb:///{self.database}"),
            *arguments(self.fake, self.folder),
        ]
        kept = {name: value for name, value in os.environ.items() if name in _KEPT}
        own = {"HOME": str(self.folder), "TMPDIR": str(self.folder), **kept}
        process = subprocess.Popen(  # noqa: S603 - our own command, no shell
            command,
            cwd=self.folder,
            env=own,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.fake.api.watch = _killer(process, stop) if stop else None
        try:
            out, errors = process.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            out, errors = process.communicate()
            errors += f"the load did not end in {_PATIENCE_S} s"
        finally:
            self.fake.api.watch = None
        return _Load(process.returncode, _said(out), errors)

    def compared(self, stream: Stream) -> Compared:
        return compared(self.database, self.fake.spec.id, self.fake.api, stream)

    def judged(self, name: str, load: _Load) -> Iterator[Point]:
        """A point for each stream: whether its table holds what the server has."""
        for stream in self.streams:
            said = load.said.get(stream.name, {})
            found = self.compared(stream) if said.get("ok") else Compared(_why(load, stream, said))
            if not found.problem and said.get("complete") is False:
                found = Compared("the load says that the list is not complete")
            verdict: Verdict = "held"
            if found.problem:
                verdict = "failed" if found.is_sure else "not judged"
            yield Point(name, stream.name, verdict, found.problem)


_KEPT = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LANG", "LC_ALL", "SYSTEMROOT")


def write_files(fake: ServedSpec, folder: Path) -> None:
    """Write the pointed spec, and the made-up secrets in a file that is its owner's alone."""
    (folder / "spec.yaml").write_text(fake.text, encoding="utf-8")
    secrets = folder / "secrets.json"
    with os.fdopen(os.open(secrets, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(dict(fake.secrets), file)


def arguments(fake: ServedSpec, folder: Path) -> list[str]:
    """The options of a command that reads the simulated API."""
    given = [*(("--allow-private", one) for one in fake.allowed)]
    given += [("--config", f"{name}={value}") for name, value in fake.config.items()]
    if fake.secrets:
        given.append(("--secrets-file", str(folder / "secrets.json")))
    if fake.auth is not None:
        given.append(("--auth", str(fake.auth)))
    return [text for pair in given for text in pair]


def _killer(
    process: subprocess.Popen[str], stop: Callable[[Served], bool]
) -> Callable[[Served], None]:
    def watch(served: Served) -> None:
        if stop(served):
            with suppress(ProcessLookupError):
                process.kill()

    return watch


def _said(out: str) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for line in out.splitlines():
        with suppress(ValueError):
            one = json.loads(line)
            found[one["stream"]] = one
    return found


def _why(load: _Load, stream: Stream, said: Mapping[str, Any]) -> str:
    """What the command said of a stream that failed, in one line."""
    told = said.get("error") or next(
        (line for line in load.errors.splitlines() if stream.name in line), load.errors.strip()
    )
    return " ".join(str(told).split())[:300] or f"the load ended with status {load.status}"


def _first_and_second(trial: _Trial) -> Iterator[Point]:
    """All rows arrive; parents come first; the limit is kept; a second load reads what is new."""
    first = trial.load()
    yield from trial.judged("complete", first)
    yield from _ordered(trial)
    yield from _limited(trial)
    api = trial.fake.api
    before = _served(api.log)
    mark, known = len(api.log), _rows_there(trial)
    api.grow()
    new = {name: count - known[name] for name, count in _rows_there(trial).items()}
    second = trial.load()
    after = _served(api.log[mark:])
    for point in trial.judged("second load", second):
        stream = trial.fake.spec.stream(point.stream)
        old = after.get(stream.name, 0) - new.get(stream.name, 0)
        yield _only_new(point, stream, old, before.get(stream.name, 0))


def _rows_there(trial: _Trial) -> dict[str, int]:
    """How many rows the server has of each stream."""
    return {one.name: len(trial.fake.api.truth(one.name)) for one in trial.streams}


def _only_new(point: Point, stream: Stream, again: int, before: int) -> Point:
    """The point of a second load, which is no good either if it reads all rows once more."""
    incremental = stream.incremental
    if stream.mode == "append" and incremental is None:
        return Point(point.name, point.stream, "not judged", "every load appends all rows")
    fine = incremental is None or incremental.client_filter or again < max(before, 1)
    if fine or point.verdict != "held":
        return point
    return Point(
        point.name, point.stream, "failed", f"it read {again} rows again, not only new ones"
    )


def _served(log: Sequence[Served]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in log:
        found[one.stream] = found.get(one.stream, 0) + one.rows
    return found


def _ordered(trial: _Trial) -> Iterator[Point]:
    for stream in trial.streams:
        yield from parents_first(stream, trial.fake.api.log)


def parents_first(stream: Stream, log: Sequence[Served]) -> Iterator[Point]:
    """A point for each parent: whether its last page was asked for before the stream's first."""
    own = [n for n, one in enumerate(log) if one.stream == stream.name]
    for parent in stream.parents:
        above = [n for n, one in enumerate(log) if one.stream == parent]
        late = own and above and min(own) < max(above) and parent != stream.name
        message = f"it was read before {parent}, whose rows it needs" if late else ""
        yield Point("parents first", stream.name, "failed" if late else "held", message)


def _limited(trial: _Trial) -> Iterator[Point]:
    """The limit of the whole API, and that of each endpoint that has one of its own."""
    spec, log = trial.fake.spec, trial.fake.api.log
    yield from requests_within("", spec.rate_limit, log)
    for endpoint in {
        spec.endpoint_of(one).id: spec.endpoint_of(one) for one in trial.streams
    }.values():
        names = {one.name for one in spec.streams if spec.endpoint_of(one).id == endpoint.id}
        own = [one for one in log if one.stream in names]
        yield from requests_within(min(names), endpoint.rate_limit, own)


def requests_within(name: str, limit: RateLimit | None, log: Sequence[Served]) -> Iterator[Point]:
    """A point for a limit: whether no time had more requests than it allows."""
    if limit is None or limit.requests_per_second is None:
        return
    times = sorted(one.asked.at_s for one in log)
    worst = 0.0
    for start in range(len(times)):
        for end in range(start + 1, len(times)):
            allowed = limit.burst_size + limit.requests_per_second * (times[end] - times[start])
            worst = max(worst, end - start + 1 - allowed)
    message = f"{worst:.0f} requests more than the limit allows" if worst > _JITTER else ""
    yield Point("limit kept", name, "failed" if message else "held", message)


def _killed(trial: _Trial) -> Iterator[Point]:
    """A load that is killed in the middle, and run again."""
    api = trial.fake.api
    lists = len(trial.streams)
    first = trial.load(lambda _: sum(1 for one in api.log if one.rows) > lists)
    if first.status == 0:
        yield Point("killed and resumed", "", "not judged", "the load ended before it was killed")
        return
    yield from trial.judged("killed and resumed", trial.load())


def _disturbed(trial: _Trial) -> Iterator[Point]:
    """A load with a refusal, a failure, a cut answer and a revoked token on its way."""
    api = trial.fake.api
    renewable = any(door.gives_tokens for door in api.doors.values())
    for fault in ("429@1", "500@2", "cut@3", *(["expired@4"] if renewable else [])):
        api.faults.plan(fault)
    load = trial.load()
    fired = ", ".join(api.faults.fired)
    yield from trial.judged(f"faults survived ({fired})", load)
    if renewable:
        renewed = max(door.renewed for door in api.doors.values())
        enough = renewed > 1 or "expired" not in api.faults.fired
        message = "" if enough else "no new token was asked for after the old one was refused"
        yield Point("token renewed", "", "held" if enough else "failed", message)


def _repeated(trial: _Trial) -> Iterator[Point]:
    """A server that gives the same cursor again: an error, never an endless or a short list."""
    kinds = (NonePagination, OffsetPagination, PagePagination)
    endpoints = trial.fake.spec.endpoint_of
    streams = [
        one
        for one in trial.streams
        if not one.for_each and not isinstance(endpoints(one).pagination, kinds)
    ]
    # Each window is a list of its own, and the fault would meet its first page.
    told = [
        one
        for one in streams
        if not _by_row(endpoints(one).pagination)
        and not (one.incremental and one.incremental.window)
    ]
    if not told:
        return
    trial.streams = told[:1]
    trial.fake.api.faults.plan("repeat@2")
    load = trial.load()
    name = told[0].name
    if not trial.fake.api.faults.fired:
        yield Point("circles are errors", name, "not judged", "the list ended before it went round")
    elif load.status != 0:
        yield Point("circles are errors", name, "held", "")
    else:
        message = "the load says that all is well, though the list went round"
        yield Point("circles are errors", name, "failed", message)


def _by_row(pagination: Any) -> bool:
    return isinstance(pagination, CursorPagination) and pagination.last_record_field is not None


_LOOKS: Mapping[Look, Callable[[_Trial], Iterator[Point]]] = {
    "twice": _first_and_second,
    "killed": _killed,
    "disturbed": _disturbed,
    "repeated": _repeated,
}
