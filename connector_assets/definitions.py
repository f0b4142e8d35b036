"""The code location: what `workspace.yaml`, `-m connector_assets.definitions` and `dg` load.

A project needs no code: `specs/` in the working directory, or where CONNECTOR_ASSETS_SPECS says.
"""

from __future__ import annotations

import dagster as dg

from connector_assets.assets.executor import executor
from connector_assets.assets.factory import build_definitions


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions of the project in the working directory."""
    return build_definitions(executor=executor())
