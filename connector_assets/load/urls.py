"""Destinations by URL, as `--to` and `CONNECTOR_ASSETS_DESTINATION` give them."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from urllib.parse import unquote

from connector_assets.errors import ConfigError
from connector_assets.load.destination import Destination
from connector_assets.passwords import has_odd_port, is_unclear, may_hold_password

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
GROUP = "connector_assets.destinations"
_FORMS = (
    "duckdb:///file.duckdb, parquet:///folder, parquet+s3://bucket/folder, postgresql://host/db, "
    "delta+file:///folder, delta+s3://bucket/prefix, iceberg+sqlite:///catalog.db, "
    "iceberg+https://catalog?warehouse=NAME"
)
_DELTA_STORES = {"s3", "s3a", "gs", "az", "abfs", "abfss"}


def destination_from_url(url: str, *, wait_s: float = 300) -> Destination:
    """Return the destination at `url`; a path after three slashes is relative, as in SQLAlchemy.

    `duckdb:///data.duckdb`, `parquet:///folder`, `parquet+s3://bucket/prefix` (any fsspec URL),
    `delta+file:///folder` and `delta+s3://bucket/prefix` (also `gs`, `az` and `abfss`),
    `iceberg+sqlite:///catalog.db`, `iceberg+postgresql://user@host/db?warehouse=s3://bucket/x`,
    `iceberg+https://host/path?warehouse=NAME`, `iceberg:///NAME` (a catalog by its name in
    pyiceberg's configuration), `postgresql://user@host/database` (any libpq URL; `PGPASSWORD`
    keeps the password out of it), `snowflake://user@account/database?warehouse=W`
    (variables `SNOWFLAKE_…` prove the login), `dlt:///bigquery` (any of dlt's destinations,
    credentials from dlt's configuration), and what installed packages offer as entry points of
    the group `connector_assets.destinations`: one called `lake` is asked for `lake://…` and `lake+…://…`,
    with the URL and `wait_s`.
    `wait_s` is how long it waits for others who hold a file or a table.

    >>> destination_from_url("duckdb:///data.duckdb").uri
    'duckdb:///data.duckdb'
    """
    _require_clear(url)
    scheme, found, _ = url.partition("://")
    kind = scheme.partition("+")[0]
    if found and kind in _KINDS and (kind == scheme or kind in _WITH_PLUS):
        return _KINDS[kind](url, wait_s)
    if found and (offered := offered_by_packages().get(kind)):
        return _made_by(offered, url, wait_s)
    raise _unknown(scheme if found else "")


def offered_by_packages() -> dict[str, EntryPoint]:
    """The destinations that installed packages offer, by the scheme of their URLs."""
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in _KINDS}


def _made_by(offered: EntryPoint, url: str, wait_s: float) -> Destination:
    """The destination of a package; what it raises as it is imported is told with its name."""
    try:
        make: Callable[[str, float], Destination] = offered.load()
    except Exception as error:
        raise ConfigError(
            f"{offered.value} cannot be imported ({type(error).__name__})",
            where=f"destination {offered.name}://",
            fix=f"repair or remove the package {offered.dist.name if offered.dist else 'it is of'}",
        ) from error
    return make(url, wait_s)


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
    forms = ", ".join([_FORMS, *(f"{name}://…" for name in sorted(offered_by_packages()))])
    return ConfigError(what, where="destination", fix=f"use one of {forms}")


def _duckdb(url: str, wait_s: float) -> Destination:
    from connector_assets.load.duckdb.destination import DuckDBDestination

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
    from connector_assets.load.files.folders import Folder, LocalFolder, ObjectFolder
    from connector_assets.load.parquet.destination import ParquetDestination

    if "memory" in re.split(r"\+|::", url.partition("://")[0]):
        raise ConfigError(
            "what is in memory is gone with this process",
            where="destination",
            fix="use parquet:///folder",
        )
    url, grace_s = _grace(url)
    if url.startswith("parquet+"):
        folder: Folder = ObjectFolder(url.removeprefix("parquet+"))
    else:
        folder = LocalFolder(_path(url))
    return ParquetDestination(folder, wait_s=wait_s, grace_s=grace_s)


def _grace(url: str) -> tuple[str, float]:
    """The URL without `?grace=10m` at its end, and that time in seconds."""
    before, found, text = url.rpartition("?grace=")
    if not found:
        return url, 0
    time = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if not time:
        raise ConfigError(
            "grace is no time", where="destination", fix="use one such as ?grace=30s, 10m, 2h, 1d"
        )
    return before, int(time[1]) * _SECONDS[time[2]]


def _delta(url: str, wait_s: float) -> Destination:
    """`delta+file:///relative`, `delta+file:////absolute`, or the URL of an object store."""
    try:
        import deltalake  # noqa: F401
        import pyarrow as pa  # noqa: F401

        from connector_assets.load.delta.destination import DeltaDestination
    except ImportError:
        raise _not_installed("delta") from None
    place = url.removeprefix("delta").removeprefix("+")
    store, _, rest = place.partition("://")
    if store == "file":
        return DeltaDestination(_path(place), wait_s=wait_s)
    host = rest.partition("/")[0]
    if store not in _DELTA_STORES or not host:
        raise ConfigError(
            "the place of the Delta tables is not clear",
            where="destination",
            fix="use delta+file:///folder, delta+s3://bucket/prefix, or gs, az or abfss",
        )
    if may_hold_password(place) or ("@" in host and not store.startswith(("abfs", "az"))):
        raise ConfigError(
            "a user or a password in the URL would be shown",
            where="destination",
            fix="leave it to the environment, as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    return DeltaDestination(place, wait_s=wait_s)


def _iceberg(url: str, wait_s: float) -> Destination:
    try:
        import pyarrow as pa  # noqa: F401
        import pyiceberg  # noqa: F401
        import sqlalchemy  # noqa: F401

        from connector_assets.load.iceberg.destination import IcebergDestination
    except ImportError:
        raise _not_installed("iceberg") from None
    return IcebergDestination(url, wait_s=wait_s)


def _not_installed(extra: str) -> ConfigError:
    what = f"{extra}+… needs packages that are not installed"
    fix = f'pip install "connector-assets[{extra}]"'
    return ConfigError(what, where="destination", fix=fix)


def _postgres(url: str, wait_s: float) -> Destination:
    try:
        from connector_assets.load.postgres.destination import PostgresDestination
    except ImportError:
        raise ConfigError(
            "postgresql:// needs psycopg",
            where="destination",
            fix='pip install "connector-assets[postgres]"',
        ) from None
    return PostgresDestination(url, wait_s=wait_s)


def _snowflake(url: str, wait_s: float) -> Destination:
    try:
        import snowflake.connector  # noqa: F401

        from connector_assets.load.snowflake.destination import SnowflakeDestination
    except ImportError:
        raise ConfigError(
            "snowflake:// needs Snowflake's connector",
            where="destination",
            fix='pip install "connector-assets[snowflake]"',
        ) from None
    return SnowflakeDestination(url, wait_s=wait_s)


def _dlt(url: str, wait_s: float) -> Destination:
    """`dlt:///NAME`, as dlt's configuration names it, and perhaps `?staging=NAME`."""
    try:
        from connector_assets.load.dlt.destination import DltDestination
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
    return DltDestination(name, staging=staging, wait_s=wait_s)


_KINDS = {
    "duckdb": _duckdb,
    "parquet": _parquet,
    "postgresql": _postgres,
    "postgres": _postgres,
    "snowflake": _snowflake,
    "dlt": _dlt,
    "delta": _delta,
    "iceberg": _iceberg,
}
_WITH_PLUS = {"parquet", "dlt", "delta", "iceberg"}


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
