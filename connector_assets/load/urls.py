"""Destinations by URL, as `--to` and `CONNECTOR_ASSETS_DESTINATION` give them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from connector_assets.errors import ConfigError

if TYPE_CHECKING:
    from connector_assets.load.duckdb import DuckDBDestination


def destination_from_url(url: str) -> DuckDBDestination:
    """Return the destination at `url`; a path after three slashes is relative, as in SQLAlchemy.

    >>> destination_from_url("duckdb:///data.duckdb").uri
    'duckdb:///data.duckdb'
    """
    parts = urlsplit(url)
    if parts.scheme != "duckdb":
        raise ConfigError(
            f'"{parts.scheme}" is not a known kind of destination',
            where="destination",
            fix="use one such as duckdb:///data.duckdb",
        )
    from connector_assets.load.duckdb import DuckDBDestination

    path = unquote(parts.path).removeprefix("/")
    if parts.netloc or not path:
        raise ConfigError(
            "duckdb:// needs a path after a third slash",
            where="destination",
            fix="use duckdb:///relative.duckdb or duckdb:////absolute.duckdb",
        )
    return DuckDBDestination(path)
