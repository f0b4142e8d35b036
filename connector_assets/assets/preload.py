"""What every step needs, loaded before steps are forked: storage, DuckDB and the definitions.

A module that the executor's fork server imports calls it, as `assets.preloaded` does for
`connector_assets.definitions`.
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable
from contextlib import suppress

import dagster as dg

_OF_DAGSTER = (
    "sqlalchemy",
    "alembic",
    "upath",
    "fsspec.implementations.local",
    "dagster._core.instance.factory",
    "dagster._core.storage.base_storage",
    "dagster._core.storage.sqlite_storage",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.utility_ops",
)


def preload(definitions: Callable[[], dg.Definitions]) -> None:
    """Build `definitions` and all that a step resolves of them, for the processes forked from this.

    They must be the same object each time they are asked for, as those of a function under
    `functools.cache` are; else each step builds them anew.
    """
    for module in _OF_DAGSTER:
        # Names of its own may go; a step then imports what it needs.
        with suppress(ImportError):
            importlib.import_module(module)
    definitions().resolve_implicit_global_asset_job_def()
    # All this stays: collections need not look at it again, and forks share its memory.
    gc.freeze()
    # After the freeze, since what it frees at exit is reported as leaked otherwise.
    for module in ("duckdb", "connector_assets.load.duckdb.destination"):
        importlib.import_module(module)
