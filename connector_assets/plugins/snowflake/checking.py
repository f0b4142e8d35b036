"""Whether an account can be read: host, login, role, warehouse, and each table by name."""

from __future__ import annotations

from connector_assets.errors import ConnectorError
from connector_assets.plugins.snowflake.discovery import chosen, tables
from connector_assets.plugins.snowflake.faults import told
from connector_assets.plugins.snowflake.settings import SnowflakeSettings
from connector_assets.reading.connector import Check
from connector_assets.redact import Secrets
from connector_assets.runtime.stats import counted
from connector_assets.snowflake.session import Refused, Session, session

_TOLD = 5


def check(settings: SnowflakeSettings, secrets: Secrets) -> Check:  # noqa: ARG001 # nothing is told of them
    """Log in, look for the warehouse, and ask each table and query for no row."""
    server = settings.as_account.server
    try:
        with session(settings.as_account, settings.proof) as found:
            return _looked(found, settings)
    except Refused as refused:
        return Check.of(told(refused, server, settings.proof.way))


def _looked(found: Session, settings: SnowflakeSettings) -> Check:
    warehouse, role = found.run("select current_warehouse(), current_role()")[0]
    if not warehouse:
        named = f'the warehouse "{settings.warehouse}" is not there, or not for the role {role}'
        what = named if settings.warehouse else "there is no warehouse, and the user has no default"
        return Check(False, f"{settings.as_account.server}: {what}; name one, or grant its USAGE")
    names = [one.path for one in chosen(tables(found), settings)]
    sources = {path: _quoted(path) for path in names}
    sources |= {f"queries.{name}": f"({one.sql}\n)" for name, one in settings.queries.items()}
    failed: list[ConnectorError] = []
    for name, source in sources.items():
        try:
            found.run(f"select 1 from {source} limit 0")
        except Refused as refused:
            failed.append(told(refused, name, settings.as_account.server))
    if failed:
        more = f"; and {len(failed) - _TOLD} more" if len(failed) > _TOLD else ""
        first = Check.of(failed[0])
        return Check(False, "; ".join(map(str, failed[:_TOLD])) + more, first.failed)
    told_of = (
        f"{counted(len(names), 'table')} and {counted(len(settings.queries), 'query', 'queries')}"
    )
    return Check(ok=True, message=f"{told_of} can be read by {role}, in the warehouse {warehouse}")


def _quoted(path: str) -> str:
    schema, _, name = path.partition(".")
    return ".".join('"' + part.replace('"', '""') + '"' for part in (schema, name))
