"""What every step needs, loaded before it is forked: storage, DuckDB and the definitions.

Named in the executor's configuration and imported by the fork server, never by hand.
"""

from __future__ import annotations

import gc
import importlib

from connector_assets.definitions import defs

for _module in ("sqlalchemy", "alembic", "dagster._core.storage.base_storage"):
    importlib.import_module(_module)
defs().resolve_implicit_global_asset_job_def()
# All this stays: collections need not look at it again, and forks share its memory.
gc.freeze()
# After the freeze, since what it frees at exit is reported as leaked otherwise.
importlib.import_module("duckdb")
