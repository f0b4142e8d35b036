"""Files that only the user reads, and that nobody else can have put there.

Staged rows, journals, locks, budgets and tokens are such.

A folder may be one that others write to, such as /tmp. So owner and kind are looked at on the file
that is open, not on its name; no link is followed; and modes are set whatever the umask says.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from connector_assets.errors import ConfigError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]  # callers look for it

STATE = ".connector_assets/state"
"""The default of the setting of that name."""
_FOLDER, _FILE, _OTHERS = 0o700, 0o600, 0o077
# Not to block at a pipe that stands where the file goes.
_SAFE = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
_FLAGS = {"ab": os.O_WRONLY | os.O_APPEND, "wb": os.O_WRONLY}


def state_folder() -> Path:
    """Where this machine keeps what it shares between runs, also where budgets are on a server."""
    given = os.environ.get("CONNECTOR_ASSETS_STATE") or STATE
    return Path(STATE if "://" in given else given)


def private_root(path: Path) -> Path:
    """The folder that an operator chose, made if need be; it may be a link of theirs.

    Its mode is left as it is where other things are in it. Raises ConfigError for one that another
    user made, OSError for one that cannot be made.
    """
    for missing in reversed([one for one in (path, *path.parents) if not os.path.lexists(one)]):
        _make(missing)
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        _refuse_strangers(found, path)
        found = path.stat()
    _check_folder(found, path)
    if _is_mine(found) and found.st_mode & _OTHERS and _has_only_folders(path):
        path.chmod(_FOLDER)
    return path


def private_folder(path: Path) -> Path:
    """A folder of our own below a private root, made if need be (0700), never through a link."""
    _make(path)
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise _refused(path, "is a link, which is not followed")
    _check_folder(found, path)
    if _is_mine(found) and stat.S_IMODE(found.st_mode) != _FOLDER:
        path.chmod(_FOLDER)
    return path


def private_file(path: Path, mode: str, *, buffering: int = -1) -> IO[bytes]:
    """`path.open(mode)` for `ab` and `wb`: 0600, never through a link or into another's file."""
    file = open_private(path, _FLAGS[mode] | os.O_CREAT)
    if mode == "wb":
        os.ftruncate(file, 0)
    return os.fdopen(file, mode, buffering)


def replaced(path: Path, content: bytes, mode: int) -> None:
    """Put `content` in the place of the file at `path`, whole or not at all.

    It is written beside it under a name that nobody can know before.
    """
    file, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(file, "wb") as temporary:
            temporary.write(content)
        Path(name).chmod(mode)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def discard_wrong_kind(path: Path, *, wants_folder: bool) -> bool:
    """Remove what is of ours at `path` and is no folder, or no file; whether there was such.

    A link, a pipe or what is another user's stays, for who opens it to refuse.
    """
    try:
        found = path.lstat()
    except OSError:
        return False
    is_wrong = stat.S_ISREG if wants_folder else stat.S_ISDIR
    if not is_wrong(found.st_mode) or not _is_mine(found):
        return False
    discard(path)
    return True


def discard(path: Path) -> None:
    """Remove a file or a folder; of a link only the link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def truncate_private(path: Path, size: int) -> None:
    """Cut a file of ours; ConfigError for anything else."""
    file = open_private(path, os.O_WRONLY)
    try:
        os.ftruncate(file, size)
    finally:
        os.close(file)


def open_private(path: str | Path, flags: int = os.O_RDWR | os.O_CREAT) -> int:
    """As `os.open`, with mode 0600; ConfigError for a link, another's file or no file at all."""
    try:
        file = os.open(path, flags | _SAFE, _FILE)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise _refused(path, "is a link, which is not followed") from None
        if error.errno in (errno.EISDIR, errno.ENXIO):
            raise _refused(path, "is no file") from None
        raise
    try:
        found = _checked_file(os.fstat(file), path)
        if _is_mine(found) and stat.S_IMODE(found.st_mode) != _FILE and hasattr(os, "fchmod"):
            os.fchmod(file, _FILE)
    except BaseException:
        os.close(file)
        raise
    return file


def locked_file(path: str | Path) -> int | None:
    """The open file at `path`, locked until it is closed; None where someone else has the lock."""
    assert fcntl is not None
    file = open_private(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    except BaseException:
        os.close(file)
        raise
    return file


def _make(path: Path) -> None:
    with suppress(FileExistsError):
        path.mkdir(mode=_FOLDER)
        path.chmod(_FOLDER)  # a umask may have taken from it


def _checked_file(found: os.stat_result, path: str | Path) -> os.stat_result:
    if not stat.S_ISREG(found.st_mode):
        raise _refused(path, "is no file")
    _refuse_strangers(found, path)
    return found


def _check_folder(found: os.stat_result, path: Path) -> None:
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    _refuse_strangers(found, path)


def _refuse_strangers(found: os.stat_result, path: str | Path) -> None:
    """The system's administrator may do everything anyway, and makes the folders of containers."""
    if not _is_mine(found) and found.st_uid != 0:
        raise _refused(path, "belongs to another user")


def _is_mine(found: os.stat_result) -> bool:
    return not hasattr(os, "geteuid") or found.st_uid == os.geteuid()


def _has_only_folders(path: Path) -> bool:
    """Whether nothing but ours is in it, for all one can tell."""
    here = (Path.cwd(), Path.home())
    if any(one.is_relative_to(path.resolve()) for one in here):
        return False
    with os.scandir(path) as entries:
        return all(entry.is_dir(follow_symlinks=False) for entry in entries)


def _refused(path: str | Path, what: str) -> ConfigError:
    fix = "remove it, or choose another folder"
    return ConfigError(what, where=str(path), fix=fix)
