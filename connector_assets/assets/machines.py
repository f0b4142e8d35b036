"""What steps on several machines would each have for themselves, and should share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef

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


def elsewhere(executor: dg.ExecutorDefinition | None, ref: InstanceRef | None) -> str:
    """Who may run steps on other machines, as a message says it; empty where nobody does.

    Of an instance only the name of its launcher counts: a step's machine need not have what it
    takes to make one.
    """
    if executor is not None and executor.name not in LOCAL_EXECUTORS:
        return f'the executor "{executor.name}"'
    launcher = ref.run_launcher_data if ref else None
    if launcher is None or launcher.class_name in LOCAL_LAUNCHERS:
        return ""
    return f'the launcher "{launcher.class_name}"'


def instance_here() -> InstanceRef | None:
    """What `$DAGSTER_HOME/dagster.yaml` says; whoever opens the instance tells what is wrong."""
    home = os.environ.get("DAGSTER_HOME")
    if not home or not Path(home, "dagster.yaml").is_file():
        return None
    try:
        return InstanceRef.from_dir(home)
    except Exception:  # noqa: BLE001 - a warning is worth no failure
        return None


def unshared_by(by: str, state: str, url: str, staging: str) -> list[str]:
    """What steps lack that `by` runs on any of several machines, as sentences."""
    return _unshared(by, state, url, staging) if by else []


def relative_by(by: str, specs: Path) -> Iterator[str]:
    """What to say of a folder that a machine with another working folder would not find."""
    if not by or specs.is_absolute():
        return
    yield (
        f"{variable('SPECS')}: steps are run by {by}, and each machine would look for {specs} "
        "below its own working folder, and have no such asset without it there; set it to a whole "
        "path that holds on every machine"
    )


def unshared_in(context: dg.AssetExecutionContext, state: str, url: str, staging: str) -> list[str]:
    """What a step lacks whose run, or which itself, may be on any of several machines."""
    instance = context.instance
    ref = None if instance.is_ephemeral else instance.get_ref()
    return unshared_by(elsewhere(context.job_def.executor_def, ref), state, url, staging)


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
