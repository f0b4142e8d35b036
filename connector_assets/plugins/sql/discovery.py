"""The streams of a database: its tables and views, with keys and comments, and the queries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from fnmatch import fnmatchcase
from typing import Any

from connector_assets.errors import ConfigError
from connector_assets.plugins.sql.databases import connected, dialect_of
from connector_assets.plugins.sql.dialects.dialect import Dialect
from connector_assets.plugins.sql.settings import SqlSettings, TableSettings
from connector_assets.plugins.sql.source import Found, Session
from connector_assets.plugins.stream_names import stream_names

StreamDocument = dict[str, Any]


def discovered(settings: SqlSettings) -> list[StreamDocument]:
    """What a spec would say of each stream; DatabaseError, or ConfigError for settings of no table.

    >>> discovered(SqlSettings(uri="sqlite:///shop.db"))
    [{'name': 'orders', 'vars': {'table': 'orders'}, 'primaryKey': ['id']}]
    """
    with closing(connected(settings)) as session:
        dialect = dialect_of(settings, session)
        dialect.begin(session, holds=False)
        found = chosen(dialect.found(session, settings), settings)
        streams = [_of_table(one, settings, dialect) for one in found]
        named = zip(stream_names([one["name"] for one in streams]), streams, strict=True)
        streams = [one | {"name": name} for name, one in named]
        streams += [_of_query(name, settings, session, dialect) for name in settings.queries]
    return streams


def chosen(found: Iterator[Found], settings: SqlSettings) -> list[Found]:
    """The tables that become streams; ConfigError where settings speak of one that is not there."""
    tables = list(found)
    known = {one.path for one in tables}
    if missing := sorted(settings.tables.keys() - known):
        near = ", ".join(sorted(known)[:10]) or "none is there"
        raise ConfigError(
            f'there is no table "{missing[0]}"', where="tables", fix=f"known are: {near}"
        )
    return [one for one in tables if _is_chosen(one, settings)]


def _is_chosen(table: Found, settings: SqlSettings) -> bool:
    if table.path in settings.tables:
        return True
    if (table.is_view and not settings.views) or "{{" in table.path:
        return False  # such a name would be a template
    if settings.schemas and table.schema not in settings.schemas:
        return False
    return not settings.only or any(fnmatchcase(table.path, one) for one in settings.only)


def _of_table(table: Found, settings: SqlSettings, dialect: Dialect) -> StreamDocument:
    own = settings.of_table(table.path)
    is_default = table.schema in ("", dialect.default_schema(settings))
    source = {"schema": table.schema, "table": table.name, "view": table.is_view}
    comments = {
        _key(one.name): {"description": one.comment}
        for one in table.columns
        if one.comment and own.columns.get(one.name) != "skip"
    }
    return _document(
        table.name if is_default else table.path,
        {name: value for name, value in source.items() if value},
        own,
        own.primary_key or table.primary_key,
        description=table.comment,
        columns=comments,
    )


def _of_query(
    name: str, settings: SqlSettings, session: Session, dialect: Dialect
) -> StreamDocument:
    """A query, which is looked at by the database: what is wrong with it is said at once."""
    own = settings.queries[name]
    dialect.fields(session, own.source, own.columns, f"queries.{name}")
    return _document(name, {"query": name}, own, own.primary_key, description=own.description)


def _document(
    name: str, source: dict[str, Any], own: TableSettings, keys: Sequence[str], **more: Any
) -> StreamDocument:
    made: StreamDocument = {"name": name, "vars": source}
    if keys:
        made["primaryKey"] = [_key(one) for one in keys]
    if own.cursor:
        if not keys:
            fix = "give it primaryKey, so that changed rows take the place of the old ones"
            raise ConfigError("a cursor needs a primary key", where=name, fix=fix)
        made["incremental"] = {"cursorField": _key(own.cursor)}
    return made | {key: value for key, value in more.items() if value}


def _key(column: str) -> str:
    """A column as a path of one key.

    >>> _key("id"), _key("the.id")
    ('id', '"the.id"')
    """
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", column):
        return column
    return '"' + re.sub(r'(["\\\\])', r"\\\1", column) + '"'
