"""One Iceberg table: what is in it, and one commit.

What loads remember is a property of the table, set by the commit that brings the rows; the
snapshot's summary has the name of the load. A commit demands that the table's newest snapshot is
still the one that was looked at.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.errors import LoadError
from connector_assets.load.duckdb.scratch import scratch
from connector_assets.load.duckdb.sql import literal, quoted
from connector_assets.load.duckdb.tables import PARTITION
from connector_assets.load.lake.facts import Facts
from connector_assets.load.lake.store import Bounds, Change, Conflict, Fence
from connector_assets.load.table import Column

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FACTS, _ITEMS, _LOAD = (f"connector-assets.{name}" for name in ("facts", "items", "load-id"))
# Of a metadata file, which is written anew by each commit.
_MOST_ITEMS_BYTES = 4 << 20
FILE_BYTES = 128 << 20
_PART = "connector_assets_part"
_ROWS_AT_ONCE = 32_768


@dataclass(frozen=True, slots=True)
class IcebergSnapshot:
    """A table as its catalog has it now; None where it has none."""

    table: Any = None
    facts: Facts = field(default_factory=Facts)
    columns: Mapping[str, str] | None = None

    def described(self) -> Sequence[Column]:
        if self.table is None:
            return []
        return [
            Column(one.name, str(one.field_type), not one.required)
            for one in self.table.schema().fields
        ]

    def count(self) -> int:
        return int(self.table.scan().count()) if self.table is not None else 0

    def shown(
        self, connection: DuckDBPyConnection, name: str, bounds: Bounds | None = None
    ) -> Iterator[None]:
        """File by file: one is in memory at a time."""
        for task in tasks_in(self.table, bounds):
            connection.register(name, read(self.table, [task], self.table.schema()))
            yield
            connection.unregister(name)

    def show(self, connection: DuckDBPyConnection, name: str) -> None:
        """Copy the rows: the library's own reader can be read only once."""
        if self.table is None:
            return
        schema = _arrow_schema(self.table)
        connection.register(_PART, schema.empty_table())
        connection.execute(f"create table {quoted(name)} as from {_PART}")
        connection.unregister(_PART)
        for _ in self.shown(connection, _PART):
            connection.execute(f"insert into {quoted(name)} from {_PART}")


def tasks_in(table: Any, bounds: Bounds | None) -> list[Any]:
    """The files that may have rows within the bounds, in the order in which they came."""
    if table is None:
        return []
    from pyiceberg import expressions

    # Their arguments are by position, which mypy does not see through pydantic.
    known: Any = expressions
    scan = table.scan()
    if bounds is not None:
        low = known.GreaterThanOrEqual(bounds.column, _plain(bounds.low))
        high = known.LessThanOrEqual(bounds.column, _plain(bounds.high))
        scan = table.scan(known.And(low, high))
    # A later snapshot's manifests are first.
    return list(scan.plan_files())[::-1]


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str) else str(value)


def read(table: Any, tasks: Sequence[Any], schema: Any) -> Any:
    """The rows of these files, as a pyarrow.Table with the columns of `schema`."""
    from pyiceberg.expressions import AlwaysTrue
    from pyiceberg.io.pyarrow import ArrowScan

    scan = ArrowScan(table.metadata, table.io, schema, AlwaysTrue())
    return scan.to_table(tasks)


def _arrow_schema(table: Any) -> Any:
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    return schema_to_pyarrow(table.schema(), include_field_ids=False)


def look(table: Any, where: str, folder: Path) -> IcebergSnapshot:
    """What there is in a table of a catalog."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("rows", _arrow_schema(table).empty_table())
        described = connection.execute("describe from rows").fetchall()
    columns = {name: type_ for name, type_, *_ in described}
    return IcebergSnapshot(table, _facts(table.properties, where, folder), columns)


def _facts(properties: Mapping[str, str], where: str, folder: Path) -> Facts:
    text = properties.get(_FACTS)
    if text is None:
        return Facts()
    items = None
    if encoded := properties.get(_ITEMS):
        items = folder / f"{uuid.uuid4().hex}.parquet"
        items.write_bytes(base64.b64decode(encoded))
    return Facts.parsed(text, where, items)


def properties_of(facts: Facts, where: str) -> dict[str, str]:
    """What is remembered, as properties of a table."""
    items = facts.items.read_bytes() if facts.items is not None else b""
    if len(items) > _MOST_ITEMS_BYTES:
        raise LoadError(
            f"the positions of its items take {len(items) >> 20} MB, and an Iceberg table keeps "
            f"at most {_MOST_ITEMS_BYTES >> 20} in its properties",
            where=where,
            fix="load the stream into a Delta table, a DuckDB file or PostgreSQL",
        )
    return {_FACTS: facts.text(), _ITEMS: base64.b64encode(items).decode()}


@dataclass(frozen=True, slots=True)
class IcebergCommit:
    """A change on its way into the table, in a transaction of the catalog's."""

    before: IcebergSnapshot
    change: Change
    fence: Fence
    where: str

    def run(self, transaction: Any) -> None:
        """Write files, and then have the catalog point to them.

        Raises Conflict where the table has moved; what was written then is nobody's.
        """
        from pyiceberg.exceptions import CommitFailedException, TableAlreadyExistsError

        written: list[str] = []
        try:
            self._evolve(transaction)
            transaction.set_properties(properties_of(self.change.facts, self.where))
            self._replace_files(transaction, written)
            self.fence()
            # The library would commit on top of what others did meanwhile, and their position.
            transaction._snapshot_producers.clear()  # noqa: SLF001
            transaction.commit_transaction()
        except (CommitFailedException, TableAlreadyExistsError) as error:
            _delete(transaction, written)
            raise Conflict from error
        except LoadError:
            _delete(transaction, written)
            raise

    def _evolve(self, transaction: Any) -> None:
        """New columns; where all rows are written anew, columns of another type as new ones."""
        if self.before.table is None:
            return
        had, now = self.before.columns or {}, self.change.columns
        other = [name for name, type_ in had.items() if now.get(name) != type_]
        if self.change.way == "replace" and other:
            with transaction.update_schema(allow_incompatible_changes=True) as update:
                for name in other:
                    update.delete_column(name)
        if other or not set(self.change.rows.types) <= set(had):
            with self.change.rows.reader() as rows, transaction.update_schema() as update:
                update.union_by_name(rows.schema)

    def _replace_files(self, transaction: Any, written: list[str]) -> None:
        """One snapshot: files with rows that go are written anew without them, new rows added."""
        update = transaction.update_snapshot({_LOAD: self.change.load_id})
        with (update.fast_append if self.change.way == "append" else update.overwrite)() as files:
            for task in self._touched():
                files.delete_data_file(task.file)
                if self.change.way != "replace":
                    with self._kept(task) as rows:
                        _add(files, transaction, rows, written)
            with self.change.rows.reader(self.fence) as rows:
                _add(files, transaction, rows, written)

    def _touched(self) -> Iterator[Any]:
        """The files that have a row which goes."""
        if self.change.way == "append" or self.before.table is None:
            return
        names = [*(self.change.gone.types if self.change.gone else ()), *self._part()]
        for task in tasks_in(self.before.table, None):
            if self.change.way == "replace" or (names and self._has_gone(task, names)):
                yield task

    def _has_gone(self, task: Any, names: Sequence[str]) -> bool:
        table = self.before.table
        rows = read(table, [task], table.schema().select(*names))
        with self._beside(rows) as connection:
            sql = f"select 1 from {_PART} old where {self._goes()} limit 1"
            return bool(connection.execute(sql).fetchall())

    @contextmanager
    def _kept(self, task: Any) -> Iterator[Any]:
        """The rows of a data file that stay, as a reader."""
        table = self.before.table
        with self._beside(read(table, [task], table.schema())) as connection:
            sql = f"select * from {_PART} old where not {self._goes()}"
            yield connection.sql(sql).to_arrow_reader(_ROWS_AT_ONCE)

    @contextmanager
    def _beside(self, rows: Any) -> Iterator[DuckDBPyConnection]:
        """A connection to the scratch file, with rows of a data file beside it as `_PART`."""
        path = self.change.rows.path
        with scratch(path, where=self.where) as connection, connection.cursor() as beside:
            beside.execute("set TimeZone = 'UTC'")
            beside.register(_PART, rows)
            yield beside

    def _part(self) -> list[str]:
        has_part = PARTITION in (self.before.columns or {})
        return [PARTITION] if self.change.partition is not None and has_part else []

    def _goes(self) -> str:
        """The SQL of whether a row of `old` goes."""
        parts = [
            f"coalesce(old.{name} = {literal(self.change.partition or '')}, false)"
            for name in self._part()
        ]
        if self.change.gone is not None:
            same = " and ".join(
                f"old.{quoted(name)} is not distinct from gone.{quoted(name)}"
                for name in self.change.gone.types
            )
            parts.append(f"exists (select 1 from ({self.change.gone.sql}) gone where {same})")
        return f"({' or '.join(parts)})"


def _add(files: Any, transaction: Any, rows: Any, written: list[str]) -> None:
    """Write rows into data files of the table, and add those to a snapshot."""
    from pyiceberg.io.pyarrow import _dataframe_to_data_files, bin_pack_record_batches

    metadata, io = transaction.table_metadata, transaction._table.io  # noqa: SLF001
    parts: Iterable[Any] = [rows]
    if not metadata.spec().is_unpartitioned():  # by somebody: of such a table it takes no stream
        import pyarrow as pa

        packed = bin_pack_record_batches(rows, FILE_BYTES)
        parts = (pa.Table.from_batches(batches) for batches in packed)
    for part in parts:
        for file in _dataframe_to_data_files(metadata, part, io):
            written.append(file.file_path)
            files.append_data_file(file)


def _delete(transaction: Any, written: Sequence[str]) -> None:
    """Remove data files that no snapshot has; one that cannot be is an orphan, as after a kill."""
    for path in written:
        with suppress(Exception):
            transaction._table.io.delete(path)  # noqa: SLF001
