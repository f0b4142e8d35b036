"""One Iceberg table: what is in it, and one commit.

What loads remember is a property of the table, set by the commit that brings the rows; the
snapshot's summary has the name of the load. A commit demands that the table's newest snapshot is
still the one that was looked at.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.errors import LoadError
from connector_assets.load.duckdb.sql import quoted
from connector_assets.load.iceberg.parts import IcebergPart, arrow_schema, parts_of, written_files
from connector_assets.load.lake.facts import Facts
from connector_assets.load.lake.gone import Gone
from connector_assets.load.lake.parts import PART, rows_but, showing
from connector_assets.load.lake.store import Bounds, Change, Conflict, Fence
from connector_assets.load.table import Column

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FACTS, _ITEMS, _LOAD = (f"connector-assets.{name}" for name in ("facts", "items", "load-id"))
# Of a metadata file, which is written anew by each commit.
_MOST_ITEMS_BYTES = 4 << 20


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

    def parts(self, bounds: Bounds | None = None) -> Iterator[IcebergPart]:
        return parts_of(self.table, bounds)

    def show(self, connection: DuckDBPyConnection, name: str) -> None:
        """Copy the rows: the library's own reader can be read only once."""
        if self.table is None:
            return
        schema = arrow_schema(self.table.schema())
        with showing(connection, schema, []):
            connection.execute(f"create table {quoted(name)} as from {PART}")
        for part in self.parts():
            with showing(connection, schema, part.batches(schema.names)):
                connection.execute(f"insert into {quoted(name)} from {PART}")


def look(table: Any, where: str, folder: Path) -> IcebergSnapshot:
    """What there is in a table of a catalog."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("rows", arrow_schema(table.schema()).empty_table())
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
            for part, kept in self._touched():
                files.delete_data_file(part.task.file)
                for file in written_files(transaction, kept, written):
                    files.append_data_file(file)
            with self.change.rows.reader(self.fence) as rows:
                for file in written_files(transaction, rows, written):
                    files.append_data_file(file)

    def _touched(self) -> Iterator[tuple[IcebergPart, Iterator[Any]]]:
        """The files that have a row which goes, and the batches of those that stay."""
        columns = list(self.before.columns or ())
        if self.change.way == "replace":
            yield from ((part, iter(())) for part in self.before.parts())
        if self.change.way != "part":
            return
        with Gone.of(self.change, columns) as gone:
            for part in self.before.parts(self.change.bounds):
                if numbers := gone.rows(part):
                    yield part, rows_but(part.batches(columns), numbers)


def _delete(transaction: Any, written: Sequence[str]) -> None:
    """Remove data files that no snapshot has; one that cannot be is an orphan, as after a kill."""
    for path in written:
        with suppress(Exception):
            transaction._table.io.delete(path)  # noqa: SLF001
