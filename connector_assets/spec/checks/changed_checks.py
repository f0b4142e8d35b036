"""Where reading only changed parents cannot be meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connector_assets.spec.checks.bindings import at, items, placed_parents, text
from connector_assets.spec.checks.model_faults import Finding
from connector_assets.spec.yaml.yaml_source import Path


def changed_findings(path: Path, stream: Any, by_name: Mapping[str, Any]) -> Iterator[Finding]:
    """Parents without a cursor to compare, and windows: unchanged parents have new ones, too."""
    changed = False
    for number, each in enumerate(items(at(stream, "forEach"))):
        for below, one in placed_parents(each):
            asked, parent = at(one, "changed"), text(at(one, "stream"))
            changed = changed or bool(asked)
            if asked is True and at(by_name.get(parent), "incremental") is None:
                message = (
                    "compares the parent's cursor, and the parent has no incremental; name a field"
                )
                yield Finding((*path, "forEach", number, *below, "changed"), message)
    if changed and at(stream, "incremental", "window") is not None:
        message = "is not for a stream that reads changed parents only; remove either"
        yield Finding((*path, "incremental", "window"), message, on_key=True)
