"""What happens by key after rows were inserted: the last wins, the old give way or are closed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from connector_assets.errors import RowsError
from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.columns.policy import Misfit, MissingKey
from connector_assets.load.duckdb.sql import comparable, quoted
from connector_assets.load.duckdb.tables import VALID_FROM, VALID_TO
from connector_assets.load.table import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class NewRows:
    """The rows of a table whose rowid is above `last`: those that came with this load, in order."""

    def __init__(  # where they are, and from which row on
        self,
        connection: DuckDBPyConnection,
        table: Table,
        name: str,
        key: Sequence[KeyColumn],
        last: int,
    ) -> None:
        """`name` is where they are, in SQL: the table itself, or one beside it."""
        self._connection, self._table, self._key, self._last = connection, table, key, last
        self._name = name
        self._same = " and ".join(f"{_value(c, 'new')} = {_value(c, 'old')}" for c in key)

    def require_key(self) -> None:
        """Raise RowsError naming the first row whose key is null or missing."""
        for path, column in zip(self._table.primary_key, self._key, strict=True):
            row = self._execute(
                f"select min(rowid) filter ({quoted(column.name)} is null) - min(rowid) + 1 "
                f"from {self._name} where rowid > {self._last}"
            )[0][0]
            if row is None:
                continue
            if self._table.schema_policy == "quarantine":
                raise Misfit(MissingKey(self._table))
            raise RowsError(
                f'row {row} has no key: "{path}" is null or missing',
                where=f"{self._table.schema}.{self._table.name}",
                fix="correct primaryKey, or leave such rows out with where",
            )

    def keep_last(self) -> None:
        """Of new rows with one key, the one that came last stays."""
        keys = ", ".join(_value(column) for column in self._key)
        new = f"from {self._name} where rowid > {self._last} group by {keys}"
        if self._execute(f"select 1 {new} having count(*) > 1 limit 1"):
            self._execute(
                f"delete from {self._name} where rowid > {self._last} "
                f"and rowid not in (select max(rowid) {new})"
            )

    def replace_older(self) -> None:
        """Rows are replaced whole: a column that the new row lacks becomes NULL."""
        if self._last < 0:
            return
        self._execute(
            f"delete from {self._name} old using {self._name} new where old.rowid <= {self._last} "
            f"and new.rowid > {self._last} and {self._same}"
        )

    def make_versions(self, columns: Sequence[KeyColumn], gone: str, *, is_all: bool) -> None:
        """Keep history: close the versions that changed or went, drop new rows that did not change.

        `columns` are compared. With `is_all`, a key that did not come is gone as well.
        """
        current = f"old.rowid <= {self._last} and old.{VALID_TO} is null"
        new = f"from {self._name} new where new.rowid > {self._last} and {self._same}"
        stays = f"and not coalesce(new.{gone}, false)" if gone else ""
        equal = " and ".join(
            f"{_value(column, 'new')} is not distinct from {_value(column, 'old')}"
            for column in columns
        )
        close = f"update {self._name} old set {VALID_TO} = now() where {current}"
        if is_all:
            self._execute(f"{close} and not exists (select 1 {new} {stays})")
        self._execute(
            f"delete from {self._name} new using {self._name} old where new.rowid > {self._last} "
            f"and {current} and {self._same} and {equal} {stays}"
        )
        self._execute(f"{close} and exists (select 1 {new})")
        self._execute(f"update {self._name} set {VALID_FROM} = now() where rowid > {self._last}")

    def _execute(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()


def _value(column: KeyColumn, of: str = "") -> str:
    name = quoted(column.name)
    return comparable(f"{of}.{name}" if of else name, column.type)
