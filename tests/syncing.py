"""A sync in one line: what a run is told, and what its connection is given, as keywords."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from connector_assets import sync as module
from connector_assets.load.destination import Destination
from connector_assets.project.connection import Connection
from connector_assets.sync import Run, Synced

_OF_A_RUN = {field.name for field in fields(Run)}


def sync(connection: Connection, stream: str, destination: Destination, **told: Any) -> Synced:
    run = Run(**{name: value for name, value in told.items() if name in _OF_A_RUN})
    given = {name: value for name, value in told.items() if name not in _OF_A_RUN}
    return module.sync(connection, stream, destination, run, **given)
