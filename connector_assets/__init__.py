"""One validated YAML connector spec becomes Dagster assets and resources.

    from connector_assets import HttpRuntime, parse_connector

    spec = parse_connector(Path("specs/catalogue/github.yaml").read_text())
    with HttpRuntime() as runtime:
        result = runtime.execute_endpoint(spec, "issues", params={…}, secrets={…})

Names are loaded when they are first used, so that importing this package costs nothing and never
brings in Dagster or DuckDB.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connector_assets.assets.blocks import AssetBlocks
    from connector_assets.assets.component import ConnectorComponent
    from connector_assets.assets.factory import build_definitions
    from connector_assets.assets.translator import ConnectorTranslator
    from connector_assets.errors import (
        AuthError,
        BlockedError,
        Busy,
        Cancelled,
        ConfigError,
        ConnectorError,
        Fault,
        LoadError,
        PageLimit,
        PaginationLoop,
        RateLimited,
        RequestError,
        ResponseError,
        SchemaError,
        SpecError,
    )
    from connector_assets.load.destination import Capabilities, Destination
    from connector_assets.load.order import Order
    from connector_assets.load.table import Claim, Column, Cursor, Loaded, Segment, Table
    from connector_assets.load.urls import destination_from_url
    from connector_assets.plugins.define import define_connector
    from connector_assets.plugins.registry import connector_registry
    from connector_assets.project.connection import Connection
    from connector_assets.project.project import connection_from_file, discover
    from connector_assets.reading.connector import Batch, Check, Connector, ReadContext
    from connector_assets.reading.plugin_context import PluginContext
    from connector_assets.redact import Secrets
    from connector_assets.runtime.guard.guard import Verdict, judge_url
    from connector_assets.runtime.http.network import Network, Proxy
    from connector_assets.runtime.runtime import EndpointResult, HttpRuntime
    from connector_assets.runtime.stats import Stats
    from connector_assets.spec.connector import ConnectorSpec
    from connector_assets.spec.document import load_connector, parse_connection, parse_connector
    from connector_assets.spec.endpoint import Endpoint
    from connector_assets.spec.stream.stream import Stream

_HOMES = {
    "assets.blocks": ("AssetBlocks",),
    "assets.component": ("ConnectorComponent",),
    "assets.factory": ("build_definitions",),
    "assets.translator": ("ConnectorTranslator",),
    "project.connection": ("Connection",),
    "reading.connector": ("Batch", "Check", "Connector", "ReadContext"),
    "reading.plugin_context": ("PluginContext",),
    "errors": (
        "AuthError",
        "BlockedError",
        "Busy",
        "Cancelled",
        "ConfigError",
        "ConnectorError",
        "Fault",
        "LoadError",
        "PageLimit",
        "PaginationLoop",
        "RateLimited",
        "RequestError",
        "ResponseError",
        "SchemaError",
        "SpecError",
    ),
    "load.destination": ("Capabilities", "Destination"),
    "load.order": ("Order",),
    "load.table": ("Claim", "Column", "Cursor", "Loaded", "Segment", "Table"),
    "load.urls": ("destination_from_url",),
    "plugins.define": ("define_connector",),
    "plugins.registry": ("connector_registry",),
    "project.project": ("connection_from_file", "discover"),
    "redact": ("Secrets",),
    "runtime.guard.guard": ("Verdict", "judge_url"),
    "runtime.http.network": ("Network", "Proxy"),
    "runtime.runtime": ("EndpointResult", "HttpRuntime"),
    "runtime.stats": ("Stats",),
    "spec.connector": ("ConnectorSpec",),
    "spec.endpoint": ("Endpoint",),
    "spec.stream.stream": ("Stream",),
    "spec.document": ("load_connector", "parse_connection", "parse_connector"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AssetBlocks",
    "AuthError",
    "Batch",
    "BlockedError",
    "Busy",
    "Cancelled",
    "Capabilities",
    "Check",
    "Claim",
    "Column",
    "ConfigError",
    "Connection",
    "Connector",
    "ConnectorComponent",
    "ConnectorError",
    "ConnectorSpec",
    "ConnectorTranslator",
    "Cursor",
    "Destination",
    "Endpoint",
    "EndpointResult",
    "Fault",
    "HttpRuntime",
    "LoadError",
    "Loaded",
    "Network",
    "Order",
    "PageLimit",
    "PaginationLoop",
    "PluginContext",
    "Proxy",
    "RateLimited",
    "ReadContext",
    "RequestError",
    "ResponseError",
    "SchemaError",
    "Secrets",
    "Segment",
    "SpecError",
    "Stats",
    "Stream",
    "Table",
    "Verdict",
    "build_definitions",
    "connection_from_file",
    "connector_registry",
    "define_connector",
    "destination_from_url",
    "discover",
    "judge_url",
    "load_connector",
    "parse_connection",
    "parse_connector",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
