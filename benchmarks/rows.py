"""Made-up rows in files of NDJSON, all of them different: 17 fields and about 540 bytes each.

Dirty rows mix types, gain a column late and hold integers over 64 bits.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

_WORDS = "lorem ipsum dolor sit amet elit sed do tempor magna aliqua enim minim veniam quis ut"
_CLEAN = """
    n as id,
    printf('%08x-0000-4000-8000-%012x', n, n * 7919) as uuid,
    'customer ' || n as name,
    'user' || n || '@example.com' as email,
    n % 3 = 0 as active,
    n / 7.0 as score,
    n * 13 % 100000 as amount,
    strftime(make_timestamp(1700000000000000 + n * 61000000), '%Y-%m-%dT%H:%M:%SZ') as created_at,
    strftime(make_timestamp(1710000000000000 + n * 67000000), '%Y-%m-%dT%H:%M:%SZ') as updated_at,
    ['de', 'fr', 'us', 'jp'][n % 4 + 1] as country,
    'city ' || n % 500 as city,
    array_to_string(
        list_transform(range(27), lambda k: words[1 + (hash(n * 31 + k) % 16)::int]), ' ') as note,
    ['t' || n % 5, 't' || n % 7] as tags,
    {'street': 'street ' || n * 7 % 100000, 'zip': printf('%05d', n % 100000)} as address,
    n % 5 as rating,
    case when n >= 10 then n // 10 end as parent_id,
    case when n % 2 = 0 then 'ok' end as comment
"""
_DIRTY = """
    * replace (
        case when id % 50 = 0
            then [id::json, (id + 0.5)::json, to_json(id::varchar), null][id % 4 + 1]
            else id::json end as amount,
        case when id % 997 = 0 then to_json(id::varchar) else id::json end as parent_id),
    id::ubigint + case when id % 1000 = 1 then 9223372036854775808::ubigint else 0 end as big
"""
_AS_LINES = "(format csv, header false, quote '', escape '', delimiter '\x01')"


def write(folder: Path, count: int, *, dirty: bool = False) -> Path:
    """The file of so many rows in `folder`, made if it is not there."""
    path = folder / name(count, dirty=dirty)
    if not path.exists():
        with duckdb.connect() as connection:
            connection.execute(f"copy ({_lines(count, dirty=dirty)}) to '{path}' {_AS_LINES}")
    return path


def name(count: int, *, dirty: bool) -> str:
    return f"{'dirty' if dirty else 'clean'}-{count}.ndjson"


def _lines(count: int, *, dirty: bool) -> str:
    rows = f"select {_CLEAN} from range({count}) t(n), (select string_split('{_WORDS}', ' ') words)"
    if not dirty:
        return f"select to_json(r) from ({rows}) r"
    late = "json_merge_patch(to_json(r), json_object('late', id))"
    return (
        f"select case when id % 5000 = 4999 then {late} else to_json(r) end "
        f"from (select {_DIRTY} from ({rows})) r"
    )
