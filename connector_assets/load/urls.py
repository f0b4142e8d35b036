"""Destinations by URL, as `--to` and `CONNECTOR_ASSETS_DESTINATION` give them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from connector_assets.errors import ConfigError
from connector_assets.load.table import Destination


def destination_from_url(url: str) -> Destination:
    """Return the destination at `url`; a path after three slashes is relative, as in SQLAlchemy.

    `duckdb:///data.duckdb`, `parquet:///folder`, `parquet+s3://bucket/prefix` (any fsspec URL),
    `postgresql://user@host/database` (any libpq URL; `PGPASSWORD` keeps the password out of it).

    >>> destination_from_url("duckdb:///data.duckdb").uri
    'duckdb:///data.duckdb'
    """
    parts = urlsplit(url)
    if parts.scheme.startswith("parquet+"):
        return _object_store(url.removeprefix("parquet+"))
    if parts.scheme in {"postgresql", "postgres"}:
        return _postgres(url)
    if parts.scheme not in _LOCAL:
        raise ConfigError(
            f'"{parts.scheme}" is not a known kind of destination',
            where="destination",
            fix="use duckdb:///, parquet:///, parquet+s3:// or postgresql://",
        )
    return _LOCAL[parts.scheme](_path(parts))


def _duckdb(path: Path) -> Destination:
    from connector_assets.load.duckdb import DuckDBDestination

    return DuckDBDestination(path)


def _parquet(path: Path) -> Destination:
    from connector_assets.load.folders import LocalFolder
    from connector_assets.load.parquet import ParquetDestination

    return ParquetDestination(LocalFolder(path))


def _object_store(url: str) -> Destination:
    from connector_assets.load.folders import ObjectFolder
    from connector_assets.load.parquet import ParquetDestination

    return ParquetDestination(ObjectFolder(url))


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


_LOCAL = {"duckdb": _duckdb, "parquet": _parquet}


def _path(parts: SplitResult) -> Path:
    path = unquote(parts.path).removeprefix("/")
    if parts.netloc or not path:
        raise ConfigError(
            f"{parts.scheme}:// needs a path after a third slash",
            where="destination",
            fix=f"use {parts.scheme}:///relative or {parts.scheme}:////absolute",
        )
    return Path(path)
