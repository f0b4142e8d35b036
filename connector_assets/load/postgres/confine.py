"""What a query of a person's may do in PostgreSQL: read tables, and call what only computes.

A transaction that is read-only and a cursor, which takes one SELECT, keep a query from writing
rows. Functions can do more: `pg_read_file`, `lo_import`, `dblink`, `query_to_xml`, which runs a
statement of its own. PostgreSQL marks all of them as volatile, and so it does with whatever people
wrote and did not mark otherwise. So the server is asked which of the names in the query are
volatile functions, foreign tables or tables of passwords and files; such a query is not run.

Names are looked for in all of the text, in strings and comments too: what is no call there is
refused needlessly, and nothing can be hidden.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from connector_assets.errors import LoadError

Ask = Callable[[str, Sequence[Any]], Sequence[Sequence[Any]]]
"""Runs a statement with `%s` for values, and gives its rows."""

_HARMLESS = ("random", "random_normal", "clock_timestamp", "timeofday", "gen_random_uuid")
_PRIVATE = (
    *("pg_authid", "pg_shadow", "pg_user_mapping", "pg_user_mappings", "pg_subscription"),
    *("pg_hba_file_rules", "pg_ident_file_mappings", "pg_file_settings", "pg_config"),
    *("pg_largeobject", "pg_largeobject_metadata"),
    *("pg_statistic", "pg_statistic_ext_data", "pg_stats", "pg_stats_ext", "pg_stats_ext_exprs"),
    *("pg_settings", "pg_stat_activity", "pg_stat_wal_receiver"),
)
# Stable, so that they are not found as volatile: tables by a number or a text made on the way, the
# server's settings (one holds the password of replication), and what others are asking.
_REVEALING = (
    *("table_to_xml", "table_to_xml_and_xmlschema", "schema_to_xml"),
    *("schema_to_xml_and_xmlschema", "database_to_xml", "database_to_xml_and_xmlschema"),
    *("current_setting", "pg_show_all_settings", "pg_stat_get_activity"),
    *("pg_stat_get_backend_activity", "pg_stat_get_wal_receiver"),
)
_NAME = r'"(?:[^"]|"")+"|[^\W\d][\w$]*'
_ANY = re.compile(_NAME)
_CALLED = re.compile(rf"({_NAME})\s*\(")
_OF_A_ROW = re.compile(rf"\.\s*({_NAME})")
_FUNCTIONS = """
    select distinct p.proname from pg_catalog.pg_proc p
    where (p.provolatile = 'v' and not p.proname::text = any(%s) or p.proname::text = any(%s))
    and (p.proname::text = any(%s)
        or (p.proname::text = any(%s) and p.pronargs > 0))
"""
_RELATIONS = """
    select distinct c.relname from pg_catalog.pg_class c
    where c.relname::text = any(%s) and (c.relkind = 'f' or (
        c.relname::text = any(%s) and c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace
    ))
"""


def refuse_more_than_reading(sql: str, ask: Ask) -> None:
    """Raise LoadError where `sql` names what may do more than read tables."""
    if re.search(r'[uU]&"', sql):
        raise LoadError('names in the form U&"…" are not read', where="query")
    # A comment may stand between a name and its bracket or dot, and comments nest.
    called = _names(_ANY if "/*" in sql or "--" in sql else _CALLED, sql)
    found = [
        *ask(_FUNCTIONS, (list(_HARMLESS), list(_REVEALING), called, _names(_OF_A_ROW, sql))),
        *ask(_RELATIONS, (_names(_ANY, sql), list(_PRIVATE))),
    ]
    if found:
        named = ", ".join(sorted(f'"{row[0]}"' for row in found))
        raise LoadError(
            f"{named} may do more than read tables of this database",
            where="query",
            fix="leave it out, or use psql",
        )


def _names(pattern: re.Pattern[str], sql: str) -> list[str]:
    """Names as the server has them: in lower case unless quoted, both where that is not sure."""
    found: set[str] = set()
    # From each character on: a quote within a string must not hide what follows it.
    for match in pattern.finditer(sql):
        found.update(_spelled(match[1] if pattern.groups else match[0]))
    for match in pattern.finditer(sql.replace('"', " ")):
        found.update(_spelled(match[1] if pattern.groups else match[0]))
    return sorted(found)


def _spelled(name: str) -> set[str]:
    plain = name[1:-1].replace('""', '"') if name.startswith('"') else name
    return {plain, plain.lower()}
