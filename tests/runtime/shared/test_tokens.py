"""The token store: whole records, for one user, and one renewer at a time, even if one is killed."""

import json
import stat
import threading
import time
from multiprocessing import get_context

import pytest

from connector_assets.errors import Cancelled, ConnectorError
from connector_assets.runtime.shared.tokens import FileTokenStore, token_store


@pytest.fixture(params=["process", "folder"])
def store(request, tmp_path):
    return token_store(None if request.param == "process" else str(tmp_path))


@pytest.fixture
def key(request):
    return request.node.name.translate(str.maketrans("[]", "__"))


@pytest.fixture
def cancel():
    return threading.Event()


def test_what_is_written_is_read(store, key):
    assert store.read(key) is None
    store.write(key, {"access": "T1"})
    store.write(key, {"access": "T2", "expires_at": None})
    assert store.read(key) == {"access": "T2", "expires_at": None}


def test_one_thread_at_a_time_renews(store, key, cancel):
    inside, most, lock = [], [], threading.Lock()

    def renew():
        with store.lock(key, cancel):
            with lock:
                inside.append(1)
                most.append(len(inside))
            time.sleep(0.005)
            with lock:
                inside.pop()

    threads = [threading.Thread(target=renew, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 6


def test_other_keys_do_not_wait(store, key, cancel):
    with store.lock(key, cancel), store.lock(key + "other", cancel):
        pass


def test_waiting_is_cancellable(store, key, cancel):
    with store.lock(key, threading.Event()):
        cancel.set()
        with pytest.raises(Cancelled), store.lock(key, cancel):
            pytest.fail("two at once")


def test_an_error_while_renewing_frees_the_lock(store, key, cancel):
    with pytest.raises(ZeroDivisionError), store.lock(key, cancel):
        raise ZeroDivisionError
    with store.lock(key, cancel):
        pass


def test_files_are_the_users_alone(tmp_path, cancel):
    store = token_store(str(tmp_path))
    with store.lock("k", cancel):
        store.write("k", {"access": "T1"})
    files = list((tmp_path / "tokens").iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "tokens").stat().st_mode) == 0o700


def test_a_folder_that_others_may_enter_is_closed(tmp_path):
    (tmp_path / "tokens").mkdir(mode=0o755)
    token_store(str(tmp_path))
    assert stat.S_IMODE((tmp_path / "tokens").stat().st_mode) == 0o700


def test_a_store_that_cannot_be_written_says_so(tmp_path):
    store = FileTokenStore(tmp_path / "tokens")
    (tmp_path / "tokens").rmdir()
    with pytest.raises(ConnectorError, match="a token cannot be stored"):
        store.write("k", {"access": "T1"})


def hold(folder, held):
    with token_store(folder).lock("k", threading.Event()):
        held.set()
        time.sleep(60)


def test_a_killed_renewer_holds_nobody_up(tmp_path, cancel):
    context = get_context("spawn")
    held = context.Event()
    process = context.Process(target=hold, args=(str(tmp_path), held), daemon=True)
    process.start()
    assert held.wait(30)
    process.kill()
    process.join()
    with token_store(str(tmp_path)).lock("k", cancel):
        pass


def write_for_ever(folder, started):
    store, turn = token_store(folder), 0
    while True:
        turn += 1
        store.write("k", {"turn": turn, "padding": "x" * 100_000})
        started.set()


def test_a_record_is_whole_whenever_its_writer_is_killed(tmp_path):
    context = get_context("spawn")
    store, last = token_store(str(tmp_path)), 0
    for _ in range(3):
        started = context.Event()
        process = context.Process(target=write_for_ever, args=(str(tmp_path), started), daemon=True)
        process.start()
        assert started.wait(30)
        for _ in range(50):
            assert len(json.dumps(store.read("k"))) > 100_000
        process.kill()
        process.join()
        last = store.read("k")["turn"]
        assert last >= 1
