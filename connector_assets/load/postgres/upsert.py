"""New rows by key into a PostgreSQL table that has some: rows that differ change, others stay.

So what refers to a row by a foreign key, and what a trigger or a history of others' makes of it,
sees no more than what the source changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection

from connector_assets.load.postgres.sql import pg_quoted

FOUND = "connector_assets_found"
_MOVED = "connector_assets_moved"


@dataclass(frozen=True, slots=True)
class PostgresUpsert:
    """Brings the rows of the table `incoming`, each key once, into `target`; all are SQL.

    `columns` are written, `key` among them. `same` compares a new row's key with an old one's, and
    `differs` a column of both. `gone` is the column that says "this key is gone".
    """

    connection: Connection[Any]
    target: str
    incoming: str
    columns: Sequence[str]
    key: Sequence[str]
    same: str
    differs: Callable[[str], str]
    gone: str = ""

    def run(self, *, prunes: bool) -> None:
        """Change and delete, all but add; with `prunes`, keys that did not come go as well."""
        # Readers go on; others who write would make what is found here untrue.
        self._execute(f"lock table {self.target} in share row exclusive mode")
        changing = [pg_quoted(name) for name in self.columns if name not in self.key]
        differs = " or ".join(map(self.differs, changing)) or "false"
        self._execute(f"analyze {self.incoming}")  # or an index on the key would not be used
        self._execute(
            f"create temp table {FOUND} on commit drop as select old.ctid as old, new.ctid as new, "
            f"({differs}) as differs, "
            "row_number() over (partition by new.ctid order by old.ctid desc) as number "
            f"from {self.target} old join {self.incoming} new on {self.same}"
        )
        self._execute(f"analyze {FOUND}")
        self._delete(prunes=prunes)
        if changing:
            self._update(changing)
        self._execute(
            f"delete from {self.incoming} new using {FOUND} found where new.ctid = found.new"
        )
        self._execute(f"drop table {FOUND}")

    def _delete(self, *, prunes: bool) -> None:
        if prunes:
            self._execute(
                f"delete from {self.target} old where not exists "
                f"(select 1 from {FOUND} found where found.old = old.ctid)"
            )
        gone = f"or found.new in (select ctid from {self.incoming} where {self.gone})"
        self._execute(
            f"delete from {self.target} old using {FOUND} found where old.ctid = found.old "
            f"and (found.number > 1 {gone if self.gone else ''})"
        )
        self._execute(f"delete from {FOUND} where number > 1")
        if self.gone:
            self._execute(f"delete from {self.incoming} where {self.gone}")

    def _update(self, changing: Sequence[str]) -> None:
        values = ", ".join(f"{name} = new.{name}" for name in changing)
        update = (
            f"update {self.target} old set {values} from {FOUND} found "
            f"join {self.incoming} new on new.ctid = found.new "
            "where old.ctid = found.old and found.differs"
        )
        try:
            with self.connection.transaction():
                self._execute(update)
        except psycopg.errors.UniqueViolation:
            self._move()
            self._execute(update)
            self._put_back()

    def _move(self) -> None:
        """Take out rows that change to a value which another row still has in a unique index."""
        found = self.connection.execute(
            "select array(select a.attname from pg_attribute a where a.attrelid = i.indrelid "
            "and a.attnum = any(i.indkey)) from pg_index i where i.indrelid = %s::regclass "
            "and i.indisunique and i.indpred is null and i.indexprs is null",
            [self.target],
        ).fetchall()
        written = set(self.columns)
        taken = " or ".join(
            f"exists (select 1 from {self.target} other where other.ctid <> found.old and "
            + " and ".join(
                f"other.{pg_quoted(name)} = {'new' if name in written else 'old'}.{pg_quoted(name)}"
                for name in names
            )
            + ")"
            for (names,) in found
        )
        self._execute(
            f"create temp table {_MOVED} on commit drop as "
            f"select old.*, found.new as connector_assets_new from {self.target} old "
            f"join {FOUND} found on found.old = old.ctid "
            f"join {self.incoming} new on new.ctid = found.new "
            f"where found.differs and ({taken or 'true'})"
        )
        moved = f"(select connector_assets_new from {_MOVED})"
        self._execute(
            f"delete from {self.target} old using {FOUND} found "
            f"where old.ctid = found.old and found.new in {moved}"
        )

    def _put_back(self) -> None:
        """Insert what was taken out: new values, and those of columns that do not come."""
        found = self.connection.execute(
            "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 "
            "and not attisdropped and attgenerated = ''",
            [self.target],
        ).fetchall()
        names = [name for (name,) in found]
        values = ", ".join(
            f"{'new' if name in self.columns else 'old'}.{pg_quoted(name)}" for name in names
        )
        self._execute(
            f"insert into {self.target} ({', '.join(map(pg_quoted, names))}) "
            f"overriding system value select {values} from {_MOVED} old "
            f"join {self.incoming} new on new.ctid = old.connector_assets_new"
        )

    def _execute(self, statement: str) -> None:
        self.connection.execute(statement.encode())
