"""Staging in an object store: what one machine staged, another goes on with."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import fsspec
import pytest

from connector_assets.errors import Busy, ConfigError, LoadError
from connector_assets.load.files.objects import Objects
from connector_assets.load.staging import lease as leases
from connector_assets.load.staging import pieces as pieces_module
from connector_assets.load.staging import remote_copy
from connector_assets.load.staging.lease import DEAD_S, Lease
from connector_assets.load.staging.pieces import Pieces
from connector_assets.load.staging.remote_copy import RemoteCopy
from connector_assets.load.staging.shared import staging as staged_at
from connector_assets.load.staging.shared import sweep
from connector_assets.load.staging.staging import Staging
from tests.s3 import SECRET, serving_s3

PLACE = "crm/people/all"


def staging(url: str, fingerprint: str = "f", **others: Any) -> AbstractContextManager[Staging]:
    whose = {"connection": "crm", "stream": "people", "partition": None, "run_id": "r-1"}
    return staged_at(url, **{**whose, "fingerprint": fingerprint, "after": None, **others})


def page(number: int) -> bytes:
    return b"".join(b'{"id":%d}\n' % row for row in range(number * 10, number * 10 + 10))


def pages(*numbers: int) -> bytes:
    return b"".join(map(page, numbers))


def content(staged: Staging) -> bytes:
    return b"".join(segment.path.read_bytes() for segment in staged.segments())


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving_s3(tmp_path_factory.mktemp("s3")):
        yield "s3://lake"


S3 = pytest.param("s3", marks=pytest.mark.third_party)


@pytest.fixture(params=["file", "memory", S3])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        return f"{request.getfixturevalue('bucket')}/{tmp_path.name}"
    if request.param == "memory":
        return f"memory://{tmp_path.name}"
    return f"file://{tmp_path}/shared"


@pytest.fixture
def disk(tmp_path: Path) -> str:
    return f"file://{tmp_path}/shared"


def kept(url: str) -> list[str]:
    return sorted(Objects(url, "staging").files(""))


def pieces(url: str) -> list[str]:
    return [name for name in kept(url) if name.endswith(".piece")]


def owners(url: str) -> list[str]:
    return [name for name in kept(url) if "/owners/" in name]


def test_another_machine_goes_on_after_the_last_batch(url: str) -> None:
    with staging(url) as staged:
        assert (staged.resume, staged.rows, staged.note) == (None, 0, "")
        staged.append(page(0), 10, "to 1", cursor={"": {"value": 9}})
        staged.append(page(1), 10, "to 2", lacks="a reason")
        load_id = staged.load_id
    with staging(url) as staged:
        assert (staged.resume, staged.complete, staged.rows) == ("to 2", False, 20)
        assert dict(staged.cursor.items()) == {"": {"value": 9}}
        assert (staged.load_id, list(staged.lacks)) == (load_id, ["a reason"])
        assert staged.note == "found 20 staged rows: going on from there"
        staged.append(page(2), 10, complete=True)
    with staging(url) as staged:
        assert (staged.complete, content(staged)) == (True, pages(0, 1, 2))
        staged.clear()
        assert content(staged) == b""
    assert kept(url) == []


def test_rows_to_load_are_all_in_the_store(url: str) -> None:
    """Else those that a killed load has loaded would be read again, and loaded by no one."""
    with staging(url) as staged:
        staged.append(page(0), 10, complete=True)
        assert [len(owners(url)), len(pieces(url))] == [1, 0]
        assert content(staged) == page(0)
        assert [len(owners(url)), len(kept(url))] == [1, 3]
        staged.clear()
    assert kept(url) == []


def test_a_folder_on_a_disk_is_its_users_alone(disk: str, tmp_path: Path) -> None:
    with staging(disk) as staged:
        staged.append(page(0), 10, "to 1")
        local = staged.segments()[0].path
        assert not local.is_relative_to(tmp_path / "shared")
        assert local.stat().st_mode & 0o77 == 0
    assert not local.exists()
    assert (tmp_path / "shared").stat().st_mode & 0o77 == 0


def test_a_partition_and_a_dotted_name_have_their_own_place(disk: str) -> None:
    for number, key in enumerate(("a/b", "a%2Fb", "..", "2024-01-01|eu")):
        with staging(disk, partition=key) as staged:
            assert staged.rows == 0
            staged.append(page(number), 10, str(number))
    with staging(disk, partition="a%2Fb") as staged:
        assert (staged.resume, content(staged)) == ("1", page(1))


def test_a_rewind_holds_on_the_next_machine(disk: str) -> None:
    with staging(disk) as staged:
        for number in range(3):
            staged.append(page(number), 10, f"to {number + 1}")
    with staging(disk) as staged:
        staged.rewind("to 1")
        staged.append(page(7), 10, "to 8")
    with staging(disk) as staged:
        assert (staged.resume, content(staged)) == ("to 8", pages(0, 7))
        staged.rewind("")
        staged.append(page(5), 10, "to 6")
    with staging(disk) as staged:
        assert (staged.resume, content(staged)) == ("to 6", page(5))


def test_another_definition_or_another_load_drops_the_copy(disk: str) -> None:
    for given in ({"fingerprint": "g"}, {"after": "load 9"}):
        with staging(disk, after="load 8") as staged:
            staged.append(page(0), 10, "to 1")
        with staging(disk, **given) as staged:
            assert staged.rows == 0
            assert "starting over" in staged.note
        assert kept(disk) == []


def test_rows_after_the_last_checkpoint_are_read_again(disk: str) -> None:
    with staging(disk) as staged:
        staged.append(page(0), 10, "to 1")
        staged.append(page(1), 10)
    with staging(disk) as staged:
        assert (staged.resume, content(staged)) == ("to 1", page(0))
        staged.append(page(2), 10, "to 3")
    with staging(disk) as staged:
        assert (staged.resume, content(staged)) == ("to 3", pages(0, 2))


def test_files_of_rows_and_batches_larger_than_an_object_come_back(
    disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_copy, "_PART_BYTES", 64)
    monkeypatch.setattr("connector_assets.load.staging.staging._FILE_BYTES", 150)
    monkeypatch.setattr("connector_assets.load.staging.pieces._AT_ONCE", 2)
    for number in range(5):
        with staging(disk) as staged:
            assert content(staged) == pages(*range(number))
            staged.append(page(number), 10, f"to {number + 1}")
            assert len(staged.segments()) == number // 2 + 1
    assert len(pieces(disk)) == 5


def test_many_small_pages_share_an_object(disk: str) -> None:
    with staging(disk) as staged:
        for number in range(2000):
            staged.append(page(number), 10, f"to {number + 1}")
    assert len(pieces(disk)) < 20
    with staging(disk) as staged:
        assert content(staged) == pages(*range(2000))


class FakeLease:
    """Of a stream that nobody else wants."""

    session, is_kept = "000001-aa", True

    def require(self) -> None: ...


@pytest.mark.parametrize(
    ("seconds", "size", "copied"), [(0.0, 10, 0), (1.9, 10, 0), (2.0, 10, 1), (0.0, 9 << 20, 1)]
)
def test_it_is_copied_by_time_or_by_size(
    disk: str, tmp_path: Path, seconds: float, size: int, copied: int
) -> None:
    clock, folder = Time(0.0), tmp_path / "local"
    folder.mkdir()
    copy = RemoteCopy(Pieces(Objects(disk, "staging"), PLACE), FakeLease(), folder, clock)  # type: ignore[arg-type]
    (folder / "journal").write_bytes(b"x" * size)
    copy.reaches({"journal": size})
    clock.at = seconds
    assert copy._is_due() == bool(copied)


# Leases


class Time:
    """The time of one machine; sleeping moves it, and what happens meanwhile is `then`."""

    def __init__(self, at: float = 1e9) -> None:
        self.at, self.slept = at, 0.0
        self.then: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        self.slept += seconds
        self.then()


def lease(url: str, clock: Time) -> Lease:
    return Lease(
        Objects(url, "staging"), PLACE, what="crm/people", run_id="r", now=clock, monotonic=clock, sleep=clock.sleep
    )  # fmt: skip


def test_who_gives_a_sign_has_the_stream(url: str) -> None:
    mine, yours = Time(), Time(at=5e8)  # clocks need not agree
    with lease(url, mine) as held:

        def sign() -> None:
            mine.at += 5
            held.look()

        yours.then = sign
        with pytest.raises(Busy) as busy, lease(url, yours):
            pass
        assert str(busy.value).startswith(f"crm/people: held by process {os.getpid()} on ")
        assert ", run r; " in str(busy.value)
        held.require()
    with lease(url, yours):
        assert yours.slept < DEAD_S


def test_who_gives_no_sign_loses_it_and_is_told(url: str) -> None:
    mine, yours = Time(), Time()
    with lease(url, mine) as held:
        with lease(url, yours) as taken:
            assert DEAD_S <= yours.slept < DEAD_S + 2
            assert taken.session > held.session
            held.look()
            with pytest.raises(Busy, match="crm/people: another run took it over"):
                held.require()
            taken.look()
            taken.require()
        left = owners(url)
    assert owners(url) == left  # of who lost it nothing is written, or removed


def test_who_was_last_seen_long_ago_is_not_waited_for(disk: str) -> None:
    late = Time(at=1e9 + 3600)
    with lease(disk, Time()), lease(disk, late):
        assert late.slept == 0


def test_half_an_owner_is_waited_for(disk: str) -> None:
    clock = Time()
    Objects(disk, "staging").replace(f"{PLACE}/owners/000007", b'{"tok')
    with lease(disk, clock) as held:
        assert clock.slept >= DEAD_S
        assert held.session.startswith("000008-")


def test_of_many_who_want_it_at_once_one_gets_it(url: str) -> None:
    ready, got, told = threading.Barrier(4), list[str](), list[Busy]()
    threads = [threading.Thread(target=_wants, args=(url, ready, got, told)) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert (len(got), len(told)) == (1, 3)


def _wants(url: str, ready: threading.Barrier, got: list[str], told: list[Busy]) -> None:
    clock = Time()

    def refuse(_seconds: float) -> None:
        raise Busy("somebody has it")

    clock.sleep = refuse  # type: ignore[method-assign]
    ready.wait()
    try:
        held = lease(url, clock).__enter__()
    except Busy as error:
        told.append(error)
        ready.wait()
        return
    got.append(held.session)
    ready.wait()
    held.__exit__(None, None, None)


# What goes wrong


def test_a_run_that_was_taken_for_dead_mixes_nothing_in(disk: str) -> None:
    """It wakes, and its last rows come to the store beside those of who went on without it."""
    with staging(disk) as staged:
        staged.append(page(0), 10, "to 1")
    first = pieces(disk)[0].rpartition("/")[0]
    with staging(disk) as staged:
        staged.append(page(1), 10, "to 2")
    objects = Objects(disk, "staging")
    (second,) = (name for name in pieces(disk) if not name.startswith(first))
    late = objects.read(second)
    assert late
    objects.replace(f"{first}/000002.piece", late.replace(b'"to 2"', b'"to 9"'))
    with staging(disk) as staged:
        assert (staged.resume, content(staged)) == ("to 2", pages(0, 1))


def test_a_run_that_lost_the_stream_writes_nothing_more(disk: str) -> None:
    lost = pytest.raises(Busy, match="crm/people: another run took it over")
    with lost, staging(disk) as staged:
        staged.append(page(0), 10, "to 1")
        (own,) = owners(disk)
        objects = Objects(disk, "staging")
        objects.replace(f"{PLACE}/owners/000009", objects.read(own) or b"")
        staged._copy._lease.look()  # type: ignore[union-attr]
        staged.append(page(1), 10, "to 2")
    assert pieces(disk) == []
    assert len(owners(disk)) == 2


DAMAGES: dict[str, Callable[[Objects, list[str]], object]] = {
    "half a piece": lambda objects, names: objects.replace(
        names[1], (objects.read(names[1]) or b"")[:40]
    ),
    "no line of it": lambda objects, names: objects.replace(
        names[1], (objects.read(names[1]) or b"").partition(b"\n")[0]
    ),
    "half the rows": lambda objects, names: objects.replace(
        names[1].replace(".piece", "-1.rows"), page(1)[:15]
    ),
    "no rows": lambda objects, names: objects.delete(names[1].replace(".piece", "-1.rows")),
    "no piece": lambda objects, names: objects.delete(names[1]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_half_there_is_read_again(disk: str, damage: str) -> None:
    for number in range(2):
        with staging(disk) as staged:
            staged.append(page(number), 10, f"to {number + 1}")
    DAMAGES[damage](Objects(disk, "staging"), pieces(disk))
    with staging(disk) as staged:
        assert (staged.resume, content(staged)) == ("to 1", page(0))
        staged.append(page(1), 10, "to 2")
    with staging(disk) as staged:
        assert (staged.resume, content(staged)) == ("to 2", pages(0, 1))


def test_without_the_first_piece_none_counts(disk: str) -> None:
    """Also where the later ones are left, as by a process that was killed while it cleaned up."""
    for number in range(2):
        with staging(disk) as staged:
            staged.append(page(number), 10, f"to {number + 1}")
    Objects(disk, "staging").delete(pieces(disk)[0])
    with staging(disk) as staged:
        assert (staged.resume, staged.rows) == (None, 0)
        staged.append(page(5), 10, "to 6")
    with staging(disk) as staged:
        assert (staged.resume, content(staged)) == ("to 6", page(5))
        staged.clear()
    assert kept(disk) == []


def test_the_first_pieces_are_removed_first(disk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        with staging(disk) as staged:
            staged.append(page(number), 10, f"to {number + 1}")
    removed: list[list[str]] = []
    delete_all = Objects.delete_all

    def note(self: Objects, names: Any) -> None:
        removed.append(sorted(names))
        delete_all(self, removed[-1])

    monkeypatch.setattr(Objects, "delete_all", note)
    with staging(disk) as staged:
        staged.clear()
    assert [name.rpartition("/")[2] for name in removed[0]] == ["000001.piece"] * 2
    assert kept(disk) == []


def clear_as_far_as_the_store_lets(staged: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    """It removes the first pieces, and no others."""
    delete_all, calls = Objects.delete_all, list[int]()

    def once(self: Objects, names: Any) -> None:
        if calls:
            fails(self)
        calls.append(1)
        delete_all(self, names)

    with monkeypatch.context() as patched:
        patched.setattr(Objects, "delete_all", once)
        with pytest.raises(LoadError):
            staged.clear()


def test_what_is_half_removed_is_not_gone_on_with(
    disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor by the run that removed it, under numbers that it had before."""
    with staging(disk) as staged:
        for number in range(3):
            staged.append(page(number), 10, f"to {number + 1}")
            assert content(staged) == pages(*range(number + 1))
        clear_as_far_as_the_store_lets(staged, monkeypatch)
    assert len(pieces(disk)) == 2
    with staging(disk) as staged:
        assert staged.rows == 0
        staged.append(page(7), 10, "to 8")
        assert content(staged) == page(7)
        staged.append(page(6), 10, "to 7")
        assert content(staged) == pages(7, 6)
        clear_as_far_as_the_store_lets(staged, monkeypatch)
        staged.clear()
        staged.append(page(8), 10, "to 9")
    with staging(disk) as staged:
        assert (staged.resume, content(staged)) == ("to 9", page(8))
        staged.clear()
    assert kept(disk) == []


def test_pieces_that_name_each_other_are_no_chain(disk: str) -> None:
    with staging(disk) as staged:
        staged.append(page(0), 10, "to 1")
    objects = Objects(disk, "staging")
    (name,) = pieces(disk)
    own = name.removeprefix(f"{PLACE}/").encode()
    objects.replace(name, (objects.read(name) or b"").replace(b"null", b'"%b"' % own, 1))
    with staging(disk) as staged:
        assert staged.rows == 0


@pytest.mark.parametrize("file", ["../../outside.ndjson", "{}/outside.ndjson", "journal"])
def test_no_name_from_the_store_leads_out_of_the_folder(
    disk: str, tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with staging(disk) as staged:
        staged.append(page(0), 10, "to 1")
    objects = Objects(disk, "staging")
    (name,) = pieces(disk)
    head, _, lines = (objects.read(name) or b"").partition(b"\n")
    forged = head.replace(b"rows-000001.ndjson", file.format(tmp_path).encode())
    objects.replace(name, forged + b"\n" + lines)
    opened = []
    write = pieces_module._cut
    monkeypatch.setattr(
        pieces_module, "_cut", lambda path, at: opened.append(path) or write(path, at)
    )
    with staging(disk) as staged:
        assert staged.rows == 0
    assert opened == []
    assert not (tmp_path / "outside.ndjson").exists()


def test_rows_that_come_while_others_are_copied_are_copied_next(
    disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, under_way, may_go_on = Objects.replace, threading.Event(), threading.Event()

    def slowly(self: Objects, name: str, written: bytes) -> None:
        if name.endswith(".piece"):
            under_way.set()
            may_go_on.wait(60)
        replace(self, name, written)

    monkeypatch.setattr(remote_copy, "_SHIP_S", 0.0)
    monkeypatch.setattr(Objects, "replace", slowly)
    with staging(disk) as staged:
        staged.append(page(0), 10, "to 1")
        assert under_way.wait(60)
        staged.append(page(1), 10, "to 2")
        may_go_on.set()
    with staging(disk) as staged:
        assert (staged.resume, content(staged)) == ("to 2", pages(0, 1))


def test_rows_are_loaded_only_once_they_are_in_the_store(
    disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, may_go_on = Objects.replace, threading.Event()

    def slowly(self: Objects, name: str, written: bytes) -> None:
        if name.endswith(".piece"):
            may_go_on.wait(60)
        replace(self, name, written)

    monkeypatch.setattr(Objects, "replace", slowly)
    with staging(disk) as staged:
        staged.append(page(0), 10, complete=True)
        loading = threading.Thread(target=staged.segments)
        loading.start()
        loading.join(0.5)
        assert loading.is_alive()
        may_go_on.set()
        loading.join()
        assert len(pieces(disk)) == 1


def fails(objects: Objects, *_: Any) -> None:
    """A store that has had enough."""
    with objects.as_load_errors():
        raise ConnectionError(f"PUT https://h/?X-Amz-Signature={SECRET}")


def append_until_it_is_told(url: str, break_it: Callable[[], None]) -> None:
    with staging(url) as staged:
        break_it()
        staged.append(page(1), 10, "to 2")
        copy: Any = staged._copy
        with copy._told:
            copy._since -= 10
            copy._told.notify_all()
        copy._thread.join()
        staged.append(page(2), 10, "to 3")
    pytest.fail("it was not told")


def test_a_store_that_fails_in_mid_run_ends_it_and_what_it_has_stays(
    disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with staging(disk) as staged:
        staged.append(page(0), 10, "to 1")
    with monkeypatch.context() as at_it, pytest.raises(LoadError) as failed:
        append_until_it_is_told(disk, lambda: at_it.setattr(Objects, "replace", fails))
    assert str(failed.value).startswith(f"crm/people, {disk}: connection error; check the address")
    assert SECRET not in str(failed.value)
    monkeypatch.setattr(leases, "DEAD_S", 0.0)  # it could not even say that it let go
    with staging(disk) as staged:
        assert (staged.resume, content(staged)) == ("to 1", page(0))


def test_a_store_that_cannot_be_reached_is_an_error_with_the_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)
    fsspec.filesystem("s3").clear_instance_cache()
    with pytest.raises(LoadError) as failed, staging("s3://lake/other"):
        pass
    assert str(failed.value).startswith("crm/people, s3://lake/other: ")
    assert SECRET not in str(failed.value)


@pytest.mark.parametrize("url", ["s3://key:word@bucket/x", "sftp://me@host/x", "s3://b/?secret=x"])
def test_a_url_with_a_password_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="staging: a user or a password in the URL"), staging(url):
        pass


def test_a_store_without_a_driver_says_what_to_install() -> None:
    with pytest.raises(ConfigError, match="install fsspec's driver"), staging("nonsense://x"):
        pass


def test_an_interrupted_run_copies_what_it_has(disk: str) -> None:
    with pytest.raises(KeyboardInterrupt), staging(disk) as staged:  # noqa: PT012
        staged.append(page(0), 10, "to 1")
        raise KeyboardInterrupt
    with staging(disk) as staged:
        assert (staged.resume, content(staged)) == ("to 1", page(0))


def test_streams_that_are_gone_are_swept_and_those_in_use_are_not(
    disk: str, tmp_path: Path
) -> None:
    for stream in ("people", "orders", "held"):
        with staging(disk, stream=stream) as staged:
            staged.append(page(0), 10, "to 1")
    with staging(disk, stream="held"):
        sweep(disk, "crm", ["people"])
    assert {name.split("/")[1] for name in kept(disk)} == {"people", "held"}
    with staging(disk) as staged:
        assert staged.rows == 10
    shutil.rmtree(tmp_path / "shared")
    sweep(disk, "crm", ["people"])


def test_the_sign_of_life_is_given_by_itself(disk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "BEAT_S", 0.01)
    seen = threading.Event()
    replace = Objects.replace

    def note(self: Objects, name: str, content: bytes) -> None:
        replace(self, name, content)
        if "/owners/" in name:
            seen.set()

    monkeypatch.setattr(Objects, "replace", note)
    with staging(disk):
        assert seen.wait(60)
