"""A connection: a connector with its values, ready to be read.

Values come from the connection document, the environment (`<ID>__<NAME>`) and the caller, in
rising order. They are looked up when a stream is opened, never before: a connection whose values
are missing still lists its streams.
"""

from __future__ import annotations

import dataclasses
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector_assets.connector import Connector, ReadContext
from connector_assets.errors import ConfigError
from connector_assets.redact import Secrets
from connector_assets.runtime.stats import Stats
from connector_assets.spec.connector import Stream


@dataclass(frozen=True)
class Connection:
    """One connector as one project uses it.

    `id` is the asset key's prefix, the table schema and the prefix of environment variables.
    `document` is the `connections/*.yaml` it came from, None for the default connection of a spec.
    """

    id: str
    connector: Connector[Any]
    document: Any = None
    source: Path | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def streams(self) -> Sequence[Stream]:
        """The streams this connection reads, with its overrides; needs no values."""
        raise NotImplementedError

    def open(
        self,
        stream: str,
        *,
        config: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
        cancel: threading.Event | None = None,
        preview: bool = False,
    ) -> ReadContext[Any]:
        """All that reading `stream` needs; ConfigError names every variable that is missing."""
        raise NotImplementedError

    def fingerprint(self, reading: ReadContext[Any]) -> str:
        """A digest of what decides the rows: staging of another fingerprint is not resumed."""
        raise NotImplementedError


def variable_names(connection_id: str, name: str) -> tuple[str, ...]:
    """The environment variables a value may stand in, the one to tell people first.

    >>> variable_names("salesforce_rest", "accessToken")
    ('SALESFORCE_REST__ACCESS_TOKEN', 'SALESFORCE_REST__ACCESSTOKEN')
    """
    prefix = connection_id.upper()
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()
    return tuple(dict.fromkeys(f"{prefix}__{form}" for form in (spaced, name.upper())))


_ = (Callable, ConfigError, Secrets, Stats, dataclasses)
