"""The servers that others wrote, and what is read from each: the table the documentation shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.third_party import (
    django_site,
    json_server,
    jupyterhub,
    kinto,
    mlflow,
    pouchdb_server,
    prefect,
    pygeoapi,
)
from tests.third_party.environments import version_of
from tests.third_party.process import Listing, Server


@dataclass(frozen=True)
class Served:
    """One process, and the specs it answers."""

    name: str
    serving: Callable[[Path], AbstractContextManager[Server]]
    listings: Sequence[Listing]


SERVED = [
    Served(one.__name__.rpartition(".")[2], one.serving, one.LISTINGS)
    for one in (
        django_site,
        json_server,
        jupyterhub,
        kinto,
        mlflow,
        pouchdb_server,
        prefect,
        pygeoapi,
    )
]


def table() -> str:
    """What the documentation shows, as Markdown."""
    lines = ["| package | version | auth | stream | how its list goes on | rows |"]
    lines.append("|---|---|---|---|---|---|")
    for one in [listing for served in SERVED for listing in served.listings]:
        for stream, rows in one.rows.items():
            cells = (one.package, version_of(one.package), one.auth, f"`{one.id}.{stream}`")
            lines.append(f"| {' | '.join(cells)} | {one.styles[stream]} | {rows:,} |")
    return "\n".join(lines)
