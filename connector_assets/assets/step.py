"""One step: a stream synced under Dagster's eyes.

The work runs in a thread of its own and the main thread watches it. So signs of life go out while
a server is silent, and a run that is terminated stops at once: Dagster interrupts the main thread
only, by an exception that is no `Exception`.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, wait
from typing import TypeVar

import dagster as dg

from connector_assets.assets.checks import Nulls, count_nulls, incomplete
from connector_assets.assets.outcome import failure, result
from connector_assets.assets.progress import Progress
from connector_assets.assets.resources import DestinationResource, HttpRuntimeResource
from connector_assets.connection import Connection
from connector_assets.errors import ConnectorError, LoadError
from connector_assets.spec.stream import Stream
from connector_assets.sync import Synced, sync

Event = dg.MaterializeResult[None] | dg.AssetCheckResult | dg.AssetObservation
Done = TypeVar("Done")
_TICK_S = 1.0
_PATIENCE_S = 5.0


def materialize(
    context: dg.AssetExecutionContext,
    connection: Connection,
    stream: Stream,
    http: HttpRuntimeResource,
    destination: DestinationResource,
    *,
    full: bool = False,
) -> Iterator[Event]:
    """Sync `stream` and yield what came of it; raises dg.Failure or dg.RetryRequested."""
    progress = Progress(context)
    cancel = threading.Event()

    def work() -> tuple[Synced, Nulls]:
        with http.runtime() as runtime:
            store = destination.open()
            synced = sync(
                connection.with_runtime(runtime),
                stream.name,
                store,
                staging=destination.staging_path,
                full=full,
                cancel=cancel,
                on_progress=progress.update,
                fence=fence(context, cancel),
                run_id=context.run.run_id,
            )
        return synced, count_nulls(store, synced, stream.checks.not_null)

    try:
        synced, nulls = yield from watched(work, cancel, progress.tick)
    except ConnectorError as error:
        problem = error
    else:
        progress.done(synced.loaded.rows)
        yield result(stream, synced, nulls, progress.elapsed_s)
        return
    progress.tell_notes()
    yield from incomplete(problem)
    # Outside of `except`, so that Dagster shows one line and not the chain that led to it.
    raise failure(problem)


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


def fence(context: dg.AssetExecutionContext, cancel: threading.Event) -> Callable[[], None]:
    """A last look before a load commits, whether this step still is the one that should.

    A run worker that is killed leaves its step processes alive, while Dagster has called the run
    failed and may have started another.
    """
    run_id, instance = context.run.run_id, context.instance
    # The run worker, also where a fork server stands between: its pipe closes as it dies.
    worker = multiprocessing.parent_process()
    where = "/".join(context.asset_key.path)

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
