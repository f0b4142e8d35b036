"""New rows into a Snowflake table, inside a transaction that someone else commits: DML, no DDL."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from connector_assets.load.duckdb.tables import PARTITION, VALID_FROM, VALID_TO
from connector_assets.load.snowflake.incoming import Incoming
from connector_assets.load.snowflake.sql import differ, same, sf_quoted, sf_table
from connector_assets.load.table import Table, WriteMode
from connector_assets.snowflake.literals import sf_literal
from connector_assets.snowflake.session import Session


class SnowflakeWrite:
    """One write of one table; `rows` have each key once."""

    def __init__(  # noqa: PLR0917 # what is written, and where
        self,
        session: Session,
        table: Table,
        rows: Incoming,
        key: Sequence[str] = (),
        told: Collection[str] = (),
        gone: str | None = None,
    ) -> None:
        """`key` are the columns of the key, `told` those that say of a row when it was loaded.

        `gone` is the column that says "this key is gone".
        """
        self._session, self._rows, self._key, self._told = session, rows, key, told
        self._target = sf_table(table)
        self._part = table.partition
        self._gone = gone
        self._data = [name for name in rows.types if name != gone]

    def run(self, mode: WriteMode, *, is_all: bool = False, prunes: bool = False) -> None:
        """Write the rows; `is_all` says that the source has no others, for scd2.

        With `prunes`, a merge deletes the keys that did not come.
        """
        if mode == "scd2":
            self._make_versions(is_all=is_all)
        elif mode == "merge" and self._key:
            if prunes:
                self._delete_keys(_ABSENT)
            self._merge()
        elif mode == "replace" and self._part is None:
            # Not TRUNCATE, which would commit.
            self._session.run(f"delete from {self._target}")
            self._insert()
        elif mode == "replace":
            part = sf_literal(self._part or "")
            self._session.run(f"delete from {self._target} where {sf_quoted(PARTITION)} = {part}")
            if self._key:
                self._delete_keys(_PRESENT)
            self._insert({PARTITION: part})
        else:
            self._insert()

    def _merge(self) -> None:
        changing = [name for name in self._data if name not in self._key]
        clauses = []
        if self._gone:
            clauses.append(f"when matched and {self._is_gone()} then delete")
        if changing:
            values = ", ".join(f"{sf_quoted(name)} = new.{sf_quoted(name)}" for name in changing)
            clauses.append(f"when matched and ({self._differs(changing)}) then update set {values}")
        stays = f" and not {self._is_gone()}" if self._gone else ""
        names = ", ".join(map(sf_quoted, self._data))
        new = ", ".join(f"new.{sf_quoted(name)}" for name in self._data)
        clauses.append(f"when not matched{stays} then insert ({names}) values ({new})")
        self._session.run(
            f"merge into {self._target} as old using {self._rows.name} as new on {self._same()} "
            + " ".join(clauses)
        )

    def _delete_keys(self, which: str) -> None:
        """Delete old rows by key: those that came, or those that did not."""
        keys = ", ".join(f"old.{sf_quoted(name)}" for name in self._key)
        matched = " and ".join(
            same(f"old.{sf_quoted(name)}", f"found.{sf_quoted(name)}", self._rows.types[name])
            for name in self._key
        )
        found = (
            f"select distinct {keys} from {self._target} old left join {self._rows.name} new "
            f"on {self._same()} where new.{sf_quoted(self._key[0])} is {which}"
        )
        self._session.run(
            f"merge into {self._target} as old using ({found}) as found on {matched} "
            "when matched then delete"
        )

    def _insert(self, more: Mapping[str, str] | None = None, where: str = "") -> None:
        own = more or {}
        stays = [f"not {self._is_gone('')}"] if self._gone else []
        conditions = " and ".join([*stays, *([where] if where else [])])
        names = ", ".join(sf_quoted(name) for name in (*self._data, *own))
        values = ", ".join([*map(sf_quoted, self._data), *own.values()])
        self._session.run(
            f"insert into {self._target} ({names}) select {values} from {self._rows.name}"
            + (f" where {conditions}" if conditions else "")
        )

    def _make_versions(self, *, is_all: bool) -> None:
        """Keep history: close the versions that changed or went, drop rows that did not change.

        With `is_all`, a key that did not come is gone as well.
        """
        at = sf_literal(self._session.run("select current_timestamp()")[0][0].isoformat())
        now = f"{at}::timestamp_tz"
        current = f"old.{sf_quoted(VALID_TO)} is null"
        equal = f"not ({self._differs(self._data)})"
        stays = f" and not {self._is_gone()}" if self._gone else ""
        close = f"when matched then update set {sf_quoted(VALID_TO)} = {now}"
        if is_all:
            self._close_absent(close, current)
        self._session.run(
            f"merge into {self._rows.name} as new using {self._target} as old "
            f"on {self._same()} and {current} and {equal}{stays} when matched then delete"
        )
        self._session.run(
            f"merge into {self._target} as old using {self._rows.name} as new "
            f"on {self._same()} and {current} {close}"
        )
        self._insert({VALID_FROM: now})

    def _close_absent(self, close: str, current: str) -> None:
        keys = ", ".join(f"old.{sf_quoted(name)}" for name in self._key)
        matched = " and ".join(
            same(f"old.{sf_quoted(name)}", f"found.{sf_quoted(name)}", self._rows.types[name])
            for name in self._key
        )
        stays = f" and not {self._is_gone()}" if self._gone else ""
        absent = (
            f"select {keys} from {self._target} old left join {self._rows.name} new "
            f"on {self._same()}{stays} "
            f"where {current} and new.{sf_quoted(self._key[0])} is null"
        )
        self._session.run(
            f"merge into {self._target} as old using ({absent}) as found "
            f"on {matched} and {current} {close}"
        )

    def _same(self) -> str:
        return " and ".join(
            same(f"new.{sf_quoted(name)}", f"old.{sf_quoted(name)}", self._rows.types[name])
            for name in self._key
        )

    def _differs(self, names: Sequence[str]) -> str:
        found = [
            differ(f"new.{sf_quoted(name)}", f"old.{sf_quoted(name)}", self._rows.types[name])
            for name in names
            if name not in self._told
        ]
        return " or ".join(found) or "false"

    def _is_gone(self, of: str = "new.") -> str:
        assert self._gone
        return f"coalesce({of}{sf_quoted(self._gone)}, false)"


_PRESENT, _ABSENT = "not null", "null"
