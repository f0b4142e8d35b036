"""The connector `sql`: tables, views and queries of a database become streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connector_assets.plugins.define import define_connector
from connector_assets.plugins.sql.settings import SqlSettings
from connector_assets.reading.connector import Check
from connector_assets.reading.plugin_context import PluginContext
from connector_assets.redact import Secrets


def _read(ctx: PluginContext[SqlSettings]) -> Iterator[Any]:
    from connector_assets.plugins.sql.reading import read

    return read(ctx)


def _discover(ctx: PluginContext[SqlSettings]) -> Iterator[dict[str, Any]]:
    from connector_assets.plugins.sql.discovery import discovered
    from connector_assets.plugins.sql.faults import blaming, host_of

    with blaming(host_of(ctx.config.uri), ctx.secrets.mask):
        yield from discovered(ctx.config)


def _check(settings: SqlSettings, secrets: Secrets) -> Check:
    from connector_assets.plugins.sql.checking import check

    return check(settings, secrets)


connector = define_connector(
    id="sql",
    display_name="SQL database",
    category="database",
    description="Tables, views and queries of a database, by ADBC or JDBC.",
    config_schema=SqlSettings,
    read=_read,
    discover=_discover,
    test_connection=_check,
)
