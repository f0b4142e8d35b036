"""A Snowflake table brought to the columns that rows need: DDL, before the transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connector_assets.load.columns.plan import NO_COLUMN, KeyColumn
from connector_assets.load.duckdb.shape import comments_wanted
from connector_assets.load.duckdb.tables import PARTITION, VALID_FROM, VALID_TO
from connector_assets.load.order import Order
from connector_assets.load.snowflake.sql import sf_name, sf_quoted, sf_table, shown
from connector_assets.load.snowflake.tables import describe
from connector_assets.load.table import Table
from connector_assets.snowflake.literals import sf_literal
from connector_assets.snowflake.session import Session

_OLD = "__CONNECTOR_ASSETS_OLD"


def own_columns(order: Order) -> dict[str, str]:
    """Columns of ours that this way of writing needs, with Snowflake's types."""
    if order.way == "scd2":
        return dict.fromkeys((VALID_FROM, VALID_TO), "TIMESTAMP_TZ")
    if order.way == "replace" and order.table.partition is not None:
        return {PARTITION: "VARCHAR"}
    return {}


def evolve(
    session: Session, table: Table, columns: Mapping[str, str], retyped: Sequence[str] = ()
) -> None:
    """Make the table, or add what it lacks; but for those `retyped`, what is there is left so."""
    now = {column.name for column in describe(session, table)}
    if not now:
        session.run(f"create schema if not exists {sf_quoted(table.schema)}")
        typed = ", ".join(f"{sf_quoted(name)} {type_}" for name, type_ in columns.items())
        session.run(f"create table if not exists {sf_table(table)} ({typed})")
        return
    for column in retyped:
        # It never had a value, and its first may be of any type.
        name, old = sf_quoted(column), sf_quoted(f"{column}{_OLD}")
        session.run(f"alter table {sf_table(table)} rename column {name} to {old}")
        session.run(f"alter table {sf_table(table)} add column {name} {columns[column]}")
        session.run(f"alter table {sf_table(table)} drop column {old}")
    new = [
        f"{sf_quoted(name)} {type_}"
        for name, type_ in columns.items()
        if shown(sf_name(name)) not in now
    ]
    if new:
        session.run(f"alter table {sf_table(table)} add column {', '.join(new)}")
    if NO_COLUMN in now - columns.keys():  # the table was made of no rows
        session.run(f"alter table {sf_table(table)} drop column {sf_quoted(NO_COLUMN)}")


def require(session: Session, table: Table, names: Mapping[str, str]) -> None:
    """Make NOT NULL of what the spec requires, as far as it is not; `names` are by row key."""
    nullable = {column.name for column in describe(session, table) if column.nullable}
    for key in table.wanted.required:
        name = names.get(key)
        if name and shown(sf_name(name)) in nullable:
            session.run(
                f"alter table {sf_table(table)} alter column {sf_quoted(name)} set not null"
            )


def comment(session: Session, table: Table, columns: Sequence[KeyColumn]) -> None:
    """Write what the spec says of the table and its columns, where it is not written yet."""
    wanted = comments_wanted(table, columns)
    if not wanted:
        return
    now = _comments(session, table)
    for name, text in wanted.items():
        key = shown(sf_name(name)) if name else ""
        if key in now and now[key] != text:
            of = (
                f"column {sf_table(table)}.{sf_quoted(name)}"
                if name
                else f"table {sf_table(table)}"
            )
            session.run(f"comment on {of} is {sf_literal(text)}")


def _comments(session: Session, table: Table) -> dict[str, str]:
    """The comments that there are, "" where there is none; the table's own is under ""."""
    found = session.run(
        "select '', comment from information_schema.tables "
        "where table_schema = ? and table_name = ? union all "
        "select column_name, comment from information_schema.columns "
        "where table_schema = ? and table_name = ?",
        *[sf_name(table.schema), sf_name(table.name)] * 2,
    )
    return {shown(name): text or "" for name, text in found}
