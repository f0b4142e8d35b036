"""Two models beside each other: the paths at which they differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from connector_assets.spec.names.paths import Path
from connector_assets.spec.templates.template import Template

_SHOWN = 60


def shown_value(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _SHOWN:
        return value[:_SHOWN] + "…"
    return value


def differing(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """The paths at which two documents differ; of two kinds of a thing, the thing itself."""
    if isinstance(old, dict) and isinstance(new, dict) and old.get("type") == new.get("type"):
        for key in {**old, **new}:
            yield from differing(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif _are_models(old) and _are_models(new) and len(old) == len(new):
        for at, (was, is_) in enumerate(zip(old, new, strict=True)):
            yield from differing(was, is_, f"{path}.{at}")
    elif old != new or type(old) is not type(new):
        yield path, old, new


def _are_models(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def plain_model(value: Any) -> Any:
    """A model as the document would say it, defaults included."""
    if isinstance(value, Template | Path):
        return str(value) if isinstance(value, Path) else value.source
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        return {
            one.alias or name: plain_model(getattr(value, name)) for name, one in fields.items()
        }
    if isinstance(value, dict):
        return {str(key): plain_model(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_model(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
