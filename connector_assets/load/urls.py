"""Destinations by URL, as `--to` and `CONNECTOR_ASSETS_DESTINATION` give them."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from connector_assets.errors import ConfigError
from connector_assets.load.table import Destination
from connector_assets.passwords import has_odd_port, is_unclear

_FORMS = (
    "duckdb:///file.duckdb, parquet:///folder, parquet+s3://bucket/folder, postgresql://host/db"
)


def destination_from_url(url: str, *, wait_s: float = 300) -> Destination:
    """Return the destination at `url`; a path after three slashes is relative, as in SQLAlchemy.

    `duckdb:///data.duckdb`, `parquet:///folder`, `parquet+s3://bucket/prefix` (any fsspec URL),
    `postgresql://user@host/database` (any libpq URL; `PGPASSWORD` keeps the password out of it),
    `dlt:///snowflake` (any of dlt's destinations, credentials from dlt's configuration).
    `wait_s` is how long it waits for others who hold a file or a table.

    >>> destination_from_url("duckdb:///data.duckdb").uri
    'duckdb:///data.duckdb'
    """
    _require_clear(url)
    scheme, found, _ = url.partition("://")
    kind = scheme.partition("+")[0] if scheme.startswith(("parquet+", "dlt+")) else scheme
    if found and kind in _KINDS:
        return _KINDS[kind](url, wait_s)
    raise _unknown(scheme if found else "")


def _require_clear(url: str) -> None:
    if is_unclear(url) or has_odd_port(url):
        raise ConfigError(
            "a password without an @ behind it, or with an @ or a / in it",
            where="destination",
            fix="write user:password@host, and percent-encode the password: %40 is @, %2F is /",
        )


def _unknown(scheme: str) -> ConfigError:
    # A URL may hold a password, so what does not look like a scheme is not quoted.
    is_scheme = re.fullmatch(r"[a-z][a-z0-9+.-]{0,30}", scheme)
    what = f'"{scheme}" is not a known kind of destination' if is_scheme else "this is not a URL"
    return ConfigError(what, where="destination", fix=f"use one of {_FORMS}")


def _duckdb(url: str, wait_s: float) -> Destination:
    from connector_assets.load.duckdb import DuckDBDestination

    path = _path(url)
    # `:memory:` is gone with this process, `md:name` is a database at MotherDuck, and so on.
    if re.match(r"[\w.+-]*:", str(path)):
        raise ConfigError(
            "DuckDB does not take a name with a colon there for a file",
            where="destination",
            fix="use duckdb:///file.duckdb, or duckdb:////absolute, which is always a file",
        )
    return DuckDBDestination(path, wait_s=wait_s)


def _parquet(url: str, wait_s: float) -> Destination:
    from connector_assets.load.folders import LocalFolder, ObjectFolder
    from connector_assets.load.parquet import ParquetDestination

    if "memory" in re.split(r"\+|::", url.partition("://")[0]):
        raise ConfigError(
            "what is in memory is gone with this process",
            where="destination",
            fix="use parquet:///folder",
        )
    if url.startswith("parquet+"):
        return ParquetDestination(ObjectFolder(url.removeprefix("parquet+")), wait_s=wait_s)
    return ParquetDestination(LocalFolder(_path(url)), wait_s=wait_s)


def _postgres(url: str, wait_s: float) -> Destination:
    try:
        from connector_assets.load.postgres import PostgresDestination
    except ImportError:
        raise ConfigError(
            "postgresql:// needs psycopg",
            where="destination",
            fix='pip install "connector-assets[postgres]"',
        ) from None
    return PostgresDestination(url, wait_s=wait_s)


def _dlt(url: str, wait_s: float) -> Destination:  # noqa: ARG001 # dlt has no lock to wait for
    """`dlt:///NAME`, as dlt's configuration names it, and perhaps `?staging=NAME`."""
    try:
        from connector_assets.load.dlt import DltDestination
    except ImportError:
        raise ConfigError(
            "dlt:/// needs dlt", where="destination", fix='pip install "connector-assets[dlt]"'
        ) from None
    name, _, query = url.removeprefix("dlt:///").partition("?")
    staging = query.removeprefix("staging=") if query else None
    if not re.fullmatch(r"[A-Za-z]\w*", name) or staging == query:
        raise ConfigError(
            "dlt:/// needs the name of a destination",
            where="destination",
            fix="use dlt:///snowflake, or a name from dlt's configuration, which has credentials",
        )
    return DltDestination(name, staging=staging)


_KINDS = {
    "duckdb": _duckdb,
    "parquet": _parquet,
    "postgresql": _postgres,
    "postgres": _postgres,
    "dlt": _dlt,
}


def _path(url: str) -> Path:
    kind, _, rest = url.partition("://")
    if not rest.startswith("/") or rest == "/":
        raise ConfigError(
            f"{kind}:// needs a path after a third slash",
            where="destination",
            fix=f"use {kind}:///relative or {kind}:////absolute",
        )
    path = unquote(rest.removeprefix("/"))
    if "\0" in path:
        raise ConfigError("no path has a NUL in it", where="destination", fix="take %00 out")
    return Path(path)
