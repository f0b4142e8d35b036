"""The loaded tables beside the rows that the simulated server has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector_assets.authoring.simulator.api import SimulatedApi
from connector_assets.authoring.simulator.patterns import as_text
from connector_assets.spec.stream.stream import Stream

_PLAIN = ("VARCHAR", "BIGINT", "INTEGER", "SMALLINT", "HUGEINT", "UBIGINT", "UUID")


@dataclass(frozen=True)
class Compared:
    """What is wrong with a table; "" is nothing. `is_sure` is false where rows may be left out."""

    problem: str
    is_sure: bool = True


def compared(database: Path, schema: str, api: SimulatedApi, stream: Stream) -> Compared:
    """Whether the table holds the server's rows: each once, and no other."""
    truth = api.truth(stream.name)
    keys = [key for row in truth for key in row.keys]
    there = _read(database, schema, stream)
    if there is None:
        return Compared("there is no table")
    count, found = there
    filtered = stream.where is not None or stream.deleted_when is not None
    expected = len(set(keys)) if stream.primary_key else len(keys)
    if count != expected:
        return Compared(f"the table has {count} rows, the server {expected}", not filtered)
    if found is not None and not _made(stream):
        wanted = {tuple(map(as_text, key)) for key in keys}
        missing, strange = wanted - found, found - wanted
        if missing or strange:
            said = (
                f"{len(missing)} keys of the server's are missing, {len(strange)} are none of its"
            )
            return Compared(said, not filtered)
    return Compared("")


def _made(stream: Stream) -> bool:
    """Whether the key is not what the server sends."""
    touched = {*stream.fields.add, *stream.fields.cast, *stream.fields.mask}
    return bool(touched & {*stream.primary_key, *map(stream.fields.sent_name, stream.primary_key)})


def _read(
    database: Path, schema: str, stream: Stream
) -> tuple[int, set[tuple[str, ...]] | None] | None:
    """The number of rows, and the keys as text where text says them."""
    import duckdb

    if not database.exists():
        return None
    table = f'"{schema}"."{stream.name}"'
    with duckdb.connect(str(database), read_only=True) as db:
        try:
            types: dict[str, Any] = {
                name: kind
                for name, kind, *_ in db.execute(f"describe {table}").fetchall()  # quoted above
            }
        except duckdb.CatalogException:
            return None
        current = " where _valid_to is null" if "_valid_to" in types else ""
        ((count,),) = db.execute(f"select count(*) from {table}{current}").fetchall()  # noqa: S608 - quoted above
        plain = all(types.get(name) in _PLAIN for name in stream.primary_key)
        if not stream.primary_key or not plain:
            return count, None
        names = ", ".join(f'"{name.replace(chr(34), chr(34) * 2)}"' for name in stream.primary_key)
        rows = db.execute(f"select {names} from {table}{current}").fetchall()  # noqa: S608 - as above
        return count, {tuple(map(as_text, row)) for row in rows}
