"""Names of a stream that its own `fields` make wrong: a key that is renamed, removed or not yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connector_assets.spec.checks.bindings import at, items, keys, text
from connector_assets.spec.checks.model_faults import Finding
from connector_assets.spec.names.field_paths import Glob, field_keys
from connector_assets.spec.yaml.yaml_source import Path


def computed_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Key, checks and columns name the table's fields; the cursor is read from the server's row."""
    for number, stream in enumerate(items(at(data.get("read"), "streams"))):
        path: Path = ("read", "streams", number)
        fields = at(stream, "fields")
        given = at(fields, "rename")
        renames = {key: text(at(given, key)) for key in keys(given)}
        removed = {text(one) for one in items(at(fields, "remove"))}
        for where, name in _table_names(stream):
            message = _gone(name, renames, removed)
            if message:
                yield Finding((*path, *where), message, on_key=where[0] == "columns")
        cursor = text(at(stream, "incremental", "cursorField"))
        sent = [key for key, to in renames.items() if to == cursor and key != cursor]
        if sent and cursor not in renames:
            message = f'is the name after fields.rename; the server\'s is "{sent[0]}"'
            yield Finding((*path, "incremental", "cursorField"), message)


def _table_names(stream: Any) -> Iterator[tuple[Path, str]]:
    key = enumerate(items(at(stream, "primaryKey")))
    yield from ((("primaryKey", n), text(one)) for n, one in key)
    checked = enumerate(items(at(stream, "checks", "notNull")))
    yield from ((("checks", "notNull", n), text(one)) for n, one in checked)
    yield from ((("columns", name), name) for name in keys(at(stream, "columns")))


def _gone(name: str, renames: Mapping[str, str], removed: set[str]) -> str | None:
    if name in renames.values():
        return None
    if name in renames:
        return f'is renamed by fields.rename; use "{renames[name]}"'
    gone = name in removed or any(_fits(pattern, name) for pattern in removed)
    return "is removed by fields.remove" if gone else None


def _fits(pattern: str, name: str) -> bool:
    """Whether a row's own key is one of those that a pattern names."""
    try:
        keys = field_keys(pattern)
    except ValueError:
        return False
    return len(keys) == 1 and isinstance(keys[0], Glob) and keys[0].matches(name)
