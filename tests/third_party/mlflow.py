"""MLflow's tracking server: an opaque token, in the query or in the body of a POST."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from tests.third_party.environments import python_environment
from tests.third_party.process import Listing, Server, answering, free_port

ROWS = {"experiments": 31, "runs": 930}
STYLES = {
    "experiments": "token in the body, sent back in the query",
    "runs": "POST, once for each experiment, token sent back in a JSON body",
}
LISTINGS = (Listing("mlflow", "mlflow", "none", ROWS, STYLES),)


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    port, tools = free_port(), python_environment("mlflow")
    url = f"http://127.0.0.1:{port}/api/2.0/mlflow"
    store = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command = [tools / "mlflow", "server", "--workers", "1", "--port", str(port), *store]
    env = {"PATH": f"{tools}:/usr/bin:/bin", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with answering(command, f"http://127.0.0.1:{port}/health", folder, env):
        with httpx.Client(base_url=url, timeout=60) as api:
            _fill(api)
        yield Server(url, lambda stream: _count(folder / "mlflow.db", stream))


def _fill(api: httpx.Client) -> None:
    """30 experiments beside the one that is there from the start, with 31 runs each."""
    for number in range(ROWS["experiments"] - 1):
        body: dict[str, object] = {"name": f"experiment {number}"}
        made = api.post("/experiments/create", json=body).raise_for_status().json()
        for start in range(31):
            body = {"experiment_id": made["experiment_id"], "start_time": start, "run_name": "r"}
            api.post("/runs/create", json=body).raise_for_status()


def _count(store: Path, stream: str) -> int:
    """The API counts nothing: what the server has stored."""
    with closing(sqlite3.connect(store)) as database:
        [[rows]] = database.execute(f"select count(*) from {stream}").fetchall()
    return int(rows)
