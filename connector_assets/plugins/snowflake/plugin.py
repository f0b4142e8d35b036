"""The connector `snowflake`; what takes the library is imported when it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connector_assets.plugins.define import define_connector
from connector_assets.plugins.snowflake.settings import SnowflakeSettings
from connector_assets.reading.connector import Check
from connector_assets.reading.plugin_context import PluginContext
from connector_assets.redact import Secrets


def _read(ctx: PluginContext[SnowflakeSettings]) -> Iterator[Any]:
    from connector_assets.plugins.snowflake.reading import read

    return read(ctx)


def _discover(ctx: PluginContext[SnowflakeSettings]) -> Iterator[dict[str, Any]]:
    from connector_assets.plugins.snowflake.discovery import discovered

    yield from discovered(ctx.config)


def _check(settings: SnowflakeSettings, secrets: Secrets) -> Check:
    from connector_assets.plugins.snowflake.checking import check

    return check(settings, secrets)


connector = define_connector(
    id="snowflake",
    display_name="Snowflake",
    category="database",
    description="Tables, views and queries of a Snowflake account, as Arrow.",
    docs_url="https://docs.snowflake.com/en/developer-guide/python-connector/python-connector",
    config_schema=SnowflakeSettings,
    read=_read,
    discover=_discover,
    test_connection=_check,
)
