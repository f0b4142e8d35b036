"""Environment variables that a connector's values would be read from: each belongs to one name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from connector_assets.spec.checks.bindings import RESERVED, at, items, keys, text, texts
from connector_assets.spec.checks.model_faults import Finding
from connector_assets.spec.names.names import ValueName, variable_names
from connector_assets.spec.templates.template import Template, TemplateError
from connector_assets.spec.yaml.yaml_source import Path

_NAME: TypeAdapter[str] = TypeAdapter(ValueName)
_GIVEN = RESERVED | {"resourceType", "response", "status"}
"""Names that no variable gives."""


def variable_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Names that cannot be part of a variable, and names that share one."""
    prefix = text(data.get("id")) or "<ID>"
    first: dict[str, tuple[str, str]] = {}
    seen: set[tuple[str, str]] = set()
    for path, kind, name, offset in _read(data):
        if (kind, name) in seen:
            continue
        seen.add((kind, name))
        wrong = _unfit(name) if offset is not None else None
        if wrong:
            yield Finding(path, f'"{name}" {wrong}', offset=offset or 0)
            continue
        variables = variable_names(prefix, name)
        shared = next((one for one in variables if one in first), None)
        if shared is None:
            first.update(dict.fromkeys(variables, (kind, name)))
            continue
        other_kind, other = first[shared]
        message = f'{kind} "{name}" and {other_kind} "{other}" would both be read from {shared}'
        yield Finding(path, f"{message}; rename one", offset is None, offset or 0)


def _read(data: Mapping[str, Any]) -> Iterator[tuple[Path, str, str, int | None]]:
    """Each value that is declared or read: where, its kind and name, and how far into the text."""
    yield from ((("config", name), "config value", name, None) for name in keys(data.get("config")))
    yield from ((("secrets", name), "secret", name, None) for name in keys(data.get("secrets")))
    streams = [*items(at(data, "read", "streams")), *items(at(data, "read", "dynamic"))]
    # What only some streams bind is a config value of the others.
    each = [frozenset([*keys(at(stream, "vars")), *keys(at(stream, "let"))]) for stream in streams]
    bound = frozenset.intersection(*each) if each else frozenset()
    for key in ("auth", "defaults", "endpoints", "read"):
        for path, source, on_key in texts((key,), data.get(key)):
            for name in _names(source):
                kind, own = _kind(name, bound)
                if own:
                    yield path, kind, own, 0 if on_key else max(source.find(name), 0)


def _names(source: str) -> list[str]:
    try:
        return sorted(Template(source).names)
    except TemplateError:
        return []  # the fault is told where names are looked up


def _kind(name: str, bound: frozenset[str]) -> tuple[str, str]:
    """What kind of value a template's name stands for, and its own name; "" if for none."""
    first, *rest = name.split(".")
    if first in ("secrets", "config"):
        return ("secret" if first == "secrets" else "config value"), rest[0] if rest else ""
    return "config value", "" if first in _GIVEN or first in bound else first


def _unfit(name: str) -> str | None:
    try:
        _NAME.validate_python(name)
    except ValidationError as error:
        return error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
    return None
