"""A machine that is gone with all that was on it is no loss: another goes on from the store."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import pytest

from connector_assets.errors import LoadError
from connector_assets.load.files.objects import Objects
from connector_assets.load.staging.staging import Staging
from tests.loopback import serving
from tests.s3 import SECRET, serving_s3
from tests.shop import shop_spec
from tests.syncing import sync
from tests.timeline import Project

SPEC = shop_spec("""
auth: [{type: none}]
endpoints:
  - id: items
    url: ORIGIN/items
    responseRowsPath: rows
    pagination: {type: cursor, cursorField: next}
read:
  streams: [{name: items, primaryKey: [id], writeMode: %s}]
""")
PAGES, ROWS = 8, 25


def rows(number):
    return [{"id": number * ROWS + n, "v": f"é {n}"} for n in range(ROWS)]


def answer(query):
    number = int(query.get("cursor", 0))
    return {"rows": rows(number), "next": str(number + 1) if number + 1 < PAGES else None}


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.third_party)])
def store(request, tmp_path):
    if request.param == "file":
        yield Objects(f"file://{tmp_path}/shared", "staging")
    else:
        with serving_s3(tmp_path):
            yield Objects("s3://lake/staging", "staging")


def machine(folder, name, store, origin):
    """A command for a machine that has nothing of the others' but what is in the store."""
    for one in ("home", "tmp"):
        (folder / name / one).mkdir(parents=True)
    (folder / name / "shop.yaml").write_text(SPEC.replace("ORIGIN", origin) % "append")
    environ = {
        **os.environ,
        "HOME": str(folder / name / "home"),
        "TMPDIR": str(folder / name / "tmp"),
        "CONNECTOR_ASSETS_STAGING": store.url,
        "CONNECTOR_ASSETS_ALLOW_PRIVATE": "127.0.0.1",
        "CONNECTOR_ASSETS_DESTINATION": f"duckdb:///{folder}/data.duckdb",
    }
    return subprocess.Popen(
        [Path(sys.executable).with_name("connector-assets"), "load", "shop.yaml"],
        cwd=folder / name,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_until(what):
    for _ in range(600):
        if what():
            return
        time.sleep(0.05)
    pytest.fail("it did not come to that")


def make_it_long_ago(store):
    """As if the machine had been lost an hour before: else the next one watches for 30 s."""
    (owner,) = [name for name in store.files("") if "/owners/" in name]
    store.replace(owner, json.dumps({**json.loads(store.read(owner)), "seen": 1e9}).encode())


def test_a_machine_that_is_lost_is_no_loss(store, tmp_path):
    stands = threading.Event()
    asked_last = threading.Event()

    def route(seen):
        if int(seen.query.get("cursor", 0)) == PAGES - 2 and not stands.is_set():
            asked_last.set()
            stands.wait(60)
        return answer(seen.query)

    with serving(route) as api:
        lost = machine(tmp_path, "a", store, api.origin)
        assert asked_last.wait(60), lost.communicate()
        wait_until(lambda: any(name.endswith(".piece") for name in store.files("")))
        os.killpg(lost.pid, signal.SIGKILL)
        lost.communicate()
        shutil.rmtree(tmp_path / "a")
        stands.set()
        make_it_long_ago(store)
        api.seen.clear()
        after = machine(tmp_path, "b", store, api.origin)
        said, _ = after.communicate(timeout=120)
        assert after.returncode == 0, said
        assert [one.query["cursor"] for one in api.seen] == [str(PAGES - 2), str(PAGES - 1)]
    with duckdb.connect(tmp_path / "data.duckdb") as db:
        got = db.sql("select id, v from shop.items order by id").fetchall()
    assert got == [(row["id"], row["v"]) for number in range(PAGES) for row in rows(number)]
    assert store.files("") == []
    assert SECRET not in said
    assert list((tmp_path / "b" / "tmp").iterdir()) == []


class Killed(Exception):
    pass


@pytest.mark.parametrize("mode", ["append", "merge", "replace", "scd2"])
def test_a_load_that_was_done_is_not_done_again(tmp_path, mode, monkeypatch):
    """The commit was the last thing that its machine did."""
    text = SPEC.replace("ORIGIN", "https://api.example.com") % mode
    one, other = (Project(tmp_path / name, text, lambda _, query: answer(query)) for name in "ab")
    other.destination = one.destination
    one.folder.mkdir()
    url = f"file://{tmp_path}/shared"

    def load(project, fence=None):
        return sync(project.connection, "items", project.destination, staging=url, fence=fence)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        load(one, lambda: patched.setattr(Staging, "clear", _killed))
    assert load(other).resumed_rows == PAGES * ROWS
    assert other.asked == []
    assert one.table("select count(*), count(distinct id) from shop.items") == [(200, 200)]
    assert Objects(url, "staging").files("") == []


def _killed(_self):
    raise Killed


def test_rows_that_another_load_has_overtaken_are_read_anew(tmp_path):
    text = SPEC.replace("ORIGIN", "https://api.example.com") % "replace"
    project = Project(tmp_path, text, lambda _, query: answer(query))
    url = f"file://{tmp_path}/shared"

    def load(staging, **given):
        return sync(project.connection, "items", project.destination, staging=staging, **given)

    def fence():
        raise Killed

    with pytest.raises(Killed):
        load(url, fence=fence)
    load(tmp_path / "local")
    told = load(url)
    assert told.resumed_rows == 0
    assert "another run loaded the table since" in " ".join(told.stats.notes)


def test_a_store_that_cannot_be_written_stops_before_the_first_request(tmp_path):
    text = SPEC.replace("ORIGIN", "https://api.example.com") % "replace"
    project = Project(tmp_path, text, lambda _, query: answer(query))
    (tmp_path / "shared").write_text("a file")
    with pytest.raises(LoadError, match="shop/items, file://"):
        sync(project.connection, "items", project.destination, staging=f"file://{tmp_path}/shared")
    assert project.asked == []
