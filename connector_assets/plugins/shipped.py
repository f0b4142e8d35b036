"""Connectors that come with this package: imported where a connection names one, and only there.

Each takes libraries that few need, which are an extra of this package.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass

from connector_assets.errors import ConfigError
from connector_assets.plugins.connector import PluginConnector


@dataclass(frozen=True)
class Shipped:
    """A module with a plugin called `connector`, and the modules of libraries that it takes."""

    module: str
    takes: tuple[str, ...]


SHIPPED: dict[str, Shipped] = {
    "snowflake": Shipped(
        "connector_assets.plugins.snowflake.plugin", ("snowflake.connector", "pyarrow")
    ),
    "kafka": Shipped("connector_assets.plugins.kafka.connector", ("confluent_kafka", "fastavro")),
    "sql": Shipped("connector_assets.plugins.sql.plugin", ("adbc_driver_manager", "pyarrow")),
}
"""By id, which is the name of the extra, too."""


def shipped(connector_id: str) -> PluginConnector | None:
    """The plugin of that id, None where none comes with this package.

    Raises ConfigError where a library is missing.
    """
    found = SHIPPED.get(connector_id)
    if found is None:
        return None
    missing = [name for name in found.takes if not _is_there(name)]
    if missing:
        fix = f'pip install "connector-assets[{connector_id}]"'
        raise ConfigError(f'"{connector_id}" needs {", ".join(missing)}', fix=fix)
    made: PluginConnector = importlib.import_module(found.module).connector
    return made


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # what it would be in is not there
        return False
