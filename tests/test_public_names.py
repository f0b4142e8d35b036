"""What `connector_assets` offers: these names and no others."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import connector_assets

NAMES = [
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


def test_the_names_are_these_in_order():
    assert connector_assets.__all__ == NAMES
    assert sorted(NAMES) == NAMES
    assert dir(connector_assets) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there_and_is_the_same_each_time(name):
    value = getattr(connector_assets, name)
    assert value is not None
    assert getattr(connector_assets, name) is value


def test_the_type_checker_sees_what_is_loaded():
    """The imports for type checkers and the table for `__getattr__` name the same homes."""
    tree = ast.parse(Path(connector_assets.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    typed = {
        node.module.removeprefix("connector_assets."): tuple(one.name for one in node.names)
        for node in block.body
    }
    assert typed == connector_assets._HOMES


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'parse_conector'"):
        getattr(connector_assets, "parse_conector")  # noqa: B009 - as an attribute, ruff calls it useless


def test_a_star_import_brings_every_name():
    code = "from connector_assets import *; print(sorted(n for n in dir() if n[0] != '_'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert eval(done.stdout) == sorted(NAMES)
