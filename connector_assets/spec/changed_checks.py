"""Where reading only changed parents cannot be meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from connector_assets.spec.bindings import at, items, text
from connector_assets.spec.faults import Finding
from connector_assets.spec.yaml_source import Path


def changed_findings(path: Path, stream: Any, streams: Sequence[Any]) -> Iterator[Finding]:
    """Parents without a cursor to compare, and windows: unchanged parents have new ones, too."""
    by_name = {text(at(one, "name")): one for one in streams}
    changed = False
    for number, each in enumerate(items(at(stream, "forEach"))):
        asked, parent = at(each, "parent", "changed"), text(at(each, "parent", "stream"))
        changed = changed or bool(asked)
        if asked is True and at(by_name.get(parent), "incremental") is None:
            message = (
                "compares the parent's cursor, and the parent has no incremental; name a field"
            )
            yield Finding((*path, "forEach", number, "parent", "changed"), message)
    if changed and at(stream, "incremental", "window") is not None:
        message = "is not for a stream that reads changed parents only; remove either"
        yield Finding((*path, "incremental", "window"), message, on_key=True)
