"""How much of a machine DuckDB takes for a load: little, and the same for a million rows or ten."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Measured (ADR 3): with less memory the load falls back to one thread, with more it takes more and
# is no faster; more threads would need more memory.
_MEMORY_MB = 300
_MEMORY_MB_PER_COLUMN = 0.25
_THREADS = 2


def tune(connection: DuckDBPyConnection, columns: int = 0) -> None:
    """Set limits for a load into a table of so many columns; each takes its buffers.

    They hold for all of a process's connections to the file, so where a notebook has it open as
    well, its settings stay.
    """
    connection.execute("set TimeZone = 'UTC'")  # for times in text; this is the connection's own
    if connection.execute("from duckdb_connection_count()").fetchall()[0][0] > 1:
        return
    wide_mb = int(columns * _MEMORY_MB_PER_COLUMN)
    threads = 1 if wide_mb > _MEMORY_MB else _THREADS
    connection.execute(f"set memory_limit = '{max(_MEMORY_MB, wide_mb)}MB'")
    connection.execute(f"set threads = {threads}")
