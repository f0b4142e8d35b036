"""One step: a stream synced under Dagster's eyes.

The work runs in a thread of its own and the main thread watches it. So signs of life go out while
a server is silent, and a run that is terminated stops at once: Dagster interrupts the main thread
only, by an exception that is no `Exception`.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import dagster as dg

from connector_assets.assets import history
from connector_assets.assets.changes import source_state
from connector_assets.assets.checks import (
    Before,
    Look,
    completeness,
    incomplete,
    look,
    verdicts,
)
from connector_assets.assets.dynamic import register
from connector_assets.assets.lineage import Lineage
from connector_assets.assets.machines import unshared_in
from connector_assets.assets.outcome import LoadedPart, failure, loaded_before, result, sample
from connector_assets.assets.progress import Progress
from connector_assets.assets.resources import DestinationResource, HttpRuntimeResource
from connector_assets.errors import ConnectorError, LoadError
from connector_assets.load.destination import Destination
from connector_assets.project.connection import Connection
from connector_assets.project.partitioned import Indexed
from connector_assets.runtime.walk.slices import ParentRows
from connector_assets.spec.stream.stream import Stream
from connector_assets.sync import Run, Synced, parent_rows, sync, table_of

Event = (
    dg.MaterializeResult[None] | dg.AssetMaterialization | dg.AssetCheckResult | dg.AssetObservation
)
Done = TypeVar("Done")
_TICK_S = 1.0
_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What the config of a run asks of one materialization."""

    full: bool = False
    limit: int | None = None
    start: str | None = None
    window: tuple[str, str] | None = None

    @classmethod
    def of(cls, config: Mapping[str, Any] | None) -> Asked:
        """What an op's config says; None where a run says nothing."""
        given = config or {}
        window = given.get("window")
        return cls(
            given.get("full", False),
            given.get("limit"),
            given.get("start"),
            (window["start"], window["end"]) if window else None,
        )


@dataclass(frozen=True)
class AssetStep:
    """What a step works with: its stream, and where its rows come from and go."""

    context: dg.AssetExecutionContext
    key: dg.AssetKey
    connection: Connection
    stream: Stream
    http: HttpRuntimeResource
    destination: DestinationResource
    lineage: Lineage
    asked: Asked

    @cached_property
    def cancel(self) -> threading.Event:
        return threading.Event()

    @cached_property
    def progress(self) -> Progress:
        return Progress(self.context, self.key)

    @cached_property
    def loads(self) -> bool:
        """Whether the run asks for the asset, and not for its checks alone."""
        return self.key in self.context.selected_asset_keys

    @cached_property
    def checks(self) -> Sequence[str]:
        """The names of the checks that the run asks for."""
        chosen = {
            one.name for one in self.context.selected_asset_check_keys if one.asset_key == self.key
        }
        return [name for name in self.stream.checks.names if name in chosen]

    def look(self, store: Destination, synced: Synced | None = None) -> Look:
        """Ask the table what the checks want to know; alone, of the last load."""
        names = [name for name in self.checks if name != "complete"]
        compares = {"rows_change", "same_columns"} & {*names}
        back = 0 if synced else 1
        past = history.before(self.context.instance, self.key, back) if compares else Before()
        table = table_of(self.connection, self.stream)
        seen = look(store, table, self.stream, before=past, names=names, synced=synced)
        seen.age_s = 0.0 if synced else self._age_s() if "fresh" in names else None
        return seen

    def _age_s(self) -> float | None:
        loaded = history.loaded_at(self.context.instance, self.key)
        return None if loaded is None else self.progress.clock.time() - loaded

    @property
    def partitions(self) -> Sequence[str | None]:
        """The partitions to load, one after the other; without partitions only None."""
        context = self.context
        # A run has partitions also where others of its assets have them, and this one has not.
        is_parted = self.connection.partitions(self.stream.name) is not None
        given = is_parted and (context.has_partition_key or context.has_partition_key_range)
        return list(context.partition_keys) if given else [None]

    def sync(
        self, partition: str | None, store: Destination, parents: ParentRows | None = None
    ) -> LoadedPart:
        """Load one partition, or all there is; `parents` is what several of them share."""
        progress, began = self.progress, self.progress.elapsed_s
        before = store.describe(table_of(self.connection, self.stream))
        with self.http.runtime() as runtime:
            connection = self.connection.with_runtime(runtime)
            state = source_state(connection, self.stream, self.cancel)
            synced = sync(
                connection,
                self.stream.name,
                store,
                Run(
                    staging=self.destination.staging,
                    partition=partition,
                    full=self.asked.full,
                    limit=self.asked.limit,
                    start=self.asked.start,
                    window=self.asked.window,
                    on_progress=progress.update,
                    fence=fence(self.context, "/".join(self.key.path), self.cancel),
                    id=self.context.run.run_id,
                    parents=parents,
                ),
                cancel=self.cancel,
            )
        seconds = progress.elapsed_s - began
        return LoadedPart(synced, seconds, self.stream, self.lineage, before, source_state=state)

    def sampled(self, part: LoadedPart, store: Destination) -> LoadedPart:
        """With rows as an example of what the table holds."""
        most = self.connection.asset_settings(self.stream.name).sample_rows
        secrets = self.connection.open(self.stream, partial=True).secrets
        return replace(part, sample=sample(store, part, most, secrets.mask))

    def registered(self, part: LoadedPart, store: Destination) -> LoadedPart:
        """With how many partitions of children its rows became."""
        secrets = self.connection.open(self.stream, partial=True).secrets
        told = register(
            self.context.instance,
            self.connection,
            self.stream,
            store,
            whole=part.synced.complete,
            is_secret=secrets.holds,
        )
        return replace(part, registered=told)


def materialize(step: AssetStep) -> Iterator[Event]:
    """Sync the stream and yield what came of it; raises dg.Failure or dg.RetryRequested."""
    problem = yield from attempt(step)
    if problem:
        # Outside of `except`, so that Dagster shows one line and not the chain that led to it.
        raise failure(problem)


def attempt(step: AssetStep) -> Generator[Event, None, ConnectorError | None]:
    """Sync the stream, yield what came of it, and return the error that ended it, if one did."""
    parts: list[LoadedPart] = []
    partitions = step.partitions

    def work() -> Look:
        store = step.destination.open()
        parents = Indexed(parent_rows(step.connection, store)) if len(partitions) > 1 else None
        for partition in partitions:
            parts.append(step.sync(partition, store, parents))  # noqa: PERF401 - those before a failing one stay
        parts[-1] = step.sampled(parts[-1], store)
        parts[-1] = step.registered(parts[-1], store)
        return step.look(store, parts[-1].synced)

    stores = (step.destination.url, step.destination.staging)
    for lack in unshared_in(step.context, step.http.shared_in, *stores):
        step.context.log.warning(lack)
    progress = step.progress
    try:
        seen = yield from watched(work, step.cancel, progress.tick)
    except ConnectorError as error:
        progress.tell_notes()
        progress.tell_lines()
        yield from loaded_before(step.key, parts)
        yield from incomplete(step.key, error)
        return error
    progress.done(parts[-1].synced.loaded.rows)
    judged = [
        *(
            [completeness(step.key, [part.synced for part in parts])]
            if "complete" in step.checks
            else ()
        ),
        *verdicts(step.key, step.stream, seen, step.checks),
    ]
    yield result(step.context, step.key, parts, judged)
    return None


def check(step: AssetStep) -> Iterator[Event]:
    """Judge the table as it is, without loading; raises dg.Failure where it cannot be asked."""
    try:
        seen = yield from watched(
            lambda: step.look(step.destination.open()), step.cancel, lambda: iter(())
        )
    except ConnectorError as error:
        raise failure(error) from None
    if "complete" in step.checks:
        told = history.last(step.context.instance, step.key)
        yield dg.AssetCheckResult(
            asset_key=step.key,
            check_name="complete",
            passed=told.get("complete") is True,
            description=None if told else "never loaded",
        )
    yield from verdicts(step.key, step.stream, seen, step.checks)


def watched(
    work: Callable[[], Done], cancel: threading.Event, tick: Callable[[], Iterator[Event]]
) -> Generator[Event, None, Done]:
    """What `work` returns, run in a thread, while `tick` says how it goes.

    An interruption of this thread cancels the other. One that waits for a silent server cannot be
    woken and is left behind: the process ends without it, and `cancel` keeps it from loading.
    """
    future: Future[Done] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            future.set_exception(error)

    thread = threading.Thread(target=run, name="sync", daemon=True)
    thread.start()
    try:
        while not wait([future], timeout=_TICK_S).done:
            yield from tick()
    except BaseException:
        cancel.set()
        thread.join(_PATIENCE_S)
        raise
    return future.result()


def fence(
    context: dg.AssetExecutionContext, where: str, cancel: threading.Event
) -> Callable[[], None]:
    """A last look before a load commits, whether this step still is the one that should.

    A run worker that is killed leaves its step processes alive, while Dagster has called the run
    failed and may have started another.
    """
    run_id, instance = context.run.run_id, context.instance
    # The run worker, also where a fork server stands between: its pipe closes as it dies.
    worker = multiprocessing.parent_process()

    def check() -> None:
        run = instance.get_run_by_id(run_id)
        orphaned = worker is not None and not worker.is_alive()
        if cancel.is_set() or orphaned or (run is not None and run.is_finished):
            raise LoadError(
                "the run was ended before its rows were loaded; the table is as it was",
                where=where,
                fix="run it again and it goes on from the rows it had",
            )

    return check
