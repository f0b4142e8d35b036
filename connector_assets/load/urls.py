"""Destinations by URL, as `--to` and `CONNECTOR_ASSETS_DESTINATION` give them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from connector_assets.errors import ConfigError
from connector_assets.load.table import Destination

_FORMS = (
    "duckdb:///file.duckdb, parquet:///folder, parquet+s3://bucket/folder, postgresql://host/db"
)


def destination_from_url(url: str) -> Destination:
    """Return the destination at `url`; a path after three slashes is relative, as in SQLAlchemy.

    `duckdb:///data.duckdb`, `parquet:///folder`, `parquet+s3://bucket/prefix` (any fsspec URL),
    `postgresql://user@host/database` (any libpq URL; `PGPASSWORD` keeps the password out of it).

    >>> destination_from_url("duckdb:///data.duckdb").uri
    'duckdb:///data.duckdb'
    """
    scheme, found, _ = url.partition("://")
    kind = "parquet" if scheme.startswith("parquet+") else scheme
    if found and kind in _KINDS:
        return _KINDS[kind](url)
    # A URL may hold a password, so what is not known to be a scheme is not quoted.
    what = f'"{scheme}" is not a known kind of destination' if found else "this is not a URL"
    raise ConfigError(what, where="destination", fix=f"use one of {_FORMS}")


def _duckdb(url: str) -> Destination:
    from connector_assets.load.duckdb import DuckDBDestination

    return DuckDBDestination(_path(url))


def _parquet(url: str) -> Destination:
    from connector_assets.load.folders import LocalFolder, ObjectFolder
    from connector_assets.load.parquet import ParquetDestination

    if url.startswith("parquet+"):
        return ParquetDestination(ObjectFolder(url.removeprefix("parquet+")))
    return ParquetDestination(LocalFolder(_path(url)))


def _postgres(url: str) -> Destination:
    try:
        from connector_assets.load.postgres import PostgresDestination
    except ImportError:
        raise ConfigError(
            "postgresql:// needs psycopg",
            where="destination",
            fix='pip install "connector-assets[postgres]"',
        ) from None
    return PostgresDestination(url)


_KINDS = {"duckdb": _duckdb, "parquet": _parquet, "postgresql": _postgres, "postgres": _postgres}


def _path(url: str) -> Path:
    kind, _, rest = url.partition("://")
    if not rest.startswith("/") or rest == "/":
        raise ConfigError(
            f"{kind}:// needs a path after a third slash",
            where="destination",
            fix=f"use {kind}:///relative or {kind}:////absolute",
        )
    return Path(unquote(rest.removeprefix("/")))
