"""Whose a table is: what is remembered of it, and the loads that would not do it right.

A spec's id is its schema and a stream's name its table, so a name alone must never be enough to
take what a person or another connection has made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector_assets.errors import LoadError
from connector_assets.load.table import Table, WriteMode

STATE_SCHEMA = "_connector_assets"
REJECTED = "__rejected"
"""What is added to a table's name where its rows are set aside (quarantine)."""
REJECTS = {
    "row": "JSON",
    "reason": "VARCHAR",
    "row_number": "BIGINT",
    "page": "BIGINT",
    "load_id": "VARCHAR",
    "rejected_at": "TIMESTAMP WITH TIME ZONE",
}
"""The columns there, with DuckDB's types."""
_OWN_SCHEMAS = {"main", "temp", "system", "public"}
# By key means that rows which are there already are found by it.
_BY_KEY = {"merge", "scd2"}


@dataclass(frozen=True, slots=True)
class Owned:
    """What was said of a table when it was loaded last; `connection` "" is nobody's."""

    connection: str
    key: tuple[str, ...]
    mode: WriteMode


@dataclass(frozen=True, slots=True)
class Found:
    """What a store has under a table's name.

    `kind` is what it is, as "table" or "view", None where there is nothing. `is_known` says that
    it was loaded before, `has_history` that it keeps the versions of scd2, and `own_schema` that
    its schema is the database's own.
    """

    kind: str | None = None
    has_rows: bool = False
    is_known: bool = False
    has_history: bool = False
    own_schema: bool = False
    owned: Owned | None = None


def is_own_schema(schema: str) -> bool:
    """Whether databases of some kind have the schema from the beginning, for themselves."""
    return schema.lower() in _OWN_SCHEMAS or schema.lower().startswith("pg_")


def refused_table(table: Table, mode: WriteMode, found: Found) -> LoadError | None:
    """The error of a load that would write where it must not, None where it may."""
    refused = (
        _no_table(found)
        or _of_the_database(table, found)
        or _of_others(table, found)
        or _of_a_history(mode, found)
        or _of_another_key(table, mode, found)
    )
    return refused.at(table.where) if refused else None


def refused_rejects(table: Table, *, is_table: bool, columns: Sequence[str]) -> LoadError | None:
    """The error where rows would be set aside in what is no such table of ours, None elsewhere.

    `is_table` says whether `<table>__rejected` is a table, `columns` are its columns, none where
    nothing is there.
    """
    if table.schema_policy != "quarantine" or not (columns or not is_table):
        return None
    if is_table and set(columns) == REJECTS.keys():
        return None
    return LoadError(
        f'rows are set aside in "{table.name}{REJECTED}", and that is something else',
        where=table.where,
        fix="rename or drop that, or the stream, or leave schemaPolicy: quarantine out",
    )


def refused_as_rejects(table: Table, columns: Sequence[str]) -> LoadError | None:
    """The error of a stream whose table has another's rows that were set aside; `columns` are its.

    Its own rows would come among these.
    """
    if not table.name.endswith(REJECTED) or set(columns) != REJECTS.keys():
        return None
    other = table.name.removesuffix(REJECTED)
    return LoadError(
        f'the table has the rows that were set aside of "{other}"',
        where=table.where,
        fix="give the stream another name",
    )


def _no_table(found: Found) -> LoadError | None:
    if found.kind in {None, "table"}:
        return None
    return LoadError(
        f"it is a {found.kind}, not a table", fix="drop or rename it, or load into another schema"
    )


def _of_the_database(table: Table, found: Found) -> LoadError | None:
    if table.schema.lower() in {STATE_SCHEMA, "information_schema", "pg_catalog"}:
        return LoadError(f'"{table.schema}" is no schema for rows', fix="choose another: --schema")
    if not found.own_schema or found.is_known or table.claim.adopt:
        return None
    return LoadError(
        f'"{table.schema}" is a schema of the database\'s own',
        fix="choose another with --schema NAME, or say --adopt to load into it",
    )


def _of_others(table: Table, found: Found) -> LoadError | None:
    if table.claim.adopt or found.kind is None:
        return None
    owner, us = found.owned.connection if found.owned else "", table.claim.connection
    if owner and us and owner != us:
        return LoadError(
            f"the table is loaded by the connection {owner}, and this is {us}",
            fix="choose another schema or id, or take the table over with --adopt",
        )
    if found.is_known or not found.has_rows:
        return None
    return LoadError(
        "the table holds rows that no load of ours brought",
        fix="choose another schema or id, or take the table over with --adopt",
    )


def _of_a_history(mode: WriteMode, found: Found) -> LoadError | None:
    if not found.has_history or mode == "scd2":
        return None
    return LoadError(
        f"the table holds the history that scd2 kept, and {mode} would lose it",
        fix="set writeMode to scd2, or rename or drop the table yourself: not even --full does",
    )


def _of_another_key(table: Table, mode: WriteMode, found: Found) -> LoadError | None:
    owned = found.owned
    if found.kind is None or owned is None or not {owned.mode, mode} <= _BY_KEY:
        return None
    if not owned.key or sorted(owned.key) == sorted(table.primary_key):
        return None
    if table.claim.full and mode != "scd2":
        return None
    by_case = _folded(owned.key) == _folded(table.primary_key)
    note = " (they differ in case only)" if by_case else ""
    before, now = _listed(owned.key), _listed(table.primary_key)
    way = "load it anew by the new one with --full"
    if mode == "scd2":
        way = "rename or drop the table, whose versions are by the old one: --full keeps them"
    return LoadError(
        f"the table is kept by the key {before}, and primaryKey is now {now}{note}",
        fix=f"set it back, or {way}",
    )


def _folded(key: Sequence[str]) -> list[str]:
    return sorted(part.casefold() for part in key)


def _listed(key: Sequence[str]) -> str:
    return ", ".join(part[:60] for part in key)
