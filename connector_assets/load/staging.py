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
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from connector_assets.errors import LoadError
from connector_assets.load import journal
from connector_assets.load.items import ItemPositions
from connector_assets.load.kinds import Profile
from connector_assets.load.lock import Lock
from connector_assets.load.names import file_name
from connector_assets.load.profile import Profiler
from connector_assets.load.rows import Encoded, encode
from connector_assets.load.syncing import Syncing
from connector_assets.load.table import Segment, SegmentFormat

_JOURNAL = "journal"
# A power loss costs at most this much fetching; smaller values make the disk the bottleneck.
_SYNC_BYTES = 64 << 20
_SYNC_S = 5.0


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
    missing, `note` says in words what was found, for the log.

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
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        part = "all" if partition is None else f"partition={file_name(partition)}"
        path = Path(file_name(connection), file_name(stream), part)
        self.name = f"{connection}/{stream}" + (f" [{partition}]" if partition else "")
        self._folder = Path(root) / path
        self._locks = Path(root) / ".locks"
        self._lock = Lock(
            self._locks / f"{'+'.join(path.parts)}.lock", what=self.name, run_id=run_id
        )
        self._header = journal.Header(
            connection, stream, partition, fingerprint, load_id=uuid.uuid4().hex
        )
        self._monotonic = monotonic
        self._files = ExitStack()
        self._syncing = Syncing()
        self._reset()

    def _reset(self) -> None:
        self.resume: str | None = None
        self.complete = False
        self.cursor: Any = None
        self.rows = 0
        self.note = ""
        self._open: dict[str, IO[bytes]] = {}
        self._staged: dict[str, _Staged] = {}
        self._profilers: dict[str, Profiler] = {}
        self._unsynced = 0
        self._synced_at = self._monotonic()

    @property
    def load_id(self) -> str:
        return self._header.load_id

    def __enter__(self) -> Self:
        try:
            self._locks.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._failed(error) from error
        self._lock.__enter__()
        try:
            self._recover()
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
    ) -> None:
        """Keep a batch: `count` rows as lines of JSON (bytes), dicts or an Arrow table.

        It is safe when this returns. `checkpoint` is where a later run would go on after it.
        `cursor` replaces the one before; of a mapping, each key does.
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
        )
        profiler = self._profiled(name, encoded.data)
        self._write(name, encoded.data, journal.line(entry))
        self._take(entry)
        if profiler:
            self._profilers[name] = profiler
        self._sync_if_due(len(encoded.data))

    def segments(self) -> list[Segment]:
        """The files to load, in the order of arrival."""
        self._sync(self._syncing.raise_error)
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
            for name, staged in self._staged.items()
            if any(staged.batches)
        ]

    def rewind(self, checkpoint: str) -> None:
        """Forget the batches after the last one with `checkpoint`; all of them if it is empty.

        Raises LoadError where no batch has it.
        """
        if not checkpoint:
            self.clear()
            return
        path, end = self._folder / _JOURNAL, 0
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
        # The journal goes first: without it the rest is rubbish that the next run sweeps.
        (self._folder / _JOURNAL).unlink(missing_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)
        for parent in self._folder.parents[:2]:
            with suppress(OSError):
                parent.rmdir()
        self._header = journal.Header(
            self._header.connection,
            self._header.stream,
            self._header.partition,
            self._header.fingerprint,
            load_id=uuid.uuid4().hex,
        )
        self._reset()

    def _recover(self) -> None:
        path = self._folder / _JOURNAL
        header = journal.read_header(path)
        if header is None or header.fingerprint != self._header.fingerprint:
            self.clear()
            if header is not None:
                self.note = "the stream's definition changed: staged rows dropped, starting over"
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

    def _take(self, entry: journal.Entry) -> None:
        staged = self._staged.get(entry.file)
        if staged is None:
            staged = self._staged[entry.file] = _Staged(entry.format)
        staged.bytes = entry.end
        staged.batches.append(entry.rows)
        self.rows += entry.rows
        self.resume, self.complete = entry.checkpoint, entry.complete
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
        os.truncate(self._folder / _JOURNAL, journal_end)
        for path in self._folder.iterdir():
            if path.name in self._staged:
                os.truncate(path, self._staged[path.name].bytes)
            elif path.name != _JOURNAL:
                path.unlink()

    def _file_for(self, encoded: Encoded) -> str:
        """Lines share one growing file until another format comes between, so order is kept."""
        last = next(reversed(self._staged), None)
        if last is not None and encoded.format == "ndjson" and last.endswith(".ndjson"):
            return last
        return f"rows-{len(self._staged) + 1:06d}.{encoded.format}"

    def _write(self, name: str, data: bytes, line: bytes) -> None:
        rows_file = log = None
        rows_end = log_end = 0
        try:
            log = self._file(_JOURNAL)
            log_end = log.seek(0, os.SEEK_END)
            if data:
                rows_file = self._file(name)
                rows_end = rows_file.seek(0, os.SEEK_END)
                _write_all(rows_file, data)
            _write_all(log, line)
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
            if name == _JOURNAL:
                _make(self._folder)
            file = (self._folder / name).open("ab", buffering=0)
            self._open[name] = self._files.enter_context(file)
            if name == _JOURNAL and not file.tell():
                self._begin(file)
        return self._open[name]

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


def _make(folder: Path) -> None:
    """Make a folder, while others who clear theirs may take an empty parent away again."""
    for _ in range(100):
        with suppress(FileNotFoundError):
            folder.mkdir(parents=True, exist_ok=True)
            return
    folder.mkdir(parents=True, exist_ok=True)


def _write_all(file: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
