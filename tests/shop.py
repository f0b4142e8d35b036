"""The spec that many tests have: a connector called shop."""

from __future__ import annotations


def shop_spec(text: str) -> str:
    """Return the spec of a shop: `text`, which begins with a line break, under its first keys."""
    return f'\nkind: connector\nversion: "1.0"\nid: shop\ndisplayName: Shop{text}'
