"""The catalog of a URL: which kind it is, where it is, and what its library is told."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from connector_assets.errors import ConfigError
from connector_assets.passwords import may_hold_password

NAME = "connector-assets"
"""The catalog's name in pyiceberg's own configuration: `PYICEBERG_CATALOG__CONNECTOR_ASSETS__…`."""
_KEYS = {"warehouse", "prefix"}
_FORMS = (
    "iceberg+sqlite:///catalog.db, iceberg+postgresql://user@host/db?warehouse=s3://bucket/prefix, "
    "iceberg+https://host/path?warehouse=NAME, or iceberg:///NAME of pyiceberg's configuration"
)


@dataclass(frozen=True, slots=True)
class CatalogAddress:
    """What pyiceberg is told of a catalog; `uri` has no credentials and is shown."""

    uri: str
    name: str = NAME
    properties: dict[str, str] = field(default_factory=dict)

    def open(self) -> Any:
        """The catalog; whatever pyiceberg's configuration says of its name holds as well."""
        from pyiceberg.catalog import load_catalog
        from pyiceberg.utils.config import Config

        for folder in (self.properties.get("warehouse", ""), self._database()):
            if folder.startswith("file://"):
                Path(unquote(folder.removeprefix("file://"))).mkdir(parents=True, exist_ok=True)
        # Read now: the library itself does so as it is imported, once.
        configured: Any = Config().get_catalog_config(self.name) or {}
        return load_catalog(self.name, **{**configured, **self.properties})

    def _database(self) -> str:
        path = self.properties.get("uri", "")
        if not path.startswith("sqlite:///"):
            return ""
        return f"file://{Path(path.removeprefix('sqlite:///')).parent}"


def address_of(url: str) -> CatalogAddress:
    """The catalog at `url`, one of `iceberg+sqlite`, `…+postgresql`, `…+http(s)`, `iceberg:///NAME`."""
    scheme, _, rest = url.partition("://")
    kind = scheme.removeprefix("iceberg").removeprefix("+")
    place, _, query = rest.partition("?")
    if may_hold_password(f"{kind or 'iceberg'}://{rest}"):
        raise ConfigError(
            "a password or a token in the URL would be shown",
            where="destination",
            fix="leave it to the environment: PGPASSWORD, or "
            "PYICEBERG_CATALOG__CONNECTOR_ASSETS__TOKEN or …__CREDENTIAL",
        )
    given = dict(parse_qsl(query))
    if kind in {"postgresql", "postgres"} and given.get("warehouse"):
        return _postgresql(place, given)
    if set(given) - _KEYS:
        raise _unclear()
    if kind == "":
        return _configured(place, given)
    if kind == "sqlite":
        return _sqlite(place, given)
    if kind in {"http", "https"} and urlsplit(f"{kind}://{place}").hostname:
        properties = {"type": "rest", "uri": f"{kind}://{place}", **given}
        return CatalogAddress(f"iceberg+{kind}://{place}", properties=properties)
    raise _unclear()


def _configured(place: str, given: dict[str, str]) -> CatalogAddress:
    name = place.removeprefix("/")
    if not place.startswith("/") or given or not re.fullmatch(r"\w[\w-]*", name):
        raise _unclear()
    return CatalogAddress(f"iceberg:///{name}", name)


def _postgresql(place: str, given: dict[str, str]) -> CatalogAddress:
    """All but the warehouse is libpq's, as `sslmode`."""
    warehouse = _located({"warehouse": given.pop("warehouse")})
    libpq = f"?{urlencode(given)}" if given else ""
    properties = {"type": "sql", "uri": f"postgresql+psycopg://{place}{libpq}", **warehouse}
    return CatalogAddress(f"iceberg+postgresql://{place.rpartition('@')[2]}", properties=properties)


def _sqlite(place: str, given: dict[str, str]) -> CatalogAddress:
    path = unquote(place.removeprefix("/"))
    if not place.startswith("/") or not path:
        raise _unclear()
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 # a link stays one
    given.setdefault("warehouse", f"file://{absolute.parent / 'warehouse'}")
    properties = {"type": "sql", "uri": f"sqlite:///{absolute}", **_located(given)}
    return CatalogAddress(f"iceberg+sqlite:///{path}", properties=properties)


def _located(given: dict[str, str]) -> dict[str, str]:
    """The warehouse as an absolute URL: tables remember where they are."""
    warehouse = given.get("warehouse", "")
    if "://" in warehouse:
        return given
    return {**given, "warehouse": f"file://{os.path.abspath(warehouse)}"}  # noqa: PTH100


def _unclear() -> ConfigError:
    what = "the URL of an Iceberg catalog is not clear"
    return ConfigError(what, where="destination", fix=f"use {_FORMS}")
