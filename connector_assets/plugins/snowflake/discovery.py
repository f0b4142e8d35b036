"""The streams of a database: its tables and views, with keys, types and comments, and queries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from connector_assets.errors import ConfigError
from connector_assets.plugins.snowflake.faults import told
from connector_assets.plugins.snowflake.settings import SnowflakeSettings, TableSettings
from connector_assets.plugins.stream_names import stream_names
from connector_assets.snowflake.session import Refused, Session, session

StreamDocument = dict[str, Any]
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Found:
    """A table or a view, its columns with type and comment, and its primary key."""

    schema: str
    name: str
    is_view: bool
    rows: int | None
    comment: str
    columns: tuple[tuple[str, str, str], ...] = ()
    primary_key: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """What settings call it: `PUBLIC.ORDERS`."""
        return f"{self.schema}.{self.name}"


def discovered(settings: SnowflakeSettings) -> list[StreamDocument]:
    """What a spec would say of each stream; raises a ConnectorError."""
    where = settings.as_account.server
    try:
        with session(settings.as_account, settings.proof) as found:
            streams = [_of_table(one, settings) for one in chosen(tables(found), settings)]
            named = zip(stream_names([one["name"] for one in streams]), streams, strict=True)
            streams = [one | {"name": name} for name, one in named]
            streams += [_of_query(name, settings) for name in settings.queries]
    except Refused as refused:
        raise told(refused, where, where) from None
    return streams


def tables(found: Session) -> Iterator[Found]:
    """All tables and views of the database."""
    columns: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for schema, table, name, type_, comment in found.run(
        "select table_schema, table_name, column_name, data_type, comment "
        "from information_schema.columns order by table_schema, table_name, ordinal_position"
    ):
        columns.setdefault((schema, table), []).append((name, type_, comment or ""))
    keys = _primary_keys(found)
    for schema, name, kind, rows, comment in found.run(
        "select table_schema, table_name, table_type, row_count, comment "
        "from information_schema.tables where table_schema <> 'INFORMATION_SCHEMA' "
        "order by table_schema, table_name"
    ):
        of = (schema, name)
        yield Found(
            schema,
            name,
            "VIEW" in kind,
            None if rows is None else int(rows),
            comment or "",
            tuple(columns.get(of, ())),
            tuple(keys.get(of, ())),
        )


def _primary_keys(found: Session) -> dict[tuple[str, str], list[str]]:
    """The columns of primary keys, which Snowflake keeps as information only."""
    with found.cursor("show primary keys in database") as cursor:
        names = [item.name.lower() for item in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    keys: dict[tuple[str, str], list[str]] = {}
    for row in sorted(rows, key=lambda row: int(row["key_sequence"])):
        keys.setdefault((row["schema_name"], row["table_name"]), []).append(row["column_name"])
    return keys


def chosen(found: Iterator[Found], settings: SnowflakeSettings) -> list[Found]:
    """The tables that become streams; ConfigError where settings speak of one that is not there."""
    every = list(found)
    known = {one.path for one in every}
    if missing := sorted(settings.tables.keys() - known):
        near = ", ".join(sorted(known)[:10]) or "none is there"
        fix = f"check its name and the role's rights; known are: {near}"
        raise ConfigError(f'there is no table "{missing[0]}"', where="tables", fix=fix)
    return [one for one in every if _is_chosen(one, settings)]


def _is_chosen(table: Found, settings: SnowflakeSettings) -> bool:
    if table.path in settings.tables:
        return True
    if (table.is_view and not settings.views) or "{{" in table.path:
        return False  # such a name would be a template
    if settings.schemas and table.schema not in settings.schemas:
        return False
    return not settings.only or any(fnmatchcase(table.path, one) for one in settings.only)


def _of_table(table: Found, settings: SnowflakeSettings) -> StreamDocument:
    own = settings.of_table(table.path)
    source = {"schema": table.schema, "table": table.name}
    columns = {_key(one): {"description": told} for one, _, told in table.columns if told}
    name = table.name if table.schema == "PUBLIC" else table.path
    return _document(
        name, source, own, own.primary_key or table.primary_key, table.comment, columns
    )


def _of_query(name: str, settings: SnowflakeSettings) -> StreamDocument:
    own = settings.queries[name]
    return _document(name, {"query": name}, own, own.primary_key, own.description, {})


def _document(  # noqa: PLR0917 # all that a spec says of a stream
    name: str,
    source: dict[str, str],
    own: TableSettings,
    keys: Sequence[str],
    comment: str,
    columns: dict[str, dict[str, str]],
) -> StreamDocument:
    made: StreamDocument = {"name": name, "vars": source}
    if keys:
        made["primaryKey"] = [_key(one) for one in keys]
    if own.cursor:
        if not keys:
            fix = "give it primaryKey, so that changed rows take the place of the old ones"
            raise ConfigError("a cursor needs a primary key", where=name, fix=fix)
        made["incremental"] = {"cursorField": _key(own.cursor)}
    said = {"description": comment, "columns": columns}
    return made | {key: value for key, value in said.items() if value}


def _key(column: str) -> str:
    """A column as a path of one key.

    >>> _key("ID"), _key("the.id")
    ('ID', '"the.id"')
    """
    if _PLAIN.fullmatch(column):
        return column
    return '"' + re.sub(r'(["\\])', r"\\\1", column) + '"'
