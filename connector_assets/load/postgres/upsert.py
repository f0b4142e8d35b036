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
_MOVED, _NEXT = "connector_assets_moved", "connector_assets_next"
_OLD, _NEW = "connector_assets_old", "connector_assets_new"


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
        values = ", ".join(
            f"{'new' if name in self.columns else 'old'}.{pg_quoted(name)} as {pg_quoted(name)}"
            for name in self._written()
        )
        self._execute(
            f"create temp table {_NEXT} on commit drop as select stored.*{self._computed()} "
            f"from (select old.ctid as {_OLD}, found.new as {_NEW}, {values} "
            f"from {self.target} old join {FOUND} found on found.old = old.ctid "
            f"join {self.incoming} new on new.ctid = found.new where found.differs) stored"
        )
        colliding = [self._colliding(*index) for index in self._unique_indexes()]
        moved = " union ".join(colliding) or f"select {_NEW} from {_NEXT}"
        self._execute(
            f"create temp table {_MOVED} on commit drop as select old.*, found.new as {_NEW} "
            f"from {self.target} old join {FOUND} found on found.old = old.ctid "
            f"where found.new in ({moved})"
        )
        self._execute(f"drop table {_NEXT}")
        self._execute(
            f"delete from {self.target} old using {FOUND} found "
            f"where old.ctid = found.old and found.new in (select {_NEW} from {_MOVED})"
        )

    def _unique_indexes(self) -> list[tuple[list[str], str, bool]]:
        """Of each its columns and expressions, its condition, and whether NULL is a value in it."""
        return self.connection.execute(
            "select array(select pg_get_indexdef(i.indexrelid, n, false) "
            "from generate_series(1, i.indnkeyatts) n order by n), "
            "coalesce(pg_get_expr(i.indpred, i.indrelid), 'true'), "
            "coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) "
            "from pg_index i where i.indrelid = %s::regclass and i.indisunique",
            [self.target],
        ).fetchall()

    def _colliding(self, parts: Sequence[str], condition: str, null_is_value: bool) -> str:
        """SQL of the new rows that want in an index what another old row has."""
        named = ", ".join(f"{part} as part_{n}" for n, part in enumerate(parts))
        equal = "is not distinct from" if null_is_value else "="
        same = " and ".join(f"next.part_{n} {equal} other.part_{n}" for n in range(len(parts)))
        return (
            f"select next.{_NEW} "
            f"from (select {_OLD}, {_NEW}, {named} from {_NEXT} where {condition}) next "
            f"join (select ctid as at, {named} from {self.target} where {condition}) other "
            f"on other.at <> next.{_OLD} and {same}"
        )

    def _written(self) -> list[str]:
        """The table's columns but those that the database computes."""
        found = self.connection.execute(
            "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 "
            "and not attisdropped and attgenerated = ''",
            [self.target],
        ).fetchall()
        return [name for (name,) in found]

    def _computed(self) -> str:
        """SQL of the columns that the database computes, behind others."""
        found = self.connection.execute(
            "select a.attname, pg_get_expr(d.adbin, d.adrelid) from pg_attribute a "
            "join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum "
            "where a.attrelid = %s::regclass and a.attgenerated <> ''",
            [self.target],
        ).fetchall()
        return "".join(f", ({how}) as {pg_quoted(name)}" for name, how in found)

    def _put_back(self) -> None:
        """Insert what was taken out: new values, and those of columns that do not come."""
        names = self._written()
        values = ", ".join(
            f"{'new' if name in self.columns else 'old'}.{pg_quoted(name)}" for name in names
        )
        self._execute(
            f"insert into {self.target} ({', '.join(map(pg_quoted, names))}) "
            f"overriding system value select {values} from {_MOVED} old "
            f"join {self.incoming} new on new.ctid = old.{_NEW}"
        )

    def _execute(self, statement: str) -> None:
        self.connection.execute(statement.encode())
