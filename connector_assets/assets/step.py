"""One step: a stream synced under Dagster's eyes.

The work runs in a thread of its own and the main thread watches it. So signs of life go out while
a server is silent, and a run that is terminated stops at once: Dagster interrupts the main thread
only, by an exception that is no `Exception`.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import dagster as dg

from connector_assets.assets.checks import Nulls, count_nulls, incomplete
from connector_assets.assets.outcome import Part, failure, loaded_before, result
from connector_assets.assets.progress import Progress
from connector_assets.assets.resources import DestinationResource, HttpRuntimeResource
from connector_assets.connection import Connection
from connector_assets.errors import ConnectorError, LoadError
from connector_assets.load.table import Destination
from connector_assets.spec.stream import Stream
from connector_assets.sync import sync

Event = (
    dg.MaterializeResult[None] | dg.AssetMaterialization | dg.AssetCheckResult | dg.AssetObservation
)
Done = TypeVar("Done")
_TICK_S = 1.0
_PATIENCE_S = 5.0


@dataclass(frozen=True)
class Step:
    """What a step works with: its stream, and where its rows come from and go."""

    context: dg.AssetExecutionContext
    key: dg.AssetKey
    connection: Connection
    stream: Stream
    http: HttpRuntimeResource
    destination: DestinationResource
    full: bool = False

    @cached_property
    def cancel(self) -> threading.Event:
        return threading.Event()

    @cached_property
    def progress(self) -> Progress:
        return Progress(self.context, self.key)

    @property
    def partitions(self) -> Sequence[str | None]:
        """The partitions to load, one after the other; of a stream without, the one None."""
        context = self.context
        # A run has partitions also where others of its assets have them, and this one has not.
        is_parted = self.connection.partitions(self.stream.name) is not None
        given = is_parted and (context.has_partition_key or context.has_partition_key_range)
        return list(context.partition_keys) if given else [None]

    def sync(self, partition: str | None, store: Destination) -> Part:
        """Load one partition, or all there is."""
        progress, began = self.progress, self.progress.elapsed_s
        with self.http.runtime() as runtime:
            synced = sync(
                self.connection.with_runtime(runtime),
                self.stream.name,
                store,
                staging=self.destination.staging_path,
                partition=partition,
                full=self.full,
                cancel=self.cancel,
                on_progress=progress.update,
                fence=fence(self.context, "/".join(self.key.path), self.cancel),
                run_id=self.context.run.run_id,
            )
        return Part(synced, progress.elapsed_s - began)


def materialize(step: Step) -> Iterator[Event]:
    """Sync the stream and yield what came of it; raises dg.Failure or dg.RetryRequested."""
    problem = yield from attempt(step)
    if problem:
        # Outside of `except`, so that Dagster shows one line and not the chain that led to it.
        raise failure(problem)


def attempt(step: Step) -> Generator[Event, None, ConnectorError | None]:
    """Sync the stream, yield what came of it, and return the error that ended it, if one did."""
    parts: list[Part] = []
    partitions = step.partitions

    def work() -> Nulls:
        store = step.destination.open()
        for partition in partitions:
            parts.append(step.sync(partition, store))  # noqa: PERF401 - those before a failing one stay
        return count_nulls(store, parts[-1].synced, step.stream.checks.not_null)

    progress = step.progress
    try:
        nulls = yield from watched(work, step.cancel, progress.tick)
    except ConnectorError as error:
        progress.tell_notes()
        yield from loaded_before(step.key, parts)
        yield from incomplete(step.key, error)
        return error
    progress.done(parts[-1].synced.loaded.rows)
    yield result(step.context, step.key, step.stream, parts, nulls)
    return None


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
