"""A plugin on a bench: loaded, killed, gone on with, and its rows looked at."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connector_assets.errors import ConfigError
from connector_assets.load.urls import destination_from_url
from connector_assets.plugins.connector import PluginConnector
from connector_assets.project.connection import Connection
from connector_assets.reading.connector import Check
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.sync import Run, Synced, sync, table_of
from connector_assets.testing.home import home_of

_MOST_KILLS = 50


class PluginBench:
    """A plugin with values of its own and a DuckDB file in `folder`, as a project has it.

    `config` and `secrets` are what a connection would give; `allow_private` are hosts that
    `ctx.http` may call though they are private, as those of a test's server. Nothing of the
    environment is read.

    >>> bench = PluginBench(plugin, tmp_path, config={"path": "orders.csv"})
    >>> bench.load("orders").loaded.rows
    3
    """

    def __init__(
        self,
        plugin: PluginConnector,
        folder: Path,
        *,
        config: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
        allow_private: tuple[str, ...] = (),
    ) -> None:
        self.folder, self._plugin = Path(folder), plugin
        self._config, self._secrets = dict(config or {}), dict(secrets or {})
        self._allowed = allow_private
        self.connection = Connection(plugin.id, plugin.with_config(self._config), environ={})
        self._store = destination_from_url(f"duckdb:///{self.folder / 'data.duckdb'}")

    def check(self) -> Check:
        """The plugin's connection test."""
        first = self.connection.streams()[0]
        reading = self.connection.open(first, config=self._config, secrets=self._secrets)
        with self._runtime() as runtime:
            return self.connection.with_runtime(runtime).connector.check(reading)

    def _runtime(self) -> HttpRuntime:
        return HttpRuntime(allow_private=self._allowed, state=str(self.folder / "state"))

    def load(self, stream: str, **run: Any) -> Synced:
        """Load a stream as a run does; it goes on from what a killed one left.

        `run` is what `Run` takes: `full=True`, `limit=100`. Raises a ConnectorError.
        """
        with self._runtime() as runtime:
            return sync(
                self.connection.with_runtime(runtime),
                stream,
                self._store,
                Run(self.folder / "staging", **run),
                config=self._config,
                secrets=self._secrets,
            )

    def rows(self, stream: str) -> list[dict[str, Any]]:
        """The rows of a stream's table, in order of all their columns."""
        table = table_of(self.connection, self.connection.stream(stream))
        if not self._store.count(table):
            return []
        columns, found = self._store.query(
            f'select * from "{table.schema}"."{table.name}" order by all'  # noqa: S608 - made of ids
        )
        return [dict(zip([one.name for one in columns], row, strict=True)) for row in found]

    def types(self, stream: str) -> dict[str, str]:
        """The types of the columns of a stream's table, by name."""
        table = table_of(self.connection, self.connection.stream(stream))
        return {one.name: one.type for one in self._store.describe(table) or ()}

    def load_killed(self, stream: str, *, after: int) -> bool:
        """Load a stream in a process that SIGKILL ends after so many batches; whether it did.

        False says that the load was done before. The plugin must be a name of a module that can be
        imported, or of a file, such as the test's own.
        """
        told = {
            "home": home_of(self._plugin),
            "folder": str(self.folder),
            "config": self._config,
            "secrets": self._secrets,
            "allow_private": self._allowed,
            "stream": stream,
            "after": after,
        }
        done = subprocess.run(
            [sys.executable, "-m", "connector_assets.testing.killed"],
            input=json.dumps(told),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in (0, -signal.SIGKILL):
            raise ConfigError(done.stderr.strip()[-2000:], where=f"{self._plugin.id}.{stream}")
        return done.returncode != 0

    def assert_survives_kills(self, stream: str) -> None:
        """Kill a load after its first batch, its second, …, and compare with one that was not.

        AssertionError tells where rows are lost or doubled. `folder` should have no table yet.
        """
        whole = PluginBench(
            self._plugin,
            self.folder / "undisturbed",
            config=self._config,
            secrets=self._secrets,
            allow_private=self._allowed,
        )
        whole.load(stream)
        wanted = whole.rows(stream)
        for after in range(1, _MOST_KILLS + 1):
            disturbed = PluginBench(
                self._plugin,
                self.folder / f"killed_{after}",
                config=self._config,
                secrets=self._secrets,
                allow_private=self._allowed,
            )
            if not disturbed.load_killed(stream, after=after):
                return
            disturbed.load(stream)
            found = disturbed.rows(stream)
            if found != wanted:
                what = f"{len(found)} rows instead of {len(wanted)}, or others"
                raise AssertionError(f"{stream}: killed after batch {after}: {what}")
