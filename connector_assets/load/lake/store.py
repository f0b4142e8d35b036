"""What a table format does for a load: shows a table as it is, and takes a change whole or not.

A format has no locks: a commit is made on top of the state that was looked at, and is a `Conflict`
where the table has moved in the meantime in a way that matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from connector_assets.load.duckdb.scratch import scratch
from connector_assets.load.lake.facts import Facts
from connector_assets.load.lake.parts import Part
from connector_assets.load.lake.stored import Storing
from connector_assets.load.table import Column, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ROWS_AT_ONCE = 32_768
Way = Literal["append", "replace", "part"]


class Conflict(Exception):
    """Another writer was faster; the load is to be done again, on the table as it is now."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Rows outside of `low` to `high` in `column` need not be looked at."""

    column: str
    low: Any
    high: Any


@dataclass(frozen=True, slots=True)
class ScratchRows:
    """Rows of a query in a scratch file, `types` as they are stored; read as often as need be."""

    path: Path
    sql: str
    types: Mapping[str, str]
    count: int
    where: str

    @contextmanager
    def reader(self, fence: Fence | None = None) -> Iterator[Any]:
        """A pyarrow.RecordBatchReader; the fence is asked behind the last row."""
        import pyarrow as pa

        fence = fence or Fence()
        with scratch(self.path, where=self.where) as connection, connection.cursor() as beside:
            beside.execute("set TimeZone = 'UTC'")
            rows = beside.sql(self.sql).to_arrow_reader(_ROWS_AT_ONCE)
            with fence.told():
                yield pa.RecordBatchReader.from_batches(rows.schema, fence.batches(rows))


class Fence:
    """What is asked last of all, and remembers what was raised where Python was called from below.

    An engine that reads rows of ours makes an error of its own of whatever we raise meanwhile.
    """

    def __init__(self, look: Callable[[], None] = lambda: None) -> None:
        self._look = look
        self._raised: BaseException | None = None

    def __call__(self) -> None:
        with self._remembered():
            self._look()

    def batches(self, rows: Iterable[Any]) -> Iterator[Any]:
        """The rows, and then the fence."""
        with self._remembered():
            yield from rows
            # Whoever asks may be a thread that must not wait: of an engine that reads others' rows.
            with ThreadPoolExecutor(1) as beside:
                beside.submit(copy_context().run, self._look).result()

    @contextmanager
    def _remembered(self) -> Iterator[None]:
        try:
            yield
        except GeneratorExit:
            raise
        except BaseException as error:
            self._raised = error
            raise

    @contextmanager
    def told(self) -> Iterator[None]:
        """Within it, what was raised leaves as it was."""
        try:
            yield
        except BaseException:
            if self._raised is not None:
                raise self._raised from None
            raise


@dataclass(frozen=True, slots=True)
class Change:
    """One commit: `rows` are added, and others taken away first.

    `way` "append" takes none away, "replace" all of them, "part" those of `partition`, if there is
    one, and those whose values are among `gone`, which are within `bounds`. `columns` are all
    columns that the table then has; `facts` is what it then remembers. A `blind` one holds whatever
    else is in the table.
    """

    way: Way
    rows: ScratchRows
    columns: Mapping[str, str]
    facts: Facts
    load_id: str
    partition: str | None = None
    gone: ScratchRows | None = None
    bounds: Bounds | None = None
    blind: bool = False


class Snapshot(Protocol):
    """A table as it was at one moment, or that there was none."""

    @property
    def facts(self) -> Facts: ...

    @property
    def columns(self) -> Mapping[str, str] | None:
        """The columns with their types as DuckDB calls them; None where there is no table."""
        ...

    def described(self) -> Sequence[Column]:
        """The columns with the format's own types."""
        ...

    def count(self) -> int: ...

    def parts(self, bounds: Bounds | None = None) -> Iterator[Part]:
        """Its data files in the order in which they came, but for those outside of the bounds."""
        ...

    def show(self, connection: DuckDBPyConnection, name: str) -> None:
        """Make a view or table `name` of all its rows."""
        ...


class LakeFormat(Protocol):
    """Tables in one format at one place."""

    @property
    def uri(self) -> str: ...

    @property
    def storing(self) -> Storing: ...

    @property
    def most_gone_in_part(self) -> int:
        """How many `gone` rows a change of a partition may name."""
        ...

    def look(self, table: Table, folder: Path) -> Snapshot:
        """The table now; files that belong to it may be put into the folder."""
        ...

    def commit(
        self, table: Table, before: Snapshot, change: Change, look: Callable[[], None]
    ) -> None:
        """Make the change on top of `before`; `look` is called last of all, and may raise.

        Raises Conflict.
        """
        ...
