"""What steps share and a project may exchange: how requests are sent, and where rows go.

Neither holds a secret: inside the step the connection looks secrets up by the names of environment
variables. So what Dagster stores and shows of a resource is harmless.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import dagster as dg
from pydantic import Field

from connector_assets.assets.settings import Settings
from connector_assets.errors import ConfigError
from connector_assets.load.destination import Destination
from connector_assets.load.urls import destination_from_url
from connector_assets.passwords import may_hold_password
from connector_assets.project.settings import DEFAULTS, setting
from connector_assets.project.settings import variable as named
from connector_assets.runtime.runtime import HttpRuntime


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

    def runtime(self, *, max_attempts: int | None = None) -> HttpRuntime:
        """A runtime for one step; close it.

        `max_attempts` tries a request fewer times than its spec says.
        """
        # Of the step's own environment: what the server says may be wanted while a fault is sought.
        verbose = bool(setting("VERBOSE"))
        return HttpRuntime(
            tuple(self.allow_private),
            state=self.state,
            verbose=verbose,
            max_attempts=max_attempts,
        )

    @property
    def shared_in(self) -> str:
        """Where budgets and tokens are, also where it is not said."""
        return self.state or DEFAULTS["STATE"]


class DestinationResource(dg.ConfigurableResource):  # type: ignore[type-arg] # provides itself
    """The store that rows are loaded into."""

    url: str = Field(
        repr=False,
        description="duckdb:///relative.duckdb, duckdb:////absolute.duckdb, parquet:///folder, "
        "postgresql://host/database; a password belongs into PGPASSWORD or a passfile.",
    )
    staging: str = Field(
        default=DEFAULTS["STAGING"],
        description="Folder of rows on their way, or the URL of an object store, as "
        "s3://bucket/prefix; reruns resume from it, so it must outlive them.",
    )

    def get_resource_definition(self) -> Any:
        """As Dagster asks for it once; ConfigError where it would store and show a password."""
        if not isinstance(self.url, dg.EnvVar) and may_hold_password(self.url):
            raise _shows_password("DESTINATION")
        if not isinstance(self.staging, dg.EnvVar):
            _require_no_password(self.staging)
        return super().get_resource_definition()

    def open(self) -> Destination:
        """The store; nothing is locked before the first load."""
        return destination_from_url(self.url)


PREFIX = "connector_assets_"


@dataclass(frozen=True, slots=True)
class ResourceKeys:
    """The names under which steps find their resources.

    They are apart from those a project has, and of two builds with arguments of their own each has
    other ones, so that definitions merge. What only the environment says changes no name: it may
    differ between the machines of one deployment.
    """

    http: str
    destination: str

    @classmethod
    def of(cls, given: Settings) -> ResourceKeys:
        own = dict(given.own)
        stored = [own[name] for name in ("destination", "staging") if name in own]
        sent = [own["allow_private"]] if "allow_private" in own else []
        return cls(f"{PREFIX}http{_suffix(sent)}", f"{PREFIX}destination{_suffix(stored)}")


def _suffix(said: Sequence[str]) -> str:
    text = "\0".join(said).encode("utf-8", "surrogatepass")
    return f"_{hashlib.sha256(text).hexdigest()[:8]}" if said else ""


@cache
def http_resource(allow_private: tuple[str, ...], state: str) -> HttpRuntimeResource:
    """Return one object for equal settings: only definitions that share it can be merged."""
    return HttpRuntimeResource(allow_private=list(allow_private), state=_stored("STATE", state))


@cache
def destination_resource(url: str, staging: str) -> DestinationResource:
    """Return one object for equal settings, as `http_resource` does."""
    _require_no_password(staging)
    return DestinationResource(url=_stored("DESTINATION", url), staging=staging)


def _stored(name: str, value: str) -> str:
    """What Dagster may keep of a URL: only the name of the variable, if it comes from one.

    Dagster stores and shows the values of resources, and a URL may hold a password.
    """
    variable = named(name)
    if os.environ.get(variable) == value:
        return dg.EnvVar(variable)
    if may_hold_password(value):
        raise _shows_password(name)
    return value


def _require_no_password(staging: str) -> None:
    """Raise ConfigError: also from the environment no staging's URL may hold a password."""
    if "://" in staging and may_hold_password(staging):
        raise ConfigError(
            "Dagster would store and show the password in this URL",
            where="staging",
            fix="leave it to the environment, as AWS_PROFILE",
        )


def _shows_password(name: str) -> ConfigError:
    return ConfigError(
        "Dagster would store and show the password in this URL",
        where=name.lower(),
        fix=f"set it as {named(name)} (in code dg.EnvVar), or leave the password to PGPASSWORD or "
        "a passfile",
    )
