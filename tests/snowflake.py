"""A server that answers as Snowflake does, as far as an emulator can: fakesnow, in an environment of its own."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector_assets.snowflake.account import Account, Proof
from connector_assets.snowflake.session import session
from tests.third_party.environments import python_environment
from tests.third_party.process import answering, free_port

SERVER = Path(__file__).parent / "third_party" / "snowflake_server.py"
PROOF = Proof(password="good-password")
ENVIRONMENT = {"SNOWFLAKE_PASSWORD": "good-password"}


@dataclass(frozen=True)
class Emulator:
    """A running server, and the folder with its log and its stage."""

    port: int
    folder: Path

    def url(self, database: str, more: str = "") -> str:
        at = f"host=127.0.0.1&port={self.port}&protocol=http"
        return f"snowflake://tester@acme/{database}?warehouse=loads&{at}{more}"

    def database(self) -> str:
        """The name of a database that is empty."""
        return f"DB{uuid.uuid4().hex[:12].upper()}"

    def run(self, database: str, *statements: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        with session(Account.from_url(self.url(database)), PROOF) as found:
            for statement in statements:
                rows = found.run(statement)
        return rows

    def noted(self, kind: str = "sql") -> list[Any]:
        lines = (self.folder / "statements.log").read_text().splitlines()
        return [what for found, what in map(json.loads, lines) if found == kind]

    def forget(self) -> None:
        (self.folder / "statements.log").write_text("")


@contextmanager
def serving_snowflake(folder: Path, *options: str) -> Iterator[Emulator]:
    """An emulator in a process of its own; it ends with the block."""
    port = free_port()
    python = python_environment("snowflake") / "python"
    command = [python, "-W", "ignore", SERVER, "--port", str(port), "--folder", folder, *options]
    with answering(command, f"http://127.0.0.1:{port}/", folder):
        yield Emulator(port, folder)
