"""The connectors that a project may name besides its specs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connector_assets.reading.connector import Connector


class Connectors(dict[str, Connector[Any]]):
    """Connectors that were registered, by id, each of which has a connection by default.

    `more` gives others that only a connection may name: what is imported when it is needed. It
    raises ConfigError where one cannot be. `broken` says why others cannot be used, by where they
    are.
    """

    def __init__(
        self,
        registered: Mapping[str, Connector[Any]] | None = None,
        more: Callable[[str], Connector[Any] | None] = lambda _: None,
        broken: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(registered or {})
        self.more, self.broken = more, broken or {}
