"""New rows by key into a DuckDB table that has some: rows that differ change, others are let be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from connector_assets.load.columns.plan import KeyColumn
from connector_assets.load.duckdb.sql import comparable, quoted
from connector_assets.load.table import LOAD_COLUMNS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

INCOMING = 'temp.main."connector_assets_incoming"'
_FOUND = 'temp.main."connector_assets_found"'
_STALE = 'temp.main."connector_assets_stale"'


class DuckDBUpsert:
    """Brings the rows of `INCOMING`, each key once, into `target`.

    `columns` are written, `gone` is the column that says "this key is gone", if there is one.
    `indexed` names the columns of indexes: DuckDB makes a new row of one whose indexed value is
    set, which a foreign key that refers to it forbids, so they are set only where they differ.
    """

    def __init__(
        self,
        connection: DuckDBPyConnection,
        target: str,
        key: Sequence[KeyColumn],
        columns: Sequence[KeyColumn],
        indexed: frozenset[str],
        *,
        gone: str = "",
    ) -> None:
        self._connection, self._target = connection, target
        self._key, self._columns, self._indexed, self._gone = key, columns, indexed, gone

    def run(self, *, prunes: bool) -> None:
        """Change, delete and add; with `prunes`, keys that did not come are deleted as well."""
        keys = {column.name for column in self._key}
        # A key that is the same may still be spelled otherwise, as 1 and 1.0 in JSON.
        told = [c for c in self._columns if c.key in LOAD_COLUMNS]
        changing = [
            c for c in self._columns if c not in told and (c.name not in keys or c.type == "JSON")
        ]
        self._find()
        self._delete(prunes=prunes)
        if changing and self._may_write_anew():
            self._write_anew(changing)
        else:
            for is_indexed in (False, True):
                of = [c for c in changing if (c.name in self._indexed) == is_indexed]
                self._update(of, told)
        names = ", ".join(quoted(column.name) for column in self._columns)
        self._execute(
            f"insert into {self._target} ({names}) select {names} from {INCOMING} "
            f"where rowid not in (select new from {_FOUND}) order by rowid"
        )
        self._execute(f"drop table {_FOUND}")

    def _find(self) -> None:
        """Which old row each new one is about; an old key may be there more than once."""
        same = " and ".join(f"{_value(c, 'new')} = {_value(c, 'old')}" for c in self._key)
        self._execute(
            f"create or replace temp table {_FOUND} as select old.rowid as old, new.rowid as new, "
            "row_number() over (partition by new.rowid order by old.rowid desc) as number "
            f"from {self._target} old join {INCOMING} new on {same}"
        )

    def _delete(self, *, prunes: bool) -> None:
        if prunes:
            self._execute(
                f"delete from {self._target} where rowid not in (select old from {_FOUND})"
            )
        again = f"select old from {_FOUND} where number > 1"
        if self._execute(f"{again} limit 1"):
            self._execute(f"delete from {self._target} where rowid in ({again})")
        if self._gone:
            gone = f"select rowid from {INCOMING} where {self._gone}"
            self._execute(
                f"delete from {self._target} "
                f"where rowid in (select old from {_FOUND} where new in ({gone}))"
            )
            self._execute(f"delete from {INCOMING} where {self._gone}")

    def _may_write_anew(self) -> bool:
        """Whether nobody can tell a row that is changed from one that is written anew.

        Not where an index is, to which foreign keys may refer, or a column that is not ours.
        """
        has = self._execute(f"select column_name from (describe {self._target})")
        return not self._indexed and {name for (name,) in has} == {c.name for c in self._columns}

    def _write_anew(self, columns: Sequence[KeyColumn]) -> None:
        """Delete rows that differ, and leave them to be inserted with the new ones.

        To change a value DuckDB writes its column anew for all the 122,880 rows around it, and rows
        that change are all over the table.
        """
        self._execute(
            f"create or replace temp table {_STALE} as select found.old, found.new "
            f"from {_FOUND} found join {self._target} old on old.rowid = found.old "
            f"join {INCOMING} new on new.rowid = found.new "
            f"where found.number = 1 and ({_differs(columns)})"
        )
        self._execute(f"delete from {self._target} where rowid in (select old from {_STALE})")
        self._execute(f"delete from {_FOUND} where new in (select new from {_STALE})")
        self._execute(f"drop table {_STALE}")

    def _update(self, columns: Sequence[KeyColumn], told: Sequence[KeyColumn]) -> None:
        """Set these where one of them differs, and then what is `told` of the load as well."""
        names = [quoted(column.name) for column in columns]
        if not names:
            return
        more = [quoted(column.name) for column in told]
        values = ", ".join(f"{name} = new.{name}" for name in [*names, *more])
        self._execute(
            f"update {self._target} old set {values} from {INCOMING} new, {_FOUND} found "
            "where old.rowid = found.old and new.rowid = found.new and found.number = 1 "
            f"and ({_differs(columns)})"
        )

    def _execute(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()


def _differs(columns: Sequence[KeyColumn]) -> str:
    names = (quoted(column.name) for column in columns)
    return " or ".join(f"old.{name} is distinct from new.{name}" for name in names)


def _value(column: KeyColumn, of: str) -> str:
    return comparable(f"{of}.{quoted(column.name)}", column.type)
