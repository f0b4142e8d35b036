"""Config values: declared types, defaults, and what a stream still needs.

Values from the command line and the environment are text; they take the declared type here.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from connector_assets.spec.connector import ConfigField, ConnectorSpec
from connector_assets.spec.endpoint import Endpoint
from connector_assets.spec.names.regex import compiled
from connector_assets.spec.templates.template import Template

_BOOLEANS = {"true": True, "false": False}


def config_values(spec: ConnectorSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` with declared types and defaults applied; undeclared names stay as they are.

    Raises ValueError whose message begins with the name of the first value that does not fit.
    """
    values = {k: f.default for k, f in spec.config.items() if f.default is not None}
    for name, value in given.items():
        declared = spec.config.get(name)
        if declared is None or value is None:  # which is no word of any type
            values[name] = value
        else:
            values[name] = typed(name, value, declared)
    return values


def typed(name: str, value: Any, declared: ConfigField) -> Any:
    """`value` as the declared type; ValueError says what was expected, never what was given."""
    try:
        result = _convert(value, declared.type)
    except (ValueError, TypeError):
        raise ValueError(f'"{name}" must be {_NAMES[declared.type]}') from None
    if declared.enum and result not in declared.enum:
        options = ", ".join(str(option) for option in declared.enum)
        raise ValueError(f'"{name}" must be one of {options}')
    if declared.pattern and not compiled(declared.pattern).fullmatch(str(result)):
        raise ValueError(f'"{name}" must match {declared.pattern}')
    return result


_NAMES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "date": "a date such as 2024-01-31",
    "datetime": "a date and time such as 2024-01-31T00:00:00Z",
    "list": "a list, or text with commas or JSON",
    "object": "an object, or JSON text of one",
}


def _convert(value: Any, kind: str) -> Any:
    if kind == "boolean":
        return value if isinstance(value, bool) else _BOOLEANS[_key(value)]
    if kind in _STRUCTURES:
        return _STRUCTURES[kind](value)
    if isinstance(value, bool | dict | list | tuple):
        raise TypeError(kind)
    if kind == "integer":
        return int(str(value))
    if kind == "number":
        return value if isinstance(value, int | float) else float(value)
    if kind == "date":
        return dt.date.fromisoformat(str(value)).isoformat()
    if kind == "datetime":
        dt.datetime.fromisoformat(str(value))
    return str(value)


def _key(value: Any) -> str:
    text = str(value).lower()
    if text not in _BOOLEANS:
        raise ValueError(text)
    return text


def _list(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return list(value)
    text = str(value)
    if not text.lstrip().startswith("["):
        return _split(text)
    found: list[Any] = json.loads(text)
    return found


def _object(value: Any) -> dict[str, Any]:
    found = value if isinstance(value, Mapping) else json.loads(value)
    if not isinstance(found, Mapping):
        raise TypeError("object")
    return dict(found)


_STRUCTURES: Mapping[str, Callable[[Any], Any]] = {"list": _list, "object": _object}


def _split(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def endpoint_templates(endpoint: Endpoint) -> Iterator[Template]:
    """The templates that one request of `endpoint` renders."""
    parts = [endpoint.url, endpoint.params, endpoint.headers, endpoint.body, endpoint.job]
    parts.append(endpoint.pagination)
    if endpoint.url.source.startswith("/"):
        parts.append(endpoint.base_url)
    for part in parts:
        yield from templates(part)


def templates(part: Any) -> Iterator[Template]:
    """Every template in a part of a document."""
    if isinstance(part, Template):
        yield part
    elif isinstance(part, BaseModel):
        for field in type(part).model_fields:
            yield from templates(getattr(part, field))
    elif isinstance(part, Mapping):
        for item in part.values():
            yield from templates(item)
    elif isinstance(part, list | tuple):
        for item in part:
            yield from templates(item)
    elif isinstance(part, str) and "{{" in part:
        yield Template(part)
