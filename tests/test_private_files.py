"""What is stored on the way is the user's alone, whatever a neighbour or the umask says."""

from __future__ import annotations

import os
import stat
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from connector_assets.errors import Busy, ConfigError, ConnectorError
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.load.files.folders import LocalFolder, ObjectFolder
from connector_assets.load.files.lock import PathLock
from connector_assets.load.order import Order
from connector_assets.load.staging.staging import Staging
from connector_assets.load.table import Table
from connector_assets.load.urls import destination_from_url
from connector_assets.private import open_private, private_file, private_folder, private_root
from connector_assets.project.connection import Connection
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.runtime.shared.budget import budget_for
from connector_assets.runtime.shared.tokens import token_store
from connector_assets.spec.document import parse_connector
from connector_assets.spec.dynamic import discovered, write_lock
from connector_assets.spec.endpoint import RateLimit
from tests.loopback import serving
from tests.shop import shop_spec
from tests.syncing import sync

pytestmark = pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX's")

SPEC = shop_spec("""
rateLimit: {requestsPerSecond: 1000, concurrency: 2}
auth: [{type: none}]
endpoints:
  - id: items
    url: "ORIGIN/items"
    responseRowsPath: rows
    pagination: {type: page, pageSize: 1}
    retry: {maxAttempts: 1}
read:
  streams: [{name: items, primaryKey: [id], writeMode: merge, columns: {n: bigint}, schemaPolicy: quarantine}]
""")


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


def open_to_others(*folders):
    """What others could read, look into or write."""
    for top in folders:
        for path in [top, *top.rglob("*")]:
            mode = path.lstat().st_mode
            if mode & 0o077:
                yield f"{path.relative_to(top.parent)} {stat.S_IMODE(mode):o}"


def test_all_that_is_stored_on_the_way_is_the_users_alone(tmp_path, umask, monkeypatch):
    """While pages come, while rows are typed, after a failure, and at the end."""
    staging, state = tmp_path / "mine/staging", tmp_path / "mine/state"
    found, down = [], [True]

    def look():
        found.extend(open_to_others(tmp_path / "mine"))

    def answer(request):
        look()
        if request.path == "/token":
            return {"access_token": "t", "expires_in": 3600}
        page = int(request.query.get("page", 1))
        if page == 3 and down[0]:
            return 500, {}
        return {"rows": [{"id": page, "n": page if page != 2 else "no number"}] if page < 4 else []}

    with serving(answer) as api, HttpRuntime([api.host], state=str(state)) as runtime:
        connector = YamlConnector(parse_connector(SPEC.replace("ORIGIN", api.origin)), runtime)
        connection = Connection("shop", connector, environ={})
        given = {"staging": staging, "fence": look}
        destination = DuckDBDestination(tmp_path / "data.duckdb")
        with pytest.raises(ConnectorError):
            sync(connection, "items", destination, **given)
        look()
        down[0] = False
        done = sync(connection, "items", destination, **given)
    look()
    assert (done.loaded.rows, done.loaded.rejected) == (2, 1)
    assert not found
    assert (state / "budget").is_dir()


def test_tokens_are_the_users_alone(tmp_path, umask):
    store = token_store(str(tmp_path / "mine/state"))
    with store.lock("k", threading.Event()):
        store.write("k", {"access_token": "t"})
        assert not list(open_to_others(tmp_path / "mine"))


def test_what_an_earlier_version_left_open_is_closed(tmp_path):
    names = {"connection": "c", "stream": "s", "fingerprint": "f"}
    with Staging(tmp_path / "staging", **names) as staging:
        staging.append(b'{"a":1}\n', 1, "c1")
    for path in [tmp_path / "staging", *(tmp_path / "staging").rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    with Staging(tmp_path / "staging", **names) as staging:
        staging.append(b'{"a":2}\n', 1, "c2")
        assert staging.rows == 2
        assert not list(open_to_others(tmp_path / "staging"))


def test_a_folder_with_other_things_in_it_keeps_its_mode(tmp_path):
    (tmp_path / "data").mkdir(mode=0o755)
    (tmp_path / "data/report.csv").write_text("a")
    with Staging(tmp_path / "data", connection="c", stream="s", fingerprint="f") as staging:
        staging.append(b'{"a":1}\n', 1, "c1")
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o755
    assert not list(open_to_others(tmp_path / "data/c", tmp_path / "data/.locks"))


# --- links and other users' files: where each thing goes, and what makes us write there


def stage(root: Path) -> None:
    with Staging(root / "staging", connection="c", stream="s", fingerprint="f") as staging:
        staging.append(b'{"a":1}\n', 1, "c1")


def spend(root: Path) -> None:
    limit = RateLimit(requestsPerSecond=1000, concurrency=1)
    budget = budget_for("shop", limit, clock=Clock(), store=str(root / "state"))
    with budget.slot(threading.Event()):
        budget.take(threading.Event())


def renew(root: Path) -> None:
    store = token_store(str(root / "state"))
    with store.lock("k", threading.Event()):
        store.read("k")
        store.write("k", {"a": 1})


def lock_duckdb(root: Path) -> None:
    DuckDBDestination(root / "d.duckdb").load(Order(Table("s", "t"), "append"))


def lock_parquet(root: Path) -> None:
    with PathLock(LocalFolder(root / "lake").lock_path("s/t.lock"), what="t"):
        pass


def lock_bucket(root: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONNECTOR_ASSETS_STATE", str(root / "state"))
        with PathLock(ObjectFolder(f"file://{root}/lake").lock_path("s/t.lock"), what="t"):
            pass


WRITES = [stage, spend, renew, lock_duckdb, lock_parquet, lock_bucket]


def places(write, root):
    """Every file and folder of ours that `write` leaves below the roots that people choose."""
    write(root)
    chosen = {root / "staging", root / "state", root / "lake", root / "d.duckdb"}
    return sorted(path.relative_to(root) for path in root.rglob("*") if path not in chosen)


def cleared(root):
    for path in sorted(root.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


@contextmanager
def refusing(what):
    """It may be refused in our words, or be without harm, as where the link itself is replaced."""
    try:
        yield
    except ConfigError as error:
        assert what in str(error)  # noqa: PT017


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("there", [True, False], ids=["to a file", "to nothing"])
def test_no_link_is_followed_wherever_something_of_ours_goes(tmp_path, write, there):
    root, precious = tmp_path / "root", tmp_path / "precious"
    root.mkdir()
    found = places(write, root)
    assert found
    for place in found:
        is_folder = (root / place).is_dir()
        cleared(root)
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        if there and is_folder:
            precious.mkdir(exist_ok=True)
        elif there:
            precious.write_text("precious")
        (root / place).symlink_to(precious)
        with refusing("is a link"):
            write(root)
        if there and is_folder:
            assert not list(precious.iterdir()), place
            precious.rmdir()
        elif there:
            assert precious.read_text() == "precious", place
            precious.unlink()
        assert not precious.exists(), place


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("write", WRITES)
def test_nothing_of_another_users_is_taken(tmp_path, write):
    for place in places(write, tmp_path):
        os.chown(tmp_path / place, 12_345, 12_345)
        with pytest.raises(ConfigError, match="belongs to another user"):
            write(tmp_path)
        os.chown(tmp_path / place, 0, 0)


def test_a_pipe_where_a_file_goes_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "lock")
    for use in (
        lambda: open_private(tmp_path / "lock"),
        lambda: private_file(tmp_path / "lock", "wb"),
    ):
        with pytest.raises(ConfigError, match="is no file"):
            use()


def test_a_second_name_of_a_file_is_not_written_through(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "lock").hardlink_to(tmp_path / "precious")
    with PathLock(tmp_path / "lock", what="t"):
        assert (tmp_path / "precious").read_text() == "precious"
    assert (tmp_path / "precious").read_text() == "precious"


def test_the_root_may_be_a_link_of_the_operators(tmp_path):
    (tmp_path / "big").mkdir()
    (tmp_path / "staging").symlink_to(tmp_path / "big")
    stage(tmp_path)
    assert (tmp_path / "big/c/s").is_dir()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_the_root_may_not_be_a_link_of_anyone_else(tmp_path):
    (tmp_path / "big").mkdir()
    (tmp_path / "staging").symlink_to(tmp_path / "big")
    os.chown(tmp_path / "staging", 12_345, 12_345, follow_symlinks=False)
    with pytest.raises(ConfigError, match="belongs to another user"):
        stage(tmp_path)
    assert not list((tmp_path / "big").iterdir())


def test_folders_on_the_way_to_a_root_are_made_for_the_user_alone(tmp_path, umask):
    private_folder(private_root(tmp_path / "a/b/c") / "d")
    assert not list(open_to_others(tmp_path / "a"))


def test_nothing_of_a_bucket_lies_in_the_temporary_folder(tmp_path, monkeypatch):
    shared = tmp_path / "tmp"
    shared.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(shared))
    monkeypatch.setenv("CONNECTOR_ASSETS_STATE", str(tmp_path / "state"))
    destination = destination_from_url(f"parquet+file://{tmp_path}/lake")
    path = destination._folder.lock_path("s/t.lock")
    with PathLock(path, what="t"), pytest.raises(Busy), PathLock(path, what="t"):
        pass
    assert path.parent == tmp_path / "state/locks"
    assert not list(shared.iterdir())


def test_a_file_that_is_replaced_is_written_under_no_name_that_could_be_known(tmp_path):
    lock, precious = tmp_path / "a.lock.yaml", tmp_path / "precious"
    precious.write_text("precious")
    for name in (".a.lock.yaml.new", ".a.lock.yaml.tmp", f".a.lock.yaml.{os.getpid()}"):
        (tmp_path / name).symlink_to(precious)
    write_lock(lock, "a", [])
    assert discovered(lock, "a") == ()
    assert stat.S_IMODE(lock.stat().st_mode) == 0o644
    lock.chmod(0o640)
    write_lock(lock, "b", [])
    assert stat.S_IMODE(lock.stat().st_mode) == 0o640
    assert precious.read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 5, "nothing is left behind"


@pytest.mark.parametrize("umask", [0o777, 0o277, 0o177], ids=oct, indirect=True)
def test_a_umask_that_takes_from_the_user_does_not_lock_them_out(tmp_path, umask):
    stage(tmp_path)
    renew(tmp_path)
    modes = {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "state").rglob("*")}
    assert modes == {0o700, 0o600}
