"""Real databases of the tests' own, and a connection that reads one of them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.plugins.sql.discovery import discovered
from connector_assets.plugins.sql.plugin import connector
from connector_assets.plugins.sql.settings import SqlSettings
from connector_assets.project.connection import Connection
from connector_assets.reading.connector import Check
from connector_assets.spec.stream.stream import Stream
from tests.syncing import sync

POSTGRES_JAR = "/usr/share/java/postgresql.jar"
MARIADB_JAR = "/usr/share/java/mariadb-java-client.jar"


def needs_jdbc(jar: str = POSTGRES_JAR) -> None:
    if not (Path(jar).exists() and shutil.which("java")):
        pytest.skip(f"needs Java, and {jar}")


class Database:
    """A database as the plugin sees it: `streams()` are those it finds there, read from then on."""

    def __init__(self, folder: Path, **config: Any) -> None:
        self.folder, self.config = folder, config

    def given(self, **config: Any) -> Database:
        return Database(self.folder, **{**self.config, **config})

    @property
    def settings(self) -> SqlSettings:
        return SqlSettings.model_validate(self.config)

    @property
    def connection(self) -> Connection:
        streams = discovered(self.settings)
        # The URI may be a secret where a test gives a password in it.
        environ = {name: os.environ.get(name, "") for name in ("PATH", "HOME")}
        return Connection("shop", replace(connector, fixed=lambda _: streams), environ=environ)

    @property
    def values(self) -> Mapping[str, Any]:
        secrets = ("password", "secretOptions")
        config = {name: one for name, one in self.config.items() if name not in secrets}
        return {
            "config": config,
            "secrets": {n: self.config[n] for n in secrets if n in self.config},
        }

    def open(self, stream: str, **given: Any) -> Any:
        return self.connection.open(stream, **self.values, **given)

    def load(self, stream: str, to: str = "out.duckdb", **told: Any) -> Any:
        destination = DuckDBDestination(self.folder / to)
        told = {"staging": self.folder / "staging", **self.values, **told}
        return sync(self.connection, stream, destination, **told)

    def check(self) -> Check:
        stream = Stream.model_construct(name="any")
        found = Connection("shop", connector, environ={}).open(stream, **self.values)
        return connector.check(found)

    def rows(self, sql: str, to: str = "out.duckdb") -> list[tuple[Any, ...]]:
        import duckdb

        with duckdb.connect(str(self.folder / to)) as tables:
            return tables.execute(sql).fetchall()

    def types(self, table: str, to: str = "out.duckdb") -> dict[str, str]:
        return {row[0]: row[1] for row in self.rows(f"describe shop.{table}", to)}


@contextmanager
def relayed(path: str) -> Iterator[int]:
    """A port on loopback that leads to a Unix socket, which Java cannot open."""
    server = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, to: socket.socket) -> None:
        with source:  # the other way closes the other
            with suppress(OSError):
                while data := source.recv(1 << 16):
                    to.sendall(data)
            for one in (source, to):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = server.accept()
                there = socket.socket(socket.AF_UNIX)
                there.connect(path)
                for pair in ((client, there), (there, client)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()


@contextmanager
def serving_mariadb() -> Iterator[tuple[int, Any]]:
    """The port of a MariaDB from Debian's package, and a function that runs SQL as its root."""
    if not shutil.which("mariadbd"):
        pytest.skip("needs mariadb-server, as from Debian's package")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        data = f"{folder}/data"
        as_user = ["--user=mysql"] if os.geteuid() == 0 else []
        install = ["mariadb-install-db", "--no-defaults", *as_user, f"--datadir={data}"]
        given = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run([*install, *given], check=True, capture_output=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        told = [f"--socket={data}/s", f"--port={port}", "--bind-address=127.0.0.1"]
        server = subprocess.Popen(
            ["mariadbd", "--no-defaults", *as_user, f"--datadir={data}", *told],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert server.stderr
            for line in server.stderr:
                if "ready for connections" in line:
                    break
            threading.Thread(target=server.stderr.read, daemon=True).start()  # or it would block

            def run(sql: str, database: str = "") -> str:
                command = [
                    "mariadb",
                    "--default-character-set=utf8mb4",
                    f"--socket={data}/s",
                    "-uroot",
                ]
                done = subprocess.run(
                    [*command, "-N", *([database] if database else [])],
                    input=sql, capture_output=True, text=True,
                )  # fmt: skip
                assert done.returncode == 0, done.stderr
                return done.stdout

            yield port, run
        finally:
            server.terminate()
            server.wait()
            server.stderr.close()
