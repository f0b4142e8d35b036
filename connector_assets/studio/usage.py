"""A connector put to use: its streams chosen, its values named, tried, and its connection written.

The connection is the one that `add` writes, by the same code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector_assets.authoring.added_connection import AddedConnection, Wanted, added
from connector_assets.authoring.whole_file import write_whole
from connector_assets.authoring.workbench import Workbench
from connector_assets.errors import ConfigError
from connector_assets.project.connection import Connection
from connector_assets.project.project import connection_from_document
from connector_assets.project.settings import folders
from connector_assets.spec.document import read_connection


@dataclass(frozen=True)
class Usage:
    """What is done with a connector of the catalogue in one project."""

    bench: Workbench

    def drafted(self, connector: str, own_id: str, streams: Sequence[str]) -> dict[str, Any]:
        """The connection as it would be written, and which of its values are set."""
        made = self._added(connector, own_id, streams)
        return {
            "ok": True,
            "id": made.id,
            "yaml": made.text,
            "secrets": [[self._told(one) for one in way] for way in made.ways],
            "config": [self._told(one) for one in made.config],
            "missing": self._connection(made).lacks(),
            "isThere": self._target(made).exists(),
        }

    def checked(
        self, connector: str, own_id: str, streams: Sequence[str], stream: str = ""
    ) -> dict[str, Any]:
        """Whether that connection works, before it is written: one page of one stream."""
        made = self._added(connector, own_id, streams)
        return self.bench.check(self._connection(made), stream)

    def written(self, connector: str, own_id: str, streams: Sequence[str]) -> dict[str, Any]:
        """Write the connection; one that is there is not replaced."""
        made = self._added(connector, own_id, streams)
        target = self._target(made)
        try:
            write_whole(target, made.text.encode(), replace=False)
        except FileExistsError:
            raise ConfigError(
                "is there already", where=str(target), fix="choose another id"
            ) from None
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            raise ConfigError(f"cannot be written: {reason}", where=str(target)) from None
        return {"ok": True, "id": made.id, "path": str(target)}

    def _added(self, connector: str, own_id: str, streams: Sequence[str]) -> AddedConnection:
        return added(connector, connection_id=own_id.strip(), streams=streams)

    def _connection(self, made: AddedConnection) -> Connection:
        document = read_connection(made.text)
        return connection_from_document(
            document.spec,
            self._target(made),
            yaml=document.yaml,
            runtime=self.bench.runtime,
            environ=self.bench.environ,
            specs=self.bench.folder.path,
            plugins=self.bench.folder.registry.connectors(self.bench.runtime),
        )

    def _target(self, made: AddedConnection) -> Path:
        return folders(self.bench.environ)[1] / f"{made.id}.yaml"

    def _told(self, one: Wanted) -> dict[str, Any]:
        """The name of a value and whether there is one; never what it is."""
        return {
            "variable": one.variable,
            "description": one.description,
            "isSecret": one.is_secret,
            "isSet": bool(self.bench.environ.get(one.variable)),
        }
