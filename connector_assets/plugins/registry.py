"""The connectors that Python code registered; files in a project's folders need no registering.

A plugin is registered by whoever imports its module; `found` says which modules settings name.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import RLock
from typing import Any

from connector_assets.errors import ConfigError, Fault, SpecError
from connector_assets.plugins.connector import PluginConnector
from connector_assets.plugins.shipped import shipped
from connector_assets.project.known import Connectors
from connector_assets.reading.connector import Connector
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.document import parse_connector

Registered = PluginConnector | ConnectorSpec


class ConnectorRegistry:
    """Connectors by id, each id once. Threads may share it."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._entries: dict[str, Registered] = {}
        self._in_files: set[str] = set()
        self._version = 0
        self.broken: Mapping[str, str] = {}
        """Why plugins that settings name cannot be used, by where they are."""

    @property
    def version(self) -> int:
        """A number that grows with every change: what was built of the same one is still right."""
        return self._version

    def register_plugin(self, plugin: PluginConnector) -> PluginConnector:
        """Add what `define_connector` made; the same object may come again. Raises SpecError."""
        with self._lock:
            if self._entries.get(plugin.id) is not plugin:
                self._add(plugin, source=f"plugin {plugin.id}")
        return plugin

    def register_yaml(
        self, text: str | bytes, *, source: str | None = None, replace: bool = False
    ) -> ConnectorSpec:
        """Add the connector that `text` describes; SpecError, and nothing is added, if invalid.

        `source` names its file. `replace` lets it take the place of another spec, never of a
        plugin.
        """
        spec = parse_connector(text, source=source)
        with self._lock:
            before = self._entries.get(spec.id)
            if before != spec:
                self._add(
                    spec, source=source, replace=replace and isinstance(before, ConnectorSpec)
                )
            if (spec.id in self._in_files) != bool(source):
                (self._in_files.add if source else self._in_files.discard)(spec.id)
                self._version += 1
        return spec

    def unregister(self, connector_id: str) -> None:
        """Remove a connector; one that is not there is no error."""
        with self._lock:
            if self._entries.pop(connector_id, None) is not None:
                self._version += 1
            self._in_files.discard(connector_id)

    def get(self, connector_id: str) -> Registered:
        """The connector with this id; ConfigError lists those there are."""
        with self._lock:
            if connector_id in self._entries:
                return self._entries[connector_id]
            known = ", ".join(sorted(self._entries)) or "none"
        raise ConfigError(f'"{connector_id}" is not registered', fix=f"known are: {known}")

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all connectors, in order of name."""
        with self._lock:
            return tuple(sorted(self._entries))

    def connectors(self, runtime: HttpRuntime | None = None) -> Connectors:
        """Connectors by id, ready to be read; specs send their requests through `runtime`.

        Specs that are files are left out: a project finds them in its folder.
        """
        with self._lock:
            entries = {
                name: entry
                for name, entry in sorted(self._entries.items())
                if name not in self._in_files
            }
        runtime = runtime or HttpRuntime()
        ready = {
            name: YamlConnector(entry, runtime)
            if isinstance(entry, ConnectorSpec)
            else entry.with_runtime(runtime)
            for name, entry in entries.items()
        }

        def more(connector_id: str) -> Connector[Any] | None:
            found = shipped(connector_id)
            return found.with_runtime(runtime) if found else None

        return Connectors(ready, more, self.broken)

    def __contains__(self, connector_id: object) -> bool:
        with self._lock:
            return connector_id in self._entries

    def __repr__(self) -> str:
        return f"ConnectorRegistry({', '.join(self.ids())})"

    def _add(self, entry: Registered, *, source: str | None, replace: bool = False) -> None:
        if entry.id in self._entries and not replace:
            fault = Fault("id", f'"{entry.id}" is registered already; choose another')
            raise SpecError([fault], source=source)
        self._entries[entry.id] = entry
        self._version += 1


connector_registry = ConnectorRegistry()
"""The registry of this process: what Dagster's definitions and the command line read."""
