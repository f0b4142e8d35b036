"""The command line `connector-assets`: 0 it is done, 1 the work failed, 2 it was asked wrongly."""

from connector_assets.cli.app import main

__all__ = ["main"]
