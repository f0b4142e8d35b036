"""Budgets and tokens in Redis or Postgres, for runs on several machines.

Times come from the server, so that the machines' clocks need not agree. The libraries are extras:
`connector-assets[redis]`, `connector-assets[postgres]`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from connector_assets.errors import ConfigError

if TYPE_CHECKING:
    from connector_assets.runtime.shared.ledger import Ledger
    from connector_assets.spec.auth.credentials import TokenStore

_MODULES = {
    "redis": ("redis", "redis_state", "RedisServer"),
    "rediss": ("redis", "redis_state", "RedisServer"),
    "postgresql": ("postgres", "postgres_state", "PostgresServer"),
    "postgres": ("postgres", "postgres_state", "PostgresServer"),
}


def server_ledger(url: str, key: str) -> Ledger:
    """The bucket called `key` on the server at `url`."""
    return _server(url).ledger(key)


def server_tokens(url: str) -> TokenStore:
    """The tokens on the server at `url`."""
    return _server(url).tokens()


class _Server(Protocol):
    def ledger(self, key: str) -> Ledger: ...

    def tokens(self) -> TokenStore: ...


@cache
def _server(url: str) -> _Server:
    scheme = urlsplit(url).scheme
    if scheme not in _MODULES:
        raise ConfigError(
            f'"{scheme}" is not a known store of shared state',
            where="CONNECTOR_ASSETS_STATE",
            fix="use a folder, redis://… or postgresql://…",
        )
    extra, module, name = _MODULES[scheme]
    try:
        found = import_module(f"connector_assets.runtime.shared.{module}")
        server: _Server = getattr(found, name)(url)
    except ImportError:
        raise ConfigError(
            f"shared state in {scheme} needs a library",
            fix=f"pip install 'connector-assets[{extra}]'",
        ) from None
    return server
