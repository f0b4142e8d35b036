"""The code location: what `workspace.yaml`, `-m connector_assets.definitions` and `dg` load.

A project needs no code: `specs/` in the working directory, or where CONNECTOR_ASSETS_SPECS says. An
executor and resources of other modules are named by CONNECTOR_ASSETS_EXECUTOR and _RESOURCES.
"""

from __future__ import annotations

import dagster as dg

from connector_assets.assets.factory import build_definitions
from connector_assets.assets.named import named_executor, named_resources


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions of the project in the working directory."""
    return build_definitions(executor=named_executor(), resources=named_resources())
