"""What steps on several machines would each have for themselves, and should share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from connector_assets.load.staging.shared import is_shared
from connector_assets.project.settings import variable

LOCAL_EXECUTORS = frozenset(
    {
        "multi_or_in_process_executor",
        "multiprocess",
        "in_process",
        "execute_in_process_executor",
    }
)
"""Dagster's own by name; all others may run steps elsewhere."""
LOCAL_LAUNCHERS = frozenset({"DefaultRunLauncher", "SyncInMemoryRunLauncher"})


def unshared_by(
    executor: dg.ExecutorDefinition | None, state: str, url: str, staging: str
) -> list[str]:
    """What definitions with this executor lack, as sentences; none for those of Dagster's own."""
    if executor is None or executor.name in LOCAL_EXECUTORS:
        return []
    return _unshared(f'the executor "{executor.name}"', state, url, staging)


def relative_by(executor: dg.ExecutorDefinition | None, specs: Path) -> Iterator[str]:
    """What to say of a folder that a worker with another working folder would not find."""
    if executor is None or executor.name in LOCAL_EXECUTORS or specs.is_absolute():
        return
    yield (
        f'{variable("SPECS")}: steps are run by the executor "{executor.name}", and each worker '
        f"would look for {specs} below its own working folder, and have no such asset without it "
        "there; set it to a whole path that holds on every machine"
    )


def unshared_in(context: dg.AssetExecutionContext, state: str, url: str, staging: str) -> list[str]:
    """What a step lacks whose run, or which itself, may be on any of several machines."""
    executor = context.job_def.executor_def
    lacks = unshared_by(executor, state, url, staging)
    launcher = _launcher(context.instance)
    if lacks or launcher is None or launcher in LOCAL_LAUNCHERS:
        return lacks
    return _unshared(f'the launcher "{launcher}"', state, url, staging)


def _launcher(instance: dg.DagsterInstance) -> str | None:
    """The class of the instance's launcher; a step need not have what it takes to make one."""
    ref = None if instance.is_ephemeral else instance.get_ref()
    return ref.run_launcher_data.class_name if ref and ref.run_launcher_data else None


def _unshared(by: str, state: str, url: str, staging: str) -> list[str]:
    """`state` is where budgets and tokens are, `url` the destination's, `staging` where rows wait.

    Staging alone may well be each machine's own: what is lost with it is read again.
    """
    lacks = []
    if "://" not in state:
        lacks.append(
            f"{variable('STATE')}: steps are run by {by}, and each machine would keep rate budgets "
            f"and renewed tokens of its own in {state}, so that together they exceed the vendor's "
            "limit; set it to redis://… or postgresql://… on every machine"
        )
    if url.startswith("duckdb:"):
        lacks.append(
            f"{variable('DESTINATION')}: steps are run by {by}, and each machine would load into a "
            "DuckDB file of its own; set it to a store that takes writers from all of them, as "
            "postgresql://…"
        )
    if lacks and not is_shared(staging):
        lacks.append(
            f"{variable('STAGING')}: steps are run by {by}, and rows that were staged in {staging} "
            "are lost with their machine, and read again from the first page; where that takes "
            "long, set it to s3://bucket/prefix or another object store"
        )
    return lacks
