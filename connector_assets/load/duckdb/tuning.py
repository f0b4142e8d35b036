"""How much of a machine DuckDB takes for a load: little, and the same for a million rows or ten.

What is larger than that, as a row of 60 MB or ten thousand columns, is loaded again with more, as
far as the machine has it, or as the variable CONNECTOR_ASSETS_MEMORY says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from connector_assets.errors import ConfigError
from connector_assets.load.duckdb.errors import OutOfMemory

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = "CONNECTOR_ASSETS_MEMORY"
# Measured (ADR 3): with less memory the load falls back to one thread, with more it takes more and
# is no faster; more threads would need more memory.
_MEMORY_MB = 300
_MEMORY_MB_PER_COLUMN = 0.25
_THREADS = 2
_CGROUP, _CGROUP_1 = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory")
_Result = TypeVar("_Result")
_limit_mb: ContextVar[int] = ContextVar("limit_mb", default=_MEMORY_MB)


def without_extensions(connection: DuckDBPyConnection) -> DuckDBPyConnection:
    """The connection, which from now on fetches and loads nothing that DuckDB has not built in."""
    if connection.execute("from duckdb_connection_count()").fetchall()[0][0] == 1:
        connection.execute("set autoinstall_known_extensions = false")
        connection.execute("set autoload_known_extensions = false")
    return connection


def tune(connection: DuckDBPyConnection, columns: int = 0) -> None:
    """Set limits for a load into a table of so many columns; each takes its buffers.

    They hold for all of a process's connections to the file, so where a notebook has it open as
    well, its settings stay.
    """
    connection.execute("set TimeZone = 'UTC'")  # for times in text; this is the connection's own
    if connection.execute("from duckdb_connection_count()").fetchall()[0][0] > 1:
        return
    limit_mb, wide_mb = _limit_mb.get(), int(columns * _MEMORY_MB_PER_COLUMN)
    threads = 1 if wide_mb > _MEMORY_MB else _THREADS
    connection.execute(f"set memory_limit = '{max(limit_mb, wide_mb)}MB'")
    connection.execute(f"set threads = {threads}")


def with_enough_memory(load: Callable[[], _Result]) -> _Result:
    """What `load` returns; where DuckDB had too little memory it is called again with more."""
    *fewer, most = _limits_mb()
    for limit_mb in fewer:
        with suppress(OutOfMemory):
            return _with_limit(limit_mb, load)
    try:
        return _with_limit(most, load)
    except OutOfMemory as error:
        error.fix = f"set {MEMORY}={-(-most // 512)}GB or more, if the machine has it"
        raise


def _with_limit(limit_mb: int, load: Callable[[], _Result]) -> _Result:
    token = _limit_mb.set(limit_mb)
    try:
        return load()
    finally:
        _limit_mb.reset(token)


def _limits_mb() -> list[int]:
    """What to try, one after the other: little, then some, then half of what the machine has."""
    given = os.environ.get(MEMORY)
    if given:
        return [_parsed(given)]
    half = min(_machine_mb()) // 2
    return sorted({_MEMORY_MB, min(4 * _MEMORY_MB, half), half} - set(range(_MEMORY_MB)))


def _parsed(text: str) -> int:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(MB|GB|TB)\s*", text, re.IGNORECASE)
    if not found or not float(found[1]):
        raise ConfigError("is no amount of memory", where=MEMORY, fix="use one such as 2GB")
    return int(float(found[1]) * {"MB": 1, "GB": 1024, "TB": 1024**2}[found[2].upper()]) or 1


def _machine_mb() -> Iterator[int]:
    """The machine's memory, and what a container may have of it."""
    yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    for path in _cgroup_limits():
        with suppress(OSError, ValueError):  # "max" is no limit
            yield int(path.read_text("utf-8")) >> 20


def _cgroup_limits() -> Iterator[Path]:
    """The files with the limits of this process's control groups, of either version."""
    yield _CGROUP_1 / "memory.limit_in_bytes"
    own = PurePosixPath("/")
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text("utf-8").splitlines():
            if line.startswith("0::"):
                own = PurePosixPath(line.removeprefix("0::"))
    for group in (own, *own.parents):
        yield _CGROUP / group.relative_to("/") / "memory.max"
