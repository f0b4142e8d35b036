"""Staging: what was appended is there for the next process, whatever ended this one."""

from __future__ import annotations

import errno
import itertools
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as replace_struct

from connector_assets.errors import Busy, LoadError
from connector_assets.load.columns.derived import derived
from connector_assets.load.columns.profile import profile
from connector_assets.load.kinds import column_type
from connector_assets.load.staging.journal import Entry, Header, line, read_entries, read_header
from connector_assets.load.staging.staging import Staging
from connector_assets.load.staging.sweep import sweep_streams
from connector_assets.load.table import Table


def staging(root: Path, fingerprint: str = "f", **others: Any) -> Staging:
    names = {"connection": "crm", "stream": "people", "partition": None, **others}
    return Staging(root, fingerprint=fingerprint, **names)


def content(staged: Staging) -> bytes:
    return b"".join(segment.path.read_bytes() for segment in staged.segments())


def page(number: int) -> bytes:
    return b"".join(b'{"id":%d}\n' % row for row in range(number * 10, number * 10 + 10))


def files(root: Path) -> list[str]:
    return sorted(
        path.name for path in root.rglob("*") if path.is_file() and path.suffix != ".lock"
    )


def test_a_new_process_goes_on_after_the_last_batch(tmp_path: Path) -> None:
    with staging(tmp_path) as staged:
        assert (staged.resume, staged.complete, staged.rows, staged.note) == (None, False, 0, "")
        staged.append(page(0), 10, "to 1", cursor=9)
        staged.append(page(1), 10, "to 2")
        load_id = staged.load_id
    with staging(tmp_path) as staged:
        assert (staged.resume, staged.complete, staged.rows, staged.cursor) == (
            "to 2",
            False,
            20,
            9,
        )
        assert staged.note == "found 20 staged rows: going on from there"
        assert staged.load_id == load_id
        staged.append(page(2), 10, None, complete=True, cursor=29)
    with staging(tmp_path) as staged:
        assert (staged.resume, staged.complete, staged.rows, staged.cursor) == (None, True, 30, 29)
        assert content(staged) == page(0) + page(1) + page(2)
        assert [(s.rows, s.load_id) for s in staged.segments()] == [(30, load_id)]


def test_clearing_leaves_nothing(tmp_path: Path) -> None:
    with staging(tmp_path) as staged:
        staged.append(page(0), 10, "to 1")
        before = staged.load_id
        staged.clear()
        assert (staged.resume, staged.rows, staged.segments()) == (None, 0, [])
        assert staged.load_id != before
    assert files(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == [".locks"]


def test_it_can_be_filled_again_after_clearing(tmp_path: Path) -> None:
    with staging(tmp_path) as staged:
        staged.append(page(0), 10, "to 1")
        staged.clear()
        staged.append(page(5), 10, "to 6")
    with staging(tmp_path) as staged:
        assert (staged.resume, content(staged)) == ("to 6", page(5))


def test_another_definition_starts_over_and_says_so(tmp_path: Path) -> None:
    with staging(tmp_path) as staged:
        staged.append(page(0), 10, "to 1")
    with staging(tmp_path, "g") as staged:
        assert (staged.resume, staged.rows) == (None, 0)
        assert "definition changed" in staged.note
    assert files(tmp_path) == []


def test_without_a_checkpoint_a_rerun_starts_over(tmp_path: Path) -> None:
    with staging(tmp_path) as staged:
        staged.append(page(0), 10)
    with staging(tmp_path) as staged:
        assert (staged.resume, staged.rows, content(staged)) == (None, 0, b"")


def test_batches_after_the_last_checkpoint_are_read_again(tmp_path: Path) -> None:
    with staging(tmp_path) as staged:
        staged.append(page(0), 10, "to 1")
        staged.append(page(1), 10)
        staged.append(page(2), 10)
    with staging(tmp_path) as staged:
        assert (staged.resume, staged.rows, content(staged)) == ("to 1", 10, page(0))


def test_partitions_and_streams_stay_apart_on_any_file_system(tmp_path: Path) -> None:
    names = [
        {"partition": None}, {"partition": "all"}, {"partition": "2024-01-01|eu"}, {"partition": "2024-01-01|EU"},
        {"partition": "../.."}, {"partition": ""}, {"partition": "x" * 300}, {"stream": "People"}, {"stream": "a.b"},
    ]  # fmt: skip
    for number, name in enumerate(names):
        with staging(tmp_path, **name) as staged:
            assert staged.rows == 0
            staged.append(page(number), 10, str(number))
    for number, name in enumerate(names):
        with staging(tmp_path, **name) as staged:
            assert staged.resume == str(number)
    folders = {str(path.parent).lower() for path in tmp_path.rglob("journal")}
    assert len(folders) == len(names)
    assert all(
        path.is_relative_to(tmp_path.resolve())
        for path in (p.resolve() for p in tmp_path.rglob("*"))
    )


HOLDER = """
import sys
from pathlib import Path
from connector_assets.load.columns.derived import derived
from connector_assets.load.kinds import column_type
from connector_assets.load.columns.profile import profile
from connector_assets.load.staging.staging import Staging
from connector_assets.load.staging.sweep import sweep_streams
from connector_assets.load.table import Table
with Staging(Path(sys.argv[1]), connection="crm", stream="people", fingerprint="f", run_id="r-1"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_stream_in_use_is_busy_and_says_by_whom(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(Busy) as busy, staging(tmp_path):
        pass
    assert str(busy.value).startswith(f"crm/people: held by process {holder.pid} on ")
    assert ", run r-1; " in str(busy.value)
    with staging(tmp_path, partition="other") as staged:
        assert staged.rows == 0
    holder.kill()
    holder.communicate()
    with staging(tmp_path) as staged:
        assert staged.rows == 0


def test_the_same_process_cannot_hold_a_stream_twice(tmp_path: Path) -> None:
    with staging(tmp_path), pytest.raises(Busy, match=str(os.getpid())), staging(tmp_path):
        pass
    with staging(tmp_path):
        pass


def stage_three(root: Path) -> list[Path]:
    with staging(root) as staged:
        for number in range(3):
            staged.append(page(number), 10, f"to {number + 1}", cursor=number)
        return [staged.segments()[0].path, staged.segments()[0].path.with_name("journal")]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_lost_or_damaged_a_whole_number_of_batches_is_left(data: st.DataObject) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path in stage_three(root):
            raw = bytearray(path.read_bytes())
            cut = data.draw(st.integers(0, len(raw)))
            if data.draw(st.booleans()) and cut:
                raw[cut - 1] ^= 1 << data.draw(st.integers(0, 7))
            else:
                raw[cut:] = data.draw(st.sampled_from([b"", b"\0" * 50, b"{"]))
            path.write_bytes(raw)
        with staging(root) as staged:
            pages = staged.rows // 10
            assert content(staged) == b"".join(page(number) for number in range(pages))
            assert staged.resume == (f"to {pages}" if pages else None)
            staged.append(page(pages), 10, f"to {pages + 1}")
        with staging(root) as staged:
            assert staged.rows == (pages + 1) * 10
            assert content(staged) == b"".join(page(number) for number in range(pages + 1))


def test_a_line_of_the_journal_that_was_altered_is_not_believed(tmp_path: Path) -> None:
    """Also where it still reads as one: its checkpoint is where the server would be asked next."""
    with staging(tmp_path) as staged:
        staged.append(page(0), 10, "to 1")
        staged.append(page(1), 10, "to 2")
    (journal,) = tmp_path.rglob("journal*")
    text = journal.read_bytes()
    assert text.count(b'"to 2"') == 1
    journal.write_bytes(text.replace(b'"to 2"', b'"to 7"'))
    with staging(tmp_path) as staged:
        assert (staged.resume, staged.rows) == ("to 1", 10)


def test_files_that_no_batch_names_are_swept(tmp_path: Path) -> None:
    rows, _ = stage_three(tmp_path)
    rows.with_name("rows-000001.ndjson.derived").write_bytes(b"left over")
    with staging(tmp_path) as staged:
        assert staged.rows == 30
    assert files(tmp_path) == ["journal", "rows-000001.ndjson"]


HEADER = Header("crm", "people", None, "f", "load")


@pytest.mark.parametrize(
    "cursor", [None, {"": {"value": 1.5}}, {"é": 2**70}, {"a": "\ud800"}, {"a": -(2**63) - 1}]
)
@pytest.mark.parametrize("checkpoint", [None, "to é", '{"a": "\\u00e9\n"}', "\ud800"])
def test_a_journal_gives_back_what_it_was_given(
    tmp_path: Path, cursor: Any, checkpoint: str | None
) -> None:
    entry = Entry("rows-000001.ndjson", "ndjson", 0, 0, 0, 1, checkpoint, False, cursor)
    journal = tmp_path / "journal"
    journal.write_bytes(line(HEADER) + line(entry))
    assert read_header(journal) == HEADER
    [found] = read_entries(journal)
    assert found == replace_struct(entry, journal_end=journal.stat().st_size)


def test_a_journal_of_an_earlier_checkout_is_read(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    journal.write_bytes(
        line(HEADER) + b'6ec205cf {"file":"rows-000001.ndjson","format":"ndjson","start":0,"end":0,'
        b'"crc":0,"rows":1,"checkpoint":"to \\u00e9","complete":false,"cursor":{"":{"value":1.5}},'
        b'"journal_end":0}\n'
    )
    [found] = read_entries(journal)
    assert (found.checkpoint, found.cursor) == ("to é", {"": {"value": 1.5}})


@pytest.fixture
def full_disk() -> Any:
    """A limit on the size of any file that this process writes, as a stand-in for a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int | None) -> None:
        soft = before[0] if size is None else size
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, before[1]))

    yield limit
    limit(None)


@pytest.mark.parametrize("size", [0, 30, 150, 310, 350])
def test_a_full_disk_is_a_load_error_and_what_was_staged_stays(
    tmp_path: Path, full_disk: Any, size: int
) -> None:
    with staging(tmp_path) as staged:
        full_disk(size)
        done = 0
        with pytest.raises(LoadError, match="CONNECTOR_ASSETS_STAGING"):  # noqa: PT012
            for number in range(100):
                staged.append(page(number), 10, f"to {number + 1}")
                done += 1
        full_disk(None)
        assert staged.rows == done * 10
        staged.append(page(done), 10, f"to {done + 1}")
        assert profile(staged.segments(), where="crm.people").rows == staged.rows
    with staging(tmp_path) as staged:
        assert staged.resume == f"to {done + 1}"
        assert content(staged) == b"".join(page(number) for number in range(done + 1))


def test_a_folder_that_cannot_be_made_is_a_load_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LoadError, match="CONNECTOR_ASSETS_STAGING"), staging(tmp_path / "file"):
        pass


def test_rows_may_be_dicts(tmp_path: Path) -> None:
    with staging(tmp_path) as staged:
        rows = [
            {"d": Decimal("1.10"), "t": datetime(2024, 1, 2, tzinfo=UTC), "day": date(2024, 1, 2)},
            {"big": 2**70, "text": "é\n"},
        ]
        staged.append(rows, 2, "c")
        assert content(staged).decode() == (
            '{"d":"1.10","t":"2024-01-02T00:00:00Z","day":"2024-01-02"}\n'
            '{"big":1180591620717411303424,"text":"é\\n"}\n'
        )


@pytest.mark.parametrize(
    "bad", [{"v": float("nan")}, {"v": float("inf")}, {"v": object()}, {"v": "\ud800"}]
)
def test_a_dict_that_json_cannot_hold_is_an_error_that_names_it(tmp_path: Path, bad: Any) -> None:
    with staging(tmp_path) as staged, pytest.raises(LoadError, match="row 2 of a batch"):
        staged.append([{"v": 1}, bad], 2, "c")


def test_the_count_must_be_right(tmp_path: Path) -> None:
    with staging(tmp_path) as staged:
        with pytest.raises(LoadError, match="3 rows announced, 1 came"):
            staged.append([{"v": 1}], 3, "c")
        with pytest.raises(LoadError, match="line end"):
            staged.append(b'{"v": 1}', 1, "c")


def test_formats_keep_their_order(tmp_path: Path) -> None:
    table = pa.table({"id": [1, 2]})
    with staging(tmp_path) as staged:
        staged.append(page(0), 10, "1")
        staged.append(table, 2, "2")
        staged.append(table, 2, "3")
        staged.append(page(1), 10, "4")
        staged.append(page(2), 10, "5")
    with staging(tmp_path) as staged:
        shape = [(segment.format, segment.rows) for segment in staged.segments()]
        assert shape == [("ndjson", 10), ("parquet", 2), ("parquet", 2), ("ndjson", 20)]


def test_batches_without_rows_still_move_the_checkpoint(tmp_path: Path) -> None:
    with staging(tmp_path) as staged:
        staged.append(b"", 0, "past the empty page")
    with staging(tmp_path) as staged:
        assert (staged.resume, staged.rows, staged.segments()) == ("past the empty page", 0, [])


def test_going_back_forgets_what_came_after_a_checkpoint(tmp_path: Path) -> None:
    with staging(tmp_path) as staged:
        for number in range(4):
            staged.append(page(number), 10, f"c{number}", cursor={f"k{number}": number})
        staged.rewind("c1")
        assert (staged.rows, staged.resume, staged.cursor) == (20, "c1", {"k0": 0, "k1": 1})
        staged.append(page(9), 10, "c9", complete=True)
        assert content(staged) == page(0) + page(1) + page(9)
    with staging(tmp_path) as again:
        assert content(again) == page(0) + page(1) + page(9)
        assert again.complete


def test_going_back_to_the_beginning_forgets_everything(tmp_path: Path) -> None:
    with staging(tmp_path) as staged:
        staged.append(page(0), 10, "c0")
        staged.rewind("")
        assert (staged.rows, staged.resume, staged.segments()) == (0, None, [])
        staged.append(page(1), 10, "c1")
        assert content(staged) == page(1)


def test_there_is_no_going_back_to_what_never_was(tmp_path: Path) -> None:
    with staging(tmp_path) as staged:
        staged.append(page(0), 10, "c0")
        with pytest.raises(LoadError, match="no batch to go back to"):
            staged.rewind("c7")
        assert content(staged) == page(0)


def test_what_rows_hold_is_known_before_they_are_read_again(tmp_path: Path) -> None:
    with staging(tmp_path) as staged:
        staged.append(b'{"id":1,"at":"2024-01-01"}\n', 1, "1")
        early = staged.segments()
        staged.append([{"id": "x"}, {"late": 1.5}], 2, "2")
        staged.append(pa.table({"arrow": [1]}), 1, "3")
        staged.append(b'{"id":2}\n', 1, "4")
        segments = staged.segments()
        read = profile([replace(segment, profile=None) for segment in segments], where="crm.people")
        for segment in segments:
            if segment.format == "ndjson":
                segment.path.unlink()
        known = profile(segments, where="crm.people")
        assert replace(known, longest=read.longest) == read
        assert (list(read.kinds), read.rows) == (["arrow", "id", "at", "late"], 5)
        assert profile(early, where="crm.people").rows == 1


def test_rows_of_an_earlier_process_and_after_going_back_are_read(tmp_path: Path) -> None:
    with staging(tmp_path) as staged:
        staged.append(b'{"old":1}\n', 1, "1")
    with staging(tmp_path) as staged:
        staged.append(b'{"new":1}\n', 1, "2")
        assert list(profile(staged.segments(), where="crm.people").kinds) == ["old", "new"]
        staged.rewind("1")
        staged.append(b'{"other":1}\n', 1, "2")
        assert list(profile(staged.segments(), where="crm.people").kinds) == ["old", "other"]
        staged.clear()
        staged.append(b'{"fresh":1}\n', 1, "1")
        assert list(profile(staged.segments(), where="crm.people").kinds) == ["fresh"]


@pytest.mark.parametrize(("row", "what"), [(b"[1]", "not an object"), (b"{1}", "not JSON")])
def test_of_a_batch_with_a_row_that_is_no_object_nothing_is_kept(
    tmp_path: Path, row: bytes, what: str
) -> None:
    with staging(tmp_path) as staged:
        staged.append(page(0), 10, "to 1")
        with pytest.raises(LoadError, match=f"row 12 is {what}"):
            staged.append(b'{"wrong":1}\n%b\n' % row, 2, "to 2")
        assert (content(staged), staged.rows, staged.resume) == (page(0), 10, "to 1")
        staged.append(page(1), 10, "to 2")
        found = profile(staged.segments(), where="crm.people")
        assert (list(found.kinds), found.rows) == (["id"], 20)


def test_rows_that_are_changed_for_a_load_are_read_again(tmp_path: Path) -> None:
    with staging(tmp_path) as staged:
        staged.append(b'{"price":1.10,"at":{"day":1}}\n', 1, "1")
        table = Table("crm", "people", columns={"price": "decimal(9,2)", "at.day": "bigint"})
        with derived(table, staged.segments()) as segments:
            found = profile(segments, where="crm.people")
    assert [(key, column_type(kinds)) for key, kinds in found.kinds.items()] == [
        ("price", "double"),
        ("at", "json"),
        ("at.day", "bigint"),
    ]


def test_a_row_is_counted_from_the_first_that_was_staged(tmp_path: Path) -> None:
    with staging(tmp_path) as staged:
        staged.append(pa.table({"id": [1, 2]}), 2, "1")
        with pytest.raises(LoadError, match="row 3 is not JSON"):
            staged.append(b"x\n", 1, "2")


def hours() -> Any:
    """A clock by which every batch is due to be synced."""
    return partial(next, itertools.count(step=3600))


def refuse(_number: int) -> None:
    raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("step", ["append", "rewind", "clear"])
def test_no_batch_waits_for_the_disk_but_what_comes_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    is_awaited, synced, join = threading.Event(), [], threading.Thread.join

    def awaited(thread: threading.Thread, *given: Any) -> None:
        is_awaited.set()
        join(thread, *given)

    def slow(number: int) -> None:
        assert is_awaited.wait(30)
        synced.append(os.fstat(number).st_size)  # fails if the file was closed meanwhile

    monkeypatch.setattr(os, "fsync", slow)
    monkeypatch.setattr(threading.Thread, "join", awaited)
    with staging(tmp_path, monotonic=hours()) as staged:
        staged.append(page(0), 10, "to 1")
        assert synced == []
        steps = {
            "append": lambda: staged.append(page(1), 10, "to 2"),
            "rewind": lambda: staged.rewind("to 1"),
            "clear": staged.clear,
        }
        steps[step]()
        assert len(synced) >= 2  # the rows and the journal


@pytest.mark.parametrize("what", ["next batch", "load"])
def test_a_disk_that_fails_beside_is_a_load_error_at_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(os, "fsync", refuse)
    now = [0]
    with staging(tmp_path, monotonic=lambda: now[0]) as staged:
        now[0] = 3600
        staged.append(page(0), 10, "to 1")
        for thread in threading.enumerate():
            if thread.name == "staging-fsync":
                thread.join()
        with pytest.raises(LoadError, match=r"input/output error.*CONNECTOR_ASSETS_STAGING"):
            staged.append(page(1), 10, "to 2") if what == "next batch" else staged.segments()
        assert staged.rows == 10


@pytest.mark.parametrize(
    ("first", "told"), [(None, LoadError), (KeyError("what went wrong first"), KeyError)]
)
def test_a_disk_that_fails_beside_is_a_load_error_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: Exception | None, told: type[Exception]
) -> None:
    def run() -> None:
        with staging(tmp_path, monotonic=hours()) as staged:
            staged.append(page(0), 10, "to 1")
            if first:
                raise first

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(told):
        run()


LINES = {
    "a field that is not known": lambda entry: {**entry, "codec": "zstd"},
    "a field that is missing": lambda entry: {
        k: v for k, v in entry.items() if k not in {"crc", "load_id"}
    },
    "a field of another type": lambda entry: {**entry, "rows": "ten"},
    "no object": lambda _: [1],
    "nothing": lambda _: None,
}


def rewritten(folder: Path, number: int, change: Callable[[Any], Any]) -> None:
    """Change a line of the journal to what another version would write, with its checksum."""
    (path,) = folder.rglob("journal")
    lines = path.read_bytes().splitlines()
    record = change(json.loads(lines[number][9:]))
    text = json.dumps(record).encode() if record is not None else b""
    lines[number] = b"%08x %s" % (zlib.crc32(text), text)
    path.write_bytes(b"\n".join(lines) + b"\n")


@pytest.mark.parametrize("change", LINES.values(), ids=LINES)
def test_a_journal_ends_at_a_line_of_another_version(
    tmp_path: Path, change: Callable[[Any], Any]
) -> None:
    with staging(tmp_path) as staged:
        for number in range(3):
            staged.append(page(number), 10, f"to {number + 1}")
    rewritten(tmp_path, 2, change)
    with staging(tmp_path) as staged:
        assert (staged.resume, content(staged)) == ("to 1", page(0))


@pytest.mark.parametrize(
    "change", [*LINES.values(), lambda header: {**header, "version": 1}], ids=[*LINES, "version"]
)
def test_a_journal_whose_header_is_of_another_version_is_begun_anew(
    tmp_path: Path, change: Callable[[Any], Any]
) -> None:
    with staging(tmp_path) as staged:
        staged.append(page(0), 10, "to 1")
    rewritten(tmp_path, 0, change)
    with staging(tmp_path) as staged:
        assert (staged.resume, staged.rows) == (None, 0)
        staged.append(page(0), 10, "to 1")
    with staging(tmp_path) as staged:
        assert content(staged) == page(0)


@pytest.mark.parametrize("wrong", ["journal", "rows-000001.ndjson", "more", ".", "..", "../.."])
@pytest.mark.parametrize("is_folder", [True, False])
def test_what_is_of_the_wrong_kind_is_removed_and_begun_anew(
    tmp_path: Path, wrong: str, is_folder: bool
) -> None:
    def staging() -> Staging:
        return Staging(tmp_path, connection="c", stream="s", fingerprint="f")

    with staging() as staged:
        staged.append(b'{"id":1}\n', 1, "1")
    path = (tmp_path / "c" / "s" / "all" / wrong).resolve()
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if is_folder:
        path.mkdir(parents=True)
        (path / "within").write_bytes(b"x")
    else:
        path.write_bytes(b"\0garbage\n")
    with staging() as staged:
        assert staged.rows == (wrong == "more")
        staged.append(b'{"id":2}\n', 1, "2", complete=True)
        assert sum(segment.rows for segment in staged.segments()) == 1 + (wrong == "more")
        staged.clear()


def test_what_was_staged_for_streams_that_are_gone_is_removed(tmp_path: Path) -> None:
    def staging(stream: str, part: str | None = None) -> Staging:
        return Staging(tmp_path, connection="c", stream=stream, partition=part, fingerprint="f")

    for stream in ("Kept", "gone", "busy"):
        for part in (None, "2024"):
            with staging(stream, part) as staged:
                staged.append(b'{"id":1}\n', 1, "1")
    with staging("busy") as busy:
        sweep_streams(tmp_path, "c", ["Kept"])
        assert busy.rows == 1
        assert not (tmp_path / "c" / "gone").exists()
        assert [part.name for part in (tmp_path / "c" / "busy").iterdir()] == ["all"]
    with staging("Kept", "2024") as staged:
        assert staged.rows == 1
    sweep_streams(tmp_path, "c", ["Kept"])
    assert not (tmp_path / "c" / "busy").exists()
    sweep_streams(tmp_path, "never", [])
