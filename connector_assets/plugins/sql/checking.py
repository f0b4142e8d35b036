"""Whether a database can be read: what is wrong is named, with the table it is wrong with."""

from __future__ import annotations

from contextlib import closing

from connector_assets.errors import ConnectorError
from connector_assets.plugins.sql.databases import connected, dialect_of
from connector_assets.plugins.sql.discovery import chosen
from connector_assets.plugins.sql.faults import DatabaseError, blaming, host_of, told
from connector_assets.plugins.sql.settings import SqlSettings
from connector_assets.plugins.sql.source import Query
from connector_assets.reading.connector import Check
from connector_assets.redact import Secrets
from connector_assets.runtime.stats import counted

_TOLD = 5


def check(settings: SqlSettings, secrets: Secrets) -> Check:
    """Connect, and ask each table and query for no row; a ConnectorError without a connection.

    A table that cannot be read is a failed check which names it: the first five, and how many more.
    """
    host = host_of(settings.uri)
    with blaming(host, secrets.mask), closing(connected(settings)) as session:
        dialect = dialect_of(settings, session)
        dialect.begin(session, holds=False)
        tables = chosen(dialect.found(session, settings), settings)
        sources = {one.path: f"{dialect.table(one.schema, one.name)} q" for one in tables}
        queries = {f"queries.{name}": one.source for name, one in settings.queries.items()}
        failed: list[ConnectorError] = []
        for name, source in {**sources, **queries}.items():
            try:
                session.rows(Query(f"select 1 from {source} where 1 = 0"))
            except DatabaseError as error:
                session.rollback()
                failed.append(told(error, f"{host}: {name}", secrets.mask))
    return _outcome(failed, len(sources), len(queries))


def _outcome(failed: list[ConnectorError], tables: int, queries: int) -> Check:
    if not failed:
        told_of = (
            f"{counted(tables, 'table')} and {counted(queries, 'query', 'queries')} can be read"
        )
        return Check(ok=True, message=told_of)
    more = len(failed) - _TOLD
    lines = [str(one) for one in failed[:_TOLD]] + ([f"and {more} more"] if more > 0 else [])
    first = Check.of(failed[0])
    return Check(False, "; ".join(lines), first.failed)
