"""A recording as a folder of small files: one for each answer, and the rows that came of them."""

from __future__ import annotations

import datetime as dt
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector_assets.authoring.recording.kept_requests import KeptExchange
from connector_assets.authoring.recording.written_json import (
    Number,
    plain_numbers,
    read_json,
    write_json,
)
from connector_assets.errors import ConfigError

INDEX = "recording.json"
ROWS = "rows.jsonl"
VERSION = 1
_NAME = re.compile(r"[\w.-]{1,200}")
_MOST_FILES = 20_000


@dataclass(frozen=True)
class RecordedStream:
    """What one stream asked and was answered, and its rows as lines of JSON.

    It was read for `pages` pages, and of each of its lists `most` at most. `complete` says that
    these are all rows, `stopped` that no further page was asked for. `vars` are those of its
    connection.
    """

    exchanges: Sequence[KeptExchange]
    rows: Sequence[bytes] = ()
    pages: int = 0
    complete: bool = False
    stopped: bool = False
    most: int = 1
    vars: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recording:
    """A connector's streams as they were at one time.

    `config` are the values that it was read with, and `auth` is the position of the auth.
    """

    connector: str
    at: dt.datetime
    config: Mapping[str, Any]
    auth: int
    streams: Mapping[str, RecordedStream]

    def files(self) -> dict[str, bytes]:
        """The content of each file by its path."""
        told = {
            name: {
                "pages": Number(one.pages),
                "most": Number(one.most),
                "complete": one.complete,
                "stopped": one.stopped,
            }
            | ({"vars": dict(one.vars)} if one.vars else {})
            for name, one in self.streams.items()
        }
        index = {
            "recording": Number(VERSION),
            "connector": self.connector,
            "at": self.at.isoformat(),
            "config": dict(self.config),
            "auth": Number(self.auth),
            "streams": told,
        }
        made = {INDEX: _lines(index)}
        for name, one in self.streams.items():
            for number, exchange in enumerate(one.exchanges, 1):
                made[f"{name}/{number:04}.json"] = _lines(exchange.plain())
            made[f"{name}/{ROWS}"] = b"".join(row + b"\n" for row in one.rows)
        return made


def _lines(value: Any) -> bytes:
    return f"{write_json(value)}\n".encode()


def folder_of(spec: Path) -> Path:
    """The folder beside a spec: `specs/shop.recording` of `specs/shop.yaml`."""
    return spec.with_name(f"{spec.stem}.recording")


def refuse_existing(folder: Path, *, replace: bool) -> None:
    """Raise ConfigError where a recording may not be written to `folder`."""
    if not os.path.lexists(folder):
        return
    if not (folder / INDEX).is_file() or folder.is_symlink():
        what = "is there, and is no recording"
        raise ConfigError(what, where=str(folder), fix="choose another with --out FOLDER")
    if not replace:
        fix = "pass --replace to record it anew, or --out FOLDER for another"
        raise ConfigError("a recording is there already", where=str(folder), fix=fix)


def write_recording(
    recording: Recording, folder: Path, *, replace: bool, holds_secret: Callable[[str], bool]
) -> int:
    """Write all files or none, and return their bytes; ConfigError where that cannot be.

    `holds_secret` looks at every file before the first is written.
    """
    files = recording.files()
    for name, raw in files.items():
        if holds_secret(raw.decode("utf-8")):
            what = f"{name} would hold a secret of the connection, and nothing was written"
            raise ConfigError(what, where=str(folder), fix="leave that stream out, and report it")
    refuse_existing(folder, replace=replace)
    try:
        _put(files, folder)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ConfigError(f"cannot be written: {reason}", where=str(folder)) from None
    return sum(map(len, files.values()))


def _put(files: Mapping[str, bytes], folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".recording-"))
    before = made / "before"
    try:
        for name, raw in files.items():
            path = made / "new" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
        if folder.exists():
            folder.rename(before)
        try:
            (made / "new").rename(folder)
        except OSError:
            if before.exists():
                before.rename(folder)
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)


def read_recording(folder: Path) -> Recording:
    """The recording in a folder; ConfigError names the file that cannot be read."""
    index = _read(folder / INDEX)
    if not isinstance(index, dict) or index.get("recording") != str(VERSION):
        raise ConfigError(
            f"is no recording of version {VERSION}",
            where=str(folder / INDEX),
            fix="record it anew",
        )
    try:
        streams = {name: _stream(folder, name, told) for name, told in index["streams"].items()}
        return Recording(
            connector=str(index["connector"]),
            at=dt.datetime.fromisoformat(index["at"]),
            config=plain_numbers(index["config"]),
            auth=int(index["auth"]),
            streams=streams,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        what = "has not what a recording says"
        raise ConfigError(what, where=str(folder / INDEX), fix="record it anew") from None


def _stream(folder: Path, name: str, told: Mapping[str, Any]) -> RecordedStream:
    if not _NAME.fullmatch(name) or name.startswith("."):
        raise ConfigError("names a stream that is none", where=str(folder / INDEX))
    files = sorted((folder / name).glob("*.json"))[:_MOST_FILES]
    rows = (folder / name / ROWS).read_bytes() if (folder / name / ROWS).is_file() else b""
    return RecordedStream(
        [_exchange(path) for path in files],
        [line for line in rows.split(b"\n") if line],
        int(told["pages"]),
        bool(told["complete"]),
        bool(told["stopped"]),
        int(told["most"]),
        plain_numbers(told.get("vars", {})),
    )


def _exchange(path: Path) -> KeptExchange:
    try:
        return KeptExchange.read(_read(path))
    except (KeyError, TypeError, ValueError, AttributeError):
        what = "is not a request with its answer"
        raise ConfigError(what, where=str(path), fix="record it anew") from None


def _read(path: Path) -> Any:
    try:
        return read_json(path.read_text("utf-8"))
    except OSError as error:
        missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
        what = "is not there" if missing else f"cannot be read: {(error.strerror or '').lower()}"
        fix = "record it with connector-assets record" if missing else ""
        raise ConfigError(what, where=str(path), fix=fix) from None
    except (ValueError, RecursionError):
        raise ConfigError("is not JSON in UTF-8", where=str(path)) from None
