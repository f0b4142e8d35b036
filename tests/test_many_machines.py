"""Two Celery workers as on two machines: other folders, homes and temporary folders, one vendor.

Redis holds the queue and the vendor's budget, PostgreSQL holds what Dagster knows and the tables.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.loopback import serving
from tests.postgres import run
from tests.runtime.shared.state_servers import postgres_url, redis_url  # noqa: F401 - fixtures
from tests.third_party.environments import python_environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples" / "deploy" / "celery"
RATE, BURST, CONCURRENCY = 20, 4, 4
PAGES, PER_PAGE = 100, 10
STREAMS = ("items", "orders")
VISIBLE_S = 8
SPEC = f"""
kind: connector
version: "1.0"
id: shop
displayName: Shop
config: {{base_url: {{type: string}}}}
auth: [{{type: none}}]
rateLimit: {{requestsPerSecond: {RATE}, burstSize: {BURST}, concurrency: {CONCURRENCY}}}
endpoints:
  - id: list
    url: "{{{{base_url}}}}/{{{{stream}}}}"
    responseRowsPath: rows
    pagination: {{type: cursor, cursorField: next, maxPages: 1000}}
read:
  primary: list
  streams:
    - {{name: items, primaryKey: [id]}}
    - {{name: orders, primaryKey: [id]}}
"""


@dataclass
class Vendor:
    """Two lists of pages; it keeps when each request came."""

    came: list[tuple[float, str]]

    def __call__(self, request):
        self.came.append((time.monotonic(), request.path))
        page = int(request.query.get("cursor", 0))
        rows = [{"id": page * PER_PAGE + n, "page": page} for n in range(PER_PAGE)]
        return {"rows": rows, "next": str(page + 1) if page + 1 < PAGES else None}

    def asked(self, stream):
        return sum(path == f"/{stream}" for _, path in list(self.came))

    def most_above_rate(self):
        """The most requests, in any stretch of time, beyond those that the rate gives it."""
        times = [at for at, _ in self.came]
        return max(
            last - first + 1 - RATE * (times[last] - times[first])
            for first in range(len(times))
            for last in range(first, len(times))
        )


@dataclass
class Machine:
    """A folder with a working folder, a home and a temporary folder of its own in it."""

    root: Path
    programs: Path
    environ: dict[str, str]

    def start(self, *command, log):
        """A program of the environment with dagster-celery, in a process group of its own."""
        name, *rest = command
        with (self.root / log).open("wb") as output:
            return subprocess.Popen(
                [self.programs / name, *rest],
                cwd=self.root / "work",
                env=self.environ,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def worker(self):
        app = ("--app", "dagster_celery.app", "worker", "--queues", "dagster")
        name = ("--hostname", f"{self.root.name}@%h", "--concurrency", "1")
        return self.start("celery", *app, *name, "--without-mingle", log="worker.log")

    def materialize(self, *streams):
        keys = " or ".join(f'key:"shop/{stream}"' for stream in streams)
        module = ("-m", "connector_assets.definitions")
        return self.start(
            "dagster", "asset", "materialize", *module, "--select", keys, log="run.log"
        )

    def said(self, log):
        return (self.root / log).read_text(errors="replace")


@pytest.fixture
def vendor():
    vendor = Vendor([])
    with serving(vendor) as api:
        vendor.api = api
        yield vendor


@pytest.fixture
def databases(postgres_url):  # noqa: F811
    names = ("dagster_storage", "shop_tables")
    for name in names:
        run(postgres_url, f"drop database if exists {name}")
        run(postgres_url, f"create database {name}")
    return [postgres_url.replace("/postgres?", f"/{name}?") for name in names]


@pytest.fixture
def machine(tmp_path, vendor, redis_url, databases):  # noqa: F811
    programs = python_environment("machines")
    storage, tables = databases

    def make(name):
        root = tmp_path / name
        for folder in ("work", "home", "tmp", "dagster", "project/specs"):
            (root / folder).mkdir(parents=True)
        shutil.copy(EXAMPLES / "dagster.yaml", root / "dagster")
        (root / "project/specs/shop.yaml").write_text(SPEC)
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
        queue = redis_url.rpartition("/")[0]
        environ = {
            **kept,
            "HOME": str(root / "home"),
            "TMPDIR": str(root / "tmp"),
            "PYTHONPATH": f"{ROOT}:{EXAMPLES}",
            "DAGSTER_HOME": str(root / "dagster"),
            # dagster-postgres speaks psycopg2, which SQLAlchemy 2.1 takes only where it is named.
            "DAGSTER_POSTGRES": storage.replace("postgresql:", "postgresql+psycopg2:"),
            "CELERY_BROKER": f"{queue}/1",
            "CELERY_BACKEND": f"{queue}/2",
            "CELERY_VISIBILITY_TIMEOUT": str(VISIBLE_S),
            "C_FORCE_ROOT": "1",
            "CONNECTOR_ASSETS_SPECS": str(root / "project/specs"),
            "CONNECTOR_ASSETS_STAGING": str(root / "project/staging"),
            "CONNECTOR_ASSETS_STATE": redis_url,
            "CONNECTOR_ASSETS_DESTINATION": tables,
            "CONNECTOR_ASSETS_EXECUTOR": "dagster_celery:celery_executor",
            "CONNECTOR_ASSETS_EXECUTOR_CONFIG": str(EXAMPLES / "executor.yaml"),
            "CONNECTOR_ASSETS_ALLOW_PRIVATE": vendor.api.host,
            "SHOP__BASE_URL": vendor.api.origin,
        }
        return Machine(root, programs, environ)

    return make


@pytest.fixture
def alive():
    """Starts what is to be ended with the test, children and all."""
    with ExitStack() as ends:

        def watch(process):
            ends.callback(kill, process)
            return process

        yield watch


def kill(process):
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def rows(tables, stream):
    return run(tables, f"select count(*), count(distinct id), max(page) from shop.{stream}")[0]


def until(true, process, machine):
    """Wait for the vendor to be asked, or the run to end."""
    while not true():
        assert process.poll() is None, machine.said("run.log")[-5000:]
        time.sleep(0.05)


ALL = (PAGES * PER_PAGE, PAGES * PER_PAGE, PAGES - 1)
# Those under way at once may come together, though they were sent one after the other.
MOST_ABOVE_RATE = BURST + CONCURRENCY


def test_a_killed_workers_step_is_done_by_the_other_within_the_budget(
    machine, alive, vendor, databases
):
    control, one, two = (machine(name) for name in ("control", "one", "two"))
    killed = alive(one.worker())
    alive(two.worker())
    first = alive(control.materialize(*STREAMS))
    # Both read at once, each from its worker.
    until(lambda: min(map(vendor.asked, STREAMS)) >= 15, first, control)
    kill(killed)
    at, asked = time.monotonic(), len(vendor.came)
    first.wait()
    said = control.said("run.log")
    assert first.returncode == 0, said[-5000:]
    print(f"killed after {asked} requests; run over {time.monotonic() - at:.1f} s later, with")
    print(f"{len(vendor.came)} requests; at most {vendor.most_above_rate():.1f} above the rate")
    assert [rows(databases[1], stream) for stream in STREAMS] == [ALL, ALL]
    assert vendor.most_above_rate() <= MOST_ABOVE_RATE
    # What the killed one had read is read again: staging is a machine's own.
    assert PAGES * 2 < len(vendor.came) < PAGES * 3
    assert "CONNECTOR_ASSETS_STATE" not in said

    # It comes back with what it had staged, and the next run gives the same tables.
    alive(one.worker())
    again = alive(control.materialize(*STREAMS))
    again.wait()
    assert again.returncode == 0, control.said("run.log")[-5000:]
    assert [rows(databases[1], stream) for stream in STREAMS] == [ALL, ALL]
    assert vendor.most_above_rate() <= MOST_ABOVE_RATE
