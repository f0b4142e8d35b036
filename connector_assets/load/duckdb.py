"""A DuckDB file as a destination: one load is one short transaction, under a lock beside the file.

DuckDB lets one process open a file for writing, and nobody else even read it meanwhile. So rows are
staged first, the file is open only for the load, and loads queue at `<file>.lock`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from connector_assets.errors import Busy
from connector_assets.load.duckdb_errors import refused
from connector_assets.load.duckdb_load import Order, load, require_key
from connector_assets.load.duckdb_read import Reads
from connector_assets.load.duckdb_tables import name_of
from connector_assets.load.duckdb_tuning import tune
from connector_assets.load.lock import Lock
from connector_assets.load.table import Cursor, Loaded, Segment, Table, WriteMode
from connector_assets.load.told import told

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 1.0
# DuckDB's words for a file that another process has; the others are Windows', and its own there.
_HELD = ("Could not set lock on file", "File is already open in", "used by another process")


class DuckDBDestination(Reads):
    """Tables in a DuckDB file: schema = connection, table = stream.

    `wait_s` is how long to wait for others who load into or read the file, before Busy.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        wait_s: float = 300,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = Path(path)
        self._wait_s, self._sleep, self._monotonic = wait_s, sleep, monotonic

    def __repr__(self) -> str:
        return f"DuckDBDestination({str(self._path)!r})"

    @property
    def uri(self) -> str:
        return f"duckdb:///{self._path.as_posix()}"

    def load(
        self,
        table: Table,
        segments: Sequence[Segment],
        mode: WriteMode,
        cursor: Cursor | None = None,
        *,
        fence: Callable[[], None] | None = None,
        run_id: str = "",
    ) -> Loaded:
        """Put the rows of `segments` into `table`, or change nothing and raise LoadError.

        `fence` is called just before the commit; what it raises undoes the load.
        """
        require_key(table, mode)
        where = f"{table.schema}.{table.name}"
        order = Order(table, segments, mode, cursor, fence, run_id, self.uri)
        return load(order, lambda: self._writing(where, run_id))

    def name_in_sql(self, table: Table) -> str:
        """The table's name with the file's: a schema may be called like the file."""
        with self._reading() as connection:
            return name_of(connection, table) if connection else f"{table.schema}.{table.name}"

    @contextmanager
    def _writing(self, where: str, run_id: str) -> Iterator[DuckDBPyConnection]:
        import duckdb

        with ExitStack() as held:
            with told(self.uri):
                self._path.parent.mkdir(parents=True, exist_ok=True)
                lock = self._path.with_name(self._path.name + ".lock")
                held.enter_context(Lock(lock, what=self.uri, wait_s=self._wait_s, run_id=run_id))
                self._create()
            connection = self._connect(read_only=False)
            try:
                tune(connection)
                connection.execute("begin")
                yield connection
                connection.execute("commit")
            except duckdb.Error as error:
                raise refused(error, where) from error
            finally:
                # Closing without a commit undoes everything, also when it is an interrupt.
                connection.close()

    def _create(self) -> None:
        """Make the file where there is none, under its name only when it is whole.

        DuckDB writes it in several steps: of one that was killed between them it makes no sense.
        """
        import duckdb

        path = self._path.resolve()  # a link stays one
        if path.exists():
            return
        new = path.with_name(path.name + ".new")
        new.unlink(missing_ok=True)
        try:
            duckdb.connect(new).close()
        except duckdb.Error as error:
            new.unlink(missing_ok=True)
            raise refused(error, self.uri) from error
        new.replace(path)

    @contextmanager
    def _reading(self) -> Iterator[DuckDBPyConnection | None]:
        with told(self.uri):
            exists = self._path.exists()
        if not exists:
            yield None
            return
        connection = self._connect(read_only=True)
        try:
            yield connection
        finally:
            connection.close()

    def _connect(self, *, read_only: bool) -> DuckDBPyConnection:
        import duckdb

        wait_s, give_up = _FIRST_WAIT_S, self._monotonic() + self._wait_s
        while True:
            try:
                return duckdb.connect(self._path, read_only=read_only)
            except duckdb.Error as error:
                if not any(words in str(error) for words in _HELD):
                    raise refused(error, self.uri) from error
                if self._monotonic() >= give_up:
                    raise Busy(
                        f"open in {_holder(error)}",
                        where=self.uri,
                        fix="close it there, or read a copy of the file",
                    ) from error
            self._sleep(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)


def _holder(error: Exception) -> str:
    found = re.search(r"PID (\d+)", str(error))
    return f"process {found[1]}" if found else "another process"
