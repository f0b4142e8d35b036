"""Runs as users start them: Dagster's own processes, a real instance, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from uuid import uuid4

import dagster as dg
import duckdb
import pytest
from dagster import DagsterInstance, DagsterRunStatus
from filelock import FileLock

from tests.assets.conftest import SECRET, SHOP, shop

MODULE = ("-m", "connector_assets.definitions")
ENOUGH_S = 120


def materialize(project, keys):
    select = " or ".join(f'key:"{key}"' for key in keys)
    return project.tool(
        "dagster", "asset", "materialize", *MODULE, "--select", select, timeout=ENOUGH_S
    )


@pytest.fixture
def held(api):
    """The server answers page 2 only once the event is set; `seen` tells that it was asked."""
    seen, go, inner = threading.Event(), threading.Event(), shop()

    def answer(request):
        if request.query.get("cursor") == "2":
            seen.set()
            go.wait(ENOUGH_S)
        return inner(request)

    api.answer = answer
    yield seen, go
    go.set()


@pytest.fixture
def started(shop_project):
    """Starts a materialisation of shop/items in a process group of its own."""
    running = []

    def start():
        command = [str(Path(sys.executable).with_name("dagster")), "asset", "materialize", *MODULE]
        child = subprocess.Popen(
            [*command, "--select", 'key:"shop/items"'],
            cwd=shop_project.root,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        running.append(child)
        return child

    yield start
    for child in running:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


def test_the_command_line_materialises_one_asset(shop_project):
    done = materialize(shop_project, ["shop/items"])
    assert done.returncode == 0, done.stderr
    assert len(shop_project.rows("shop.items")) == 12
    assert "12 rows in 4 pages" in done.stderr


def test_a_failing_stream_fails_the_command_stops_no_other_and_leaks_no_secret(
    shop_project, api, monkeypatch
):
    # Its name stands for the password that a server's URL may hold.
    state = f"state-{uuid4().hex}"
    monkeypatch.setenv("CONNECTOR_ASSETS_STATE", state)
    shop_project.write("specs/shop.yaml", SHOP.replace("name: v1.odd-name", "name: missing"))
    done = materialize(shop_project, ["shop/items", "shop/missing"])
    assert done.returncode == 1
    assert f"Failure: shop.missing: GET {api.host}/missing: 404; " in done.stderr
    assert len(shop_project.rows("shop.items")) == 12
    forms = [
        state,
        SECRET,
        SECRET.replace("/", "%2F").replace("+", "%2B"),
        json.dumps(SECRET)[1:-1],
    ]
    assert not [form for form in forms if form in done.stdout + done.stderr]
    leaking = [
        path
        for path in shop_project.root.rglob("*")
        if path.is_file() and any(form.encode() in path.read_bytes() for form in forms)
    ]
    assert leaking == []


def test_definitions_are_valid_for_dagster(shop_project):
    workspace = """
    load_from:
      - python_module:
          module_name: connector_assets.definitions
          location_name: connectors
          working_directory: .
    """
    shop_project.write("workspace.yaml", workspace)
    done = shop_project.tool(
        "dagster", "definitions", "validate", "-w", "workspace.yaml", timeout=ENOUGH_S
    )
    assert done.returncode == 0, done.stderr
    assert "BetaWarning" not in done.stderr


def test_a_schedule_launches_a_run_that_loads(shop_project):
    text = 'kind: connection\nversion: "1.0"\nid: shop\nconnector: shop\nschedule: "0 3 * * *"\n'
    shop_project.write("connections/shop.yaml", text)
    definitions = shop_project.definitions()
    schedule = definitions.resolve_schedule_def("shop_schedule")
    repository = definitions.get_repository_def()
    with (
        DagsterInstance.get() as instance,
        dg.build_schedule_context(instance, repository_def=repository) as context,
    ):
        (request,) = schedule.evaluate_tick(context).run_requests
    done = shop_project.tool(
        "dagster", "job", "execute", *MODULE, "-j", schedule.job_name, timeout=ENOUGH_S
    )
    assert request.asset_selection is None
    assert done.returncode == 0, done.stderr
    assert len(shop_project.rows("shop.items")) == 12
    assert len(shop_project.rows("shop.v1_odd_name")) == 12


def test_a_killed_run_leaves_the_old_table_and_the_next_goes_on(shop_project, api, held, started):
    seen, go = held
    api.answer, slow = shop(pages=1), api.answer
    assert materialize(shop_project, ["shop/items"]).returncode == 0
    api.answer = slow
    child = started()
    assert seen.wait(ENOUGH_S)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert len(shop_project.rows("shop.items")) == 3
    go.set()
    before = len(api.seen)
    done = materialize(shop_project, ["shop/items"])
    assert done.returncode == 0, done.stderr
    assert len(shop_project.rows("shop.items")) == 12
    asked = [request.query.get("cursor") for request in api.seen[before:]]
    # A page is asked for while the one before it is still on its way to the disk.
    assert asked in (["1", "2", "3"], ["2", "3"])


def test_an_interrupted_run_ends_at_once_though_the_server_is_silent(shop_project, held, started):
    seen, _ = held
    child = started()
    assert seen.wait(ENOUGH_S)
    os.killpg(child.pid, signal.SIGINT)
    assert child.wait(ENOUGH_S) != 0
    assert not (shop_project.root / "data.duckdb").exists()
    with DagsterInstance.get() as instance:
        (run,) = instance.get_runs()
    assert run.status in {DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED}


def test_a_step_that_outlives_its_run_loads_nothing(shop_project, api, held, started):
    seen, go = held
    child = started()
    assert seen.wait(ENOUGH_S)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    asked = len(api.seen)
    go.set()
    staging = shop_project.root / ".connector_assets" / "staging"
    # The lock on the stream is gone when the step is.
    with FileLock(next(staging.rglob("*.lock")), timeout=ENOUGH_S):
        assert len(api.seen) > asked
    with pytest.raises(duckdb.CatalogException):
        shop_project.rows("shop.items")
