"""Imported by the fork server of `connector_assets.definitions`, never by hand."""

from __future__ import annotations

from connector_assets.assets.preload import preload
from connector_assets.definitions import defs

preload(defs)
