"""What a lint rule is, and what the rules share to look at a document."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from connector_assets.spec.checks.bindings import at, items
from connector_assets.spec.connector import merged_streams
from connector_assets.spec.yaml.yaml_source import Path, YamlSource

Level = Literal["info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("info", "warning", "error")
"""From what could be better to what is wrong; `lint` fails from `warning` on by default."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing a rule found: where, what, and what to do about it."""

    path: Path
    what: str
    fix: str
    on_key: bool = False


Find = Callable[[Any, YamlSource], Iterator[Remark]]
"""Looks at a valid model, a connector or a connection, and at where its parts stand."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule by name; `about` is its documentation: what it finds, and why that is wrong."""

    id: str
    level: Level
    about: str
    find: Find


def rule(name: str, level: Level) -> Callable[[Find], Rule]:
    """Make a rule of the function below; its docstring is what users read."""

    def make(find: Find) -> Rule:
        return Rule(name, level, inspect.cleandoc(find.__doc__ or ""), find)

    return make


def requests(data: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Whatever may hold an endpoint's keys, with its path: the defaults, then each endpoint."""
    yield ("defaults",), data.get("defaults")
    yield from endpoints(data)


def endpoints(data: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    for number, endpoint in enumerate(items(data.get("endpoints"))):
        yield ("endpoints", number), endpoint


def streams(data: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """The streams that are written out, with their paths; what is `read.defaults` is theirs too.

    Of variables only their own are: not every stream reads all.
    """
    written = items(at(data.get("read"), "streams"))
    merged = items(at(merged_streams(data.get("read")), "streams"))
    for number, (own, stream) in enumerate(zip(written, merged, strict=True)):
        yield ("read", "streams", number), {**stream, "vars": at(own, "vars")}


def texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text at or below `path`."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from texts(item, (*path, number))
