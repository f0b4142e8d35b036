"""Where fetched rows wait, on local disk, until one transaction takes them all.

A folder per (connection, stream, partition), held under a lock: a file of rows grows by one write
per batch, `journal` says how far it may be trusted. Whatever kills the process, the next one goes
on after the last batch that is whole.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import IO, Any, Protocol, Self

from msgspec.structs import replace

from connector_assets.errors import LoadError
from connector_assets.load.columns.profile import Profiler
from connector_assets.load.files.lock import PathLock
from connector_assets.load.files.store_names import file_name
from connector_assets.load.files.syncing import Syncing
from connector_assets.load.items import ItemPositions
from connector_assets.load.kinds import Profile
from connector_assets.load.staging import journal
from connector_assets.load.staging.journal import JOURNAL
from connector_assets.load.staging.rows import Encoded, encode
from connector_assets.load.table import Segment, SegmentFormat
from connector_assets.private import (
    discard,
    discard_wrong_kind,
    open_private,
    private_file,
    private_folder,
    private_root,
    truncate_private,
)

_AHEAD = "ahead"
# A power loss costs at most this much fetching; smaller values make the disk the bottleneck.
_SYNC_BYTES = 64 << 20
_SYNC_S = 5.0
# What is done with is a file of its own, so that its rows can be loaded while others come.
_FILE_BYTES = 16 << 20
_LACKS = 100  # no one reads more
_MOST_RIVALS = 100


def place(connection: str, stream: str, partition: str | None = None) -> Path:
    """Where the rows of a stream, or of one of its partitions, are staged below the root."""
    part = "all" if partition is None else f"partition={file_name(partition)}"
    return Path(file_name(connection), file_name(stream), part)


def label(connection: str, stream: str, partition: str | None = None) -> str:
    """What a staging is called in messages."""
    return f"{connection}/{stream}" + (f" [{partition}]" if partition else "")


class Copy(Protocol):
    """A copy of the staged files elsewhere, told of each change: their lengths by name."""

    def reaches(self, ends: Mapping[str, int]) -> None: ...

    def cut(self, ends: Mapping[str, int]) -> None: ...

    def forget(self) -> None: ...

    def flush(self) -> None: ...


@dataclass(slots=True)
class _Staged:
    """What a file has: its first `bytes` bytes, and the rows of each batch in them."""

    format: SegmentFormat
    bytes: int = 0
    batches: list[int] = field(default_factory=list)


class Staging:
    r"""The staged rows of one stream; use it in a `with` block, from one thread at a time.

    Entering raises Busy if another process holds the stream, and decides whether to go on:
    `resume` is the checkpoint after the last safe batch, `complete` says that only the load is
    missing, `lacks` are the reasons why rows may be missing, `note` says in words what was found,
    for the log. `after` is the load that the table had last: what was staged before it came is out
    of date, and dropped. `copy` is kept where another machine finds it.

    >>> with Staging(root, connection="github", stream="issues", fingerprint="ab12") as staging:
    ...     staging.append(b'{"id": 1}\n', 1, None, complete=True)
    ...     destination.load(table, staging.segments(), "replace")
    ...     staging.clear()
    """

    def __init__(
        self,
        root: Path,
        *,
        connection: str,
        stream: str,
        partition: str | None = None,
        fingerprint: str,
        run_id: str = "",
        after: str | None = None,
        copy: Copy | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        path = place(connection, stream, partition)
        self.name = label(connection, stream, partition)
        self._root = Path(root)
        self._folder = self._root / path
        lock = self._root / ".locks" / f"{'+'.join(path.parts)}.lock"
        self._lock = PathLock(lock, what=self.name, run_id=run_id)
        self._header = journal.Header(
            connection, stream, partition, fingerprint, load_id=uuid.uuid4().hex, after=after
        )
        self._copy, self._journal_end = copy, 0
        self._monotonic = monotonic
        self._files = ExitStack()
        self._syncing = Syncing()
        self._reset()

    def _reset(self) -> None:
        self.resume: str | None = None
        self.complete = False
        self.cursor: Any = None
        self.rows = 0
        self.lacks: dict[str, None] = {}
        self.note = ""
        self._open: dict[str, IO[bytes]] = {}
        self._staged: dict[str, _Staged] = {}
        self._profilers: dict[str, Profiler] = {}
        self._told = 0
        self._unsynced = 0
        self._synced_at = self._monotonic()

    @property
    def load_id(self) -> str:
        return self._header.load_id

    @property
    def after(self) -> str | None:
        """The load that the table had last when these rows began to be read."""
        return self._header.after

    def __enter__(self) -> Self:
        try:
            private_folder(private_root(self._root) / ".locks")
        except OSError as error:
            raise self._failed(error) from error
        try:
            self._lock.__enter__()
        except OSError as error:
            raise self._failed(error) from error
        try:
            self._recover()
        except BaseException as error:
            self._lock.__exit__(None, None, None)
            if isinstance(error, OSError):
                raise self._failed(error) from error
            raise
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            self._close()
        except OSError as failed:
            if error is None and self._staged:
                raise self._failed(failed) from failed
        finally:
            self._lock.__exit__(kind, error, trace)

    def _close(self) -> None:
        try:
            self._syncing.end()
        finally:
            self._files.close()

    def append(
        self,
        rows: Any,
        count: int,
        checkpoint: str | None = None,
        complete: bool = False,
        cursor: Any = None,
        *,
        lacks: str = "",
    ) -> None:
        """Keep a batch: `count` rows as lines of JSON (bytes), dicts or an Arrow table.

        It is safe when this returns. `checkpoint` is where a later run would go on after it.
        `cursor` replaces the one before; of a mapping, each key does. `lacks` is why rows may be
        missing.
        On LoadError (a full disk, a row that is not a JSON object) nothing of it is kept.
        """
        self._sync(self._syncing.raise_error)
        encoded = encode(rows, count, where=self.name)
        name = self._file_for(encoded)
        start = self._staged[name].bytes if name in self._staged else 0
        entry = journal.Entry(
            file=name,
            format=encoded.format,
            start=start,
            end=start + len(encoded.data),
            crc=zlib.crc32(encoded.data),
            rows=count,
            checkpoint=checkpoint,
            complete=complete,
            cursor=cursor,
            lacks=lacks,
        )
        profiler = self._profiled(name, encoded.data)
        self._write(name, encoded.data, journal.line(entry))
        self._take(entry)
        if profiler:
            self._profilers[name] = profiler
        if self._copy:
            self._copy.reaches(self._ends())
        self._sync_if_due(len(encoded.data))

    @property
    def ahead(self) -> Path:
        """A folder for what is made of rows before all of them are there; it goes with them."""
        return self._folder / _AHEAD

    def done(self) -> list[Segment]:
        """The files to load that no row is added to any more, each of them once."""
        names = list(self._staged)[self._told : -1]
        self._told += len(names)
        return self._segments(names)

    def segments(self) -> list[Segment]:
        """The files to load, in the order of arrival."""
        self._sync(self._syncing.raise_error)
        if self._copy:
            self._copy.flush()
        return self._segments(self._staged)

    def _segments(self, names: Iterable[str]) -> list[Segment]:
        return [
            Segment(
                self._folder / name,
                sum(staged.batches),
                staged.bytes,
                staged.format,
                self.load_id,
                tuple(staged.batches),
                self._profile_of(name),
            )
            for name in names
            if any((staged := self._staged[name]).batches)
        ]

    def rewind(self, checkpoint: str) -> None:
        """Forget the batches after the last one with `checkpoint`; all of them if it is empty.

        Raises LoadError where no batch has it.
        """
        if not checkpoint:
            self.clear()
            return
        path, end = self._folder / JOURNAL, 0
        for entry in journal.read_entries(path):
            if entry.checkpoint == checkpoint:
                end = entry.journal_end
        if not end:
            raise LoadError("staging: there is no batch to go back to", where=self.name)
        self._sync(self._close)
        self._reset()
        for entry in takewhile(lambda entry: entry.journal_end <= end, journal.read_entries(path)):
            self._take(entry)
        self._cut(end)

    def clear(self) -> None:
        """Forget everything: the load is done, or the caller wants to start over."""
        with suppress(OSError):  # of a sync, which was for nothing
            self._close()
        if self._copy:
            self._copy.forget()
        # The journal goes first: without it the rest is rubbish that the next run sweeps.
        (self._folder / JOURNAL).unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)
        for parent in self._folder.parents[:2]:
            with suppress(OSError):
                parent.rmdir()
        self._header = replace(self._header, load_id=uuid.uuid4().hex)
        self._reset()

    def _recover(self) -> None:
        self._check_folders()
        path = self._folder / JOURNAL
        header, had_any = journal.read_header(path), path.exists()
        if header is None or header.fingerprint != self._header.fingerprint:
            self.clear()
            if header is not None:
                self.note = "the stream's definition changed: staged rows dropped, starting over"
            elif had_any:
                self.note = "another version staged rows: they are dropped, starting over"
            return
        if self._is_outdated(header):
            self.clear()
            self.note = "another run loaded the table since: staged rows dropped, starting over"
            return
        self._header = header
        last, waiting = None, []
        for entry in journal.read_entries(path):
            waiting.append(entry)
            if entry.resumable:
                last = entry
                for safe in waiting:
                    self._take(safe)
                waiting.clear()
        if last is None:
            self.clear()
            return
        self._cut(last.journal_end)
        done = "all staged, loading" if self.complete else "going on from there"
        self.note = f"found {self.rows:,} staged rows: {done}"

    def _is_outdated(self, header: journal.Header) -> bool:
        """Whether the table has had another load since; it may be the one of these very rows."""
        now = self._header.after
        return None not in {now, header.after} and now not in {header.after, header.load_id}

    def _take(self, entry: journal.Entry) -> None:
        staged = self._staged.get(entry.file)
        if staged is None:
            staged = self._staged[entry.file] = _Staged(entry.format)
        staged.bytes = entry.end
        staged.batches.append(entry.rows)
        self.rows += entry.rows
        self.resume, self.complete = entry.checkpoint, entry.complete
        if entry.lacks and len(self.lacks) <= _LACKS:
            self.lacks[entry.lacks] = None
        if isinstance(entry.cursor, dict):
            if not isinstance(self.cursor, ItemPositions):
                self.cursor = ItemPositions()
            self.cursor.update(entry.cursor.items())
        elif entry.cursor is not None:
            self.cursor = entry.cursor

    def _profiled(self, name: str, data: bytes) -> Profiler | None:
        """Learn what a batch holds; to be kept once that is staged.

        A file of which not every batch was seen is profiled later.
        """
        profiler = self._profilers.pop(name, None)
        if name not in self._staged and name.endswith(".ndjson"):
            profiler = Profiler(where=self.name, before=self.rows)
        if profiler:
            profiler.add(data)
        return profiler

    def _profile_of(self, name: str) -> Profile | None:
        """A copy: more may be appended."""
        profiler = self._profilers.get(name)
        return Profile().add(profiler.found) if profiler else None

    def _cut(self, journal_end: int) -> None:
        """Drop what lies behind the last safe batch, and files that no batch names."""
        self._journal_end = journal_end
        if self._copy:
            self._copy.cut(self._ends())
        truncate_private(self._folder / JOURNAL, journal_end)
        for path in self._folder.iterdir():
            if path.name in self._staged:
                truncate_private(path, self._staged[path.name].bytes)
            elif path.name == _AHEAD:
                shutil.rmtree(path)
            elif path.name != JOURNAL:
                discard(path)

    def _ends(self) -> dict[str, int]:
        """How long each file is."""
        rows = {name: staged.bytes for name, staged in self._staged.items() if staged.bytes}
        return {**rows, JOURNAL: self._journal_end}

    def _file_for(self, encoded: Encoded) -> str:
        """Lines share a growing file, until it is large or another format comes: order is kept."""
        last = next(reversed(self._staged), None)
        goes_on = last is not None and encoded.format == "ndjson" and last.endswith(".ndjson")
        if last is not None and goes_on and self._staged[last].bytes < _FILE_BYTES:
            return last
        return f"rows-{len(self._staged) + 1:06d}.{encoded.format}"

    def _write(self, name: str, data: bytes, line: bytes) -> None:
        rows_file = log = None
        rows_end = log_end = 0
        try:
            log = self._file(JOURNAL)
            log_end = log.seek(0, os.SEEK_END)
            if data:
                rows_file = self._file(name)
                rows_end = rows_file.seek(0, os.SEEK_END)
                _write_all(rows_file, data)
            _write_all(log, line)
            self._journal_end = log_end + len(line)
        except BaseException as error:
            # Also when interrupted: a half-written batch must not stand before the next one.
            if rows_file:
                rows_file.truncate(rows_end)
            if log:
                log.truncate(log_end)
            if isinstance(error, OSError):
                raise self._failed(error) from error
            raise

    def _file(self, name: str) -> IO[bytes]:
        if name not in self._open:
            if name == JOURNAL:
                self._make()
            file = private_file(self._folder / name, "ab", buffering=0)
            self._open[name] = self._files.enter_context(file)
            if name == JOURNAL and not file.tell():
                self._begin(file)
        return self._open[name]

    def _check_folders(self) -> None:
        """What another user put there is not believed."""
        for folder in self._folders:
            discard_wrong_kind(folder, wants_folder=True)
            if os.path.lexists(folder):
                with suppress(FileNotFoundError):  # whoever has an item beside took it away
                    private_folder(folder)
        discard_wrong_kind(self._folder / JOURNAL, wants_folder=False)
        with suppress(FileNotFoundError):
            os.close(open_private(self._folder / JOURNAL, os.O_RDONLY))

    def _make(self) -> None:
        """Make the folder, while others who clear theirs may take an empty parent away again."""
        for _ in range(_MOST_RIVALS):
            with suppress(FileNotFoundError):
                return self._make_once()
        return self._make_once()

    def _make_once(self) -> None:
        for folder in self._folders:
            private_folder(folder)

    @property
    def _folders(self) -> tuple[Path, ...]:
        """Those of the connection, of the stream and of the partition."""
        of_stream = self._folder.parent
        return of_stream.parent, of_stream, self._folder

    def _begin(self, log: IO[bytes]) -> None:
        try:
            _write_all(log, journal.line(self._header))
        except BaseException:
            log.truncate(0)
            self._open.clear()
            self._files.close()
            raise

    def _sync_if_due(self, size: int) -> None:
        self._unsynced += size
        now = self._monotonic()
        if self._unsynced < _SYNC_BYTES and now - self._synced_at < _SYNC_S:
            return
        self._sync(lambda: self._syncing.begin(self._open.values()))
        self._unsynced, self._synced_at = 0, now

    def _sync(self, step: Callable[[], None]) -> None:
        try:
            step()
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> LoadError:
        return LoadError(
            f"staging: {(error.strerror or type(error).__name__).lower()}",
            where=self.name,
            fix=f"see {self._folder}; CONNECTOR_ASSETS_STAGING moves it",
        )


def _write_all(file: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
