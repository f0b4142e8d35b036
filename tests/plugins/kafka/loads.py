"""Loads of a Kafka connection into a DuckDB file, as tests ask for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.plugins.registry import connector_registry
from connector_assets.project.connection import Connection
from connector_assets.project.project import connection_from_document
from connector_assets.spec.connection import ConnectionDocument
from connector_assets.sync import Run, Synced, sync
from tests.plugins.kafka.brokers import Broker


@dataclass
class Loads:
    """A connection called `events` to a broker, and the file that it is loaded into."""

    broker: Broker
    folder: Path
    topics: dict[str, Any]
    config: dict[str, Any] = field(default_factory=dict)
    streams: dict[str, Any] | None = None

    def connection(self) -> Connection:
        told = {"brokers": [self.broker.address], "timeoutS": 30, "topics": self.topics}
        document = {
            "kind": "connection",
            "version": "1.0",
            "id": "events",
            "connector": "kafka",
            "config": {**told, **self.config},
            **({"streams": self.streams} if self.streams else {}),
        }
        return connection_from_document(
            ConnectionDocument.model_validate(document),
            self.folder / "events.yaml",
            environ={},
            plugins=connector_registry.connectors(),
        )

    def load(self, stream: str, **run: Any) -> Synced:
        store = DuckDBDestination(self.folder / "tables.duckdb")
        return sync(self.connection(), stream, store, Run(staging=self.folder / "staging", **run))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.folder / "tables.duckdb")) as database:
            return database.execute(query).fetchall()

    def offsets(self, stream: str) -> list[tuple[int, int]]:
        """Partition and offset of each row, in the order of the table."""
        return self.rows(f'select partition, "offset" from events."{stream}"')
