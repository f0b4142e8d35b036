"""The servers that others wrote, and what is read from each: the table the documentation shows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.third_party import (
    json_server,
    jupyterhub,
    kinto,
    mlflow,
    pouchdb_server,
    prefect,
    pygeoapi,
)
from tests.third_party.environments import version_of
from tests.third_party.process import Server


@dataclass(frozen=True)
class Served:
    """A spec `specs/<id>.yaml`, who answers it, and the rows of each of its streams."""

    id: str
    package: str
    auth: str
    serving: Callable[[Path], AbstractContextManager[Server]]
    rows: dict[str, int]
    styles: dict[str, str]


SERVED = [
    Served(one.__name__.rpartition(".")[2], one.PACKAGE, one.AUTH, one.serving, one.ROWS, one.STYLES)
    for one in (json_server, jupyterhub, kinto, mlflow, pouchdb_server, prefect, pygeoapi)
]


def table() -> str:
    """What the documentation shows, as Markdown."""
    lines = ["| server | version | auth | stream | how its list goes on | rows |"]
    lines.append("|---|---|---|---|---|---|")
    for one in SERVED:
        for stream, rows in one.rows.items():
            cells = (one.package, version_of(one.package), one.auth, f"`{stream}`")
            lines.append(f"| {' | '.join(cells)} | {one.styles[stream]} | {rows:,} |")
    return "\n".join(lines)
