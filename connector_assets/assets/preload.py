"""What every step needs, imported before it is forked: the instance's storage and the definitions.

Named in the executor's configuration and imported by the fork server, never by hand.
"""

from __future__ import annotations

import importlib

from connector_assets.definitions import defs

for _module in ("sqlalchemy", "alembic", "dagster._core.storage.base_storage", "duckdb"):
    importlib.import_module(_module)
defs()
