"""What steps share and a project may exchange: how requests are sent, and where rows go.

Neither holds a secret: inside the step the connection looks secrets up by the names of environment
variables. So what Dagster stores and shows of a resource is harmless.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import dagster as dg
from pydantic import Field

from connector_assets.errors import ConfigError
from connector_assets.load.table import Destination
from connector_assets.load.urls import destination_from_url
from connector_assets.passwords import may_hold_password
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.settings import DEFAULTS
from connector_assets.settings import variable as named


class HttpRuntimeResource(dg.ConfigurableResource):  # type: ignore[type-arg] # provides itself
    """Sends every request: guarded, within the vendor's limit, retried."""

    allow_private: list[str] = Field(
        default=[], description="Private hosts that may be read: HOST, HOST:PORT or CIDR."
    )
    state: str | None = Field(
        default=None,
        repr=False,
        description="Where rate budgets and renewed tokens are shared: a folder or a server's URL.",
    )

    def runtime(self) -> HttpRuntime:
        """A runtime for one step; close it."""
        return HttpRuntime(tuple(self.allow_private), state=self.state)


class DestinationResource(dg.ConfigurableResource):  # type: ignore[type-arg] # provides itself
    """The store that rows are loaded into."""

    url: str = Field(
        repr=False,
        description="duckdb:///relative.duckdb, duckdb:////absolute.duckdb, parquet:///folder, "
        "postgresql://host/database; a password belongs into PGPASSWORD or a passfile.",
    )
    staging: str = Field(
        default=DEFAULTS["STAGING"],
        description="Folder of rows on their way; reruns resume from it, so it must outlive them.",
    )

    def open(self) -> Destination:
        """The store; nothing is locked before the first load."""
        return destination_from_url(self.url)

    @property
    def staging_path(self) -> Path:
        return Path(self.staging)


@cache
def http_resource(allow_private: tuple[str, ...], state: str) -> HttpRuntimeResource:
    """One object for equal settings: Dagster merges definitions only if they share resources."""
    return HttpRuntimeResource(allow_private=list(allow_private), state=_stored("STATE", state))


@cache
def destination_resource(url: str, staging: str) -> DestinationResource:
    """One object for equal settings, as above."""
    return DestinationResource(url=_stored("DESTINATION", url), staging=staging)


def _stored(name: str, value: str) -> str:
    """What Dagster may keep of a URL: only the name of the variable, if it comes from one.

    Dagster stores and shows the values of resources, and a URL may hold a password.
    """
    variable = named(name)
    if os.environ.get(variable) == value:
        return dg.EnvVar(variable)
    if may_hold_password(value):
        raise ConfigError(
            "Dagster would store and show the password in this URL",
            where=name.lower(),
            fix=f"set it as {variable}, or leave the password to PGPASSWORD or a passfile",
        )
    return value
