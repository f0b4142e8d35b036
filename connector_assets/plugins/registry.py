"""The connectors that Python code registered; files in a project's folders need no registering.

Nothing is found by looking around: a plugin is registered by a module that someone imports, and
the environment variable CONNECTOR_ASSETS_PLUGINS lists the modules to import.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Mapping
from threading import RLock
from typing import Any

from connector_assets.errors import ConfigError, Fault, SpecError
from connector_assets.plugins.connector import PluginConnector
from connector_assets.plugins.shipped import shipped
from connector_assets.project.known import Connectors
from connector_assets.project.settings import variable
from connector_assets.reading.connector import Connector
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.document import parse_connector

PLUGINS_VARIABLE = variable("PLUGINS")

Registered = PluginConnector | ConnectorSpec


class ConnectorRegistry:
    """Connectors by id, each id once. Threads may share it."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._entries: dict[str, Registered] = {}
        self._in_files: set[str] = set()
        self._version = 0

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

        return Connectors(ready, more)

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


def import_plugins(environ: Mapping[str, str] | None = None) -> None:
    """Import the modules that CONNECTOR_ASSETS_PLUGINS lists; they register their plugins.

    They are looked for in the working directory too, as `python -m` does: what starts a process of
    Dagster decides what else is on its path, and a step must find the modules that its parent did.
    """
    listed = (os.environ if environ is None else environ).get(PLUGINS_VARIABLE, "")
    if listed and os.getcwd() not in sys.path:  # noqa: PTH109 - sys.path holds text
        sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as above
    _import_modules(name.strip() for name in listed.split(",") if name.strip())


def _import_modules(names: Iterable[str]) -> None:
    for name in names:
        try:
            importlib.import_module(name)
        except SpecError:
            raise
        except ModuleNotFoundError as error:
            raise ConfigError(
                f'module "{error.name}" is not found',
                where=f"{PLUGINS_VARIABLE}: {name}",
                fix="install it, or add its folder to PYTHONPATH",
            ) from error
        except Exception as error:
            raise ConfigError(
                f"{type(error).__name__}: {error}", where=f"{PLUGINS_VARIABLE}: {name}"
            ) from error
