"""Secrets that Python names: Dagster's `EnvVar`, or a place as documents write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg
from pydantic import ValidationError

from connector_assets.errors import ConfigError
from connector_assets.project.connection import Connection
from connector_assets.spec.network import SecretSource

Sources = tuple[tuple[str, tuple[tuple[str, SecretSource], ...]], ...]
"""Places of secrets by connection and name; it can be compared and hashed."""


def written(secrets: Any) -> Any:
    """Secrets as a document writes them: of an `EnvVar` only the name, which is looked up late."""
    if not isinstance(secrets, Mapping):
        return secrets
    return {
        name: {"env": one.env_var_name} if isinstance(one, dg.EnvVar) else one
        for name, one in secrets.items()
    }


def sources(secrets: Mapping[str, Mapping[str, Any]] | None) -> Sources:
    """The places that `secrets` names by connection.

    Raises ConfigError for what is no place, and never quotes it: it may be the secret.
    """
    return tuple(
        (connection, tuple((name, _source(connection, name, one)) for name, one in named.items()))
        for connection, named in ((key, written(one)) for key, one in (secrets or {}).items())
    )


def _source(connection: str, name: str, said: Any) -> SecretSource:
    try:
        return SecretSource.model_validate(said)
    except ValidationError:
        raise ConfigError(
            f"secrets.{name} is no place of a secret",
            where=connection,
            fix='give dg.EnvVar("NAME"), or {"env": …}, {"file": …} or a store',
        ) from None


def with_sources(connections: Sequence[Connection], given: Sources) -> tuple[Connection, ...]:
    """`connections` with their secrets from there; ConfigError for one that is not there."""
    by_id = {one.id: one for one in connections}
    for connection, named in given:
        if connection not in by_id:
            known = ", ".join(by_id) or "none"
            raise ConfigError(f'"{connection}" is not a connection; known are: {known}')
        found = by_id[connection]
        known_secrets = sorted(found.connector.known_secrets())
        for name, _ in named:
            if name not in known_secrets:
                text = f'"{name}" is not a secret of {found.connector.id}'
                fix = f"use one of {', '.join(known_secrets)}" if known_secrets else "leave it out"
                raise ConfigError(text, where=connection, fix=fix)
        by_id[connection] = replace(found, sources=dict(named))
    return tuple(by_id.values())
