"""Names in stores: a stream's table, a row key's column, a piece of text as a file name.

Every name is derived in one way, here, so that assets, the command line and destinations agree.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

_LONGEST_FILE_NAME = 80


def table_name(stream: str) -> str:
    """A stream's table: what is not a letter, a digit or `_` becomes `_`.

    >>> table_name("v1.orders-eu")
    'v1_orders_eu'
    """
    return re.sub(r"[^A-Za-z0-9_]", "_", stream)


def file_name(text: str) -> str:
    """`text` as one path component, different for different texts on any file system.

    Lower-case names stand as they are; others get a short digest, since some file systems ignore
    case.

    >>> file_name("github"), file_name("2024-01-01|eu")
    ('github', '2024-01-01_eu-3b1ff4b5')
    """
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", text)[:_LONGEST_FILE_NAME].lstrip(".")
    if plain == text and text == text.lower() and not text.endswith("."):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain}-{digest}"


def column_names(
    keys: Iterable[str], taken: Mapping[str, str] | None = None, reserved: Iterable[str] = ()
) -> dict[str, str]:
    """Row keys to column names: the key as it stands, made unique where stores ignore case.

    `taken` holds the names given in earlier loads; they stay. An empty key becomes `_`; control
    characters become `_`; the second of two keys that differ in case only gets `_1`, and so on, as
    does a key that is one of the `reserved` names.

    >>> column_names(["id", "Name", "name", ""])
    {'id': 'id', 'Name': 'Name', 'name': 'name_1', '': '_'}
    """
    names = dict(taken or {})
    used = {name.casefold() for name in (*names.values(), *reserved)}
    last: dict[str, int] = {}
    for key in keys:
        if key in names:
            continue
        stem = name = re.sub(r"[\x00-\x1f\x7f]", "_", key) or "_"
        # From the last number that was given: thousands of keys may differ in case only.
        number = last.get(stem.casefold(), 0)
        while name.casefold() in used:
            number += 1
            name = f"{stem}_{number}"
        names[key] = name
        used.add(name.casefold())
        last[stem.casefold()] = number
    return names
