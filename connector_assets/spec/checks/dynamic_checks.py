"""Checks of `read.dynamic`: blocks of streams that the API lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connector_assets.spec.checks.bindings import at, items, text
from connector_assets.spec.checks.model_faults import Finding, options, quoted


def dynamic_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Blocks that name endpoints that are not there, or that list the same ones twice."""
    ids = [one["id"] for one in items(data.get("endpoints")) if text(at(one, "id"))]
    primary, first = at(data, "read", "primary"), set()
    for number, block in enumerate(items(at(data, "read", "dynamic"))):
        for key in ("from", "endpoint"):
            named_, path = at(block, key), ("read", "dynamic", number, key)
            if isinstance(named_, str) and named_ not in ids:
                yield Finding(path, f"{quoted(named_)}is not an endpoint; {options(ids)}")
            elif key == "endpoint" and named_ is None and primary is None:
                yield Finding(path, "is required, as there is no read.primary")
        if at(block, "from") in first:
            path = ("read", "dynamic", number, "from")
            yield Finding(path, "lists streams already; keep one block for each list")
        first.add(text(at(block, "from")))
