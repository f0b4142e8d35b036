"""A DuckDB file for one load only, where rows are typed on their way to another store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from connector_assets.load.duckdb.errors import refused
from connector_assets.load.duckdb.tuning import tune, without_extensions

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@contextmanager
def scratch(path: Path, *, where: str) -> Iterator[DuckDBPyConnection]:
    """A transaction in the file at `path`, which is made if it is not there."""
    import duckdb

    try:
        # Opening it writes, so a full disk may show here already.
        with closing(without_extensions(duckdb.connect(path))) as connection:
            tune(connection)
            # It is read once: to pack texts well took a quarter of the time of filling it.
            connection.execute("set disabled_compression_methods = 'dict_fsst,fsst'")
            connection.execute("begin")
            yield connection
            connection.execute("commit")
    except duckdb.Error as error:
        raise refused(error, where) from error
