"""A connection written as a component: the attributes of a `defs.yaml` are those of a document."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.errors import Fault, SpecError
from connector_assets.spec.document import parse_connection
from connector_assets.spec.yaml.yaml_source import YamlSource, read_yaml

if TYPE_CHECKING:
    from connector_assets.spec.connection import ConnectionDocument

_TYPE = re.compile(rb"^type\s*:\s*[\"']?connector_assets\.ConnectorComponent\b", re.MULTILINE)
# What keeps Dagster from rendering a template that is the connector's.
_RAW = re.compile(rb"\{%-?\s*(?:end)?raw\s*-?%\}")
_NEXT = re.compile(rb"^---(?=\s|$).*", re.MULTILINE)
_TOOL = re.compile(r"^\s*\[tool\.dg\b|^\s*directory_type\s*=", re.MULTILINE)
_HEAD = {"kind": "connection", "version": "1.0"}


def is_component(text: bytes) -> bool:
    """Whether a document is the `defs.yaml` of a ConnectorComponent."""
    return _TYPE.search(text) is not None


def project_of(path: Path) -> Path | None:
    """The `dg` project that a file is in, from which its `specs` are found, if it is in one.

    It is the nearest folder above with a `dg.toml`, or a `pyproject.toml` that speaks of `dg`.
    """
    for folder in path.absolute().parents:
        if (folder / "dg.toml").is_file():
            return folder
        about = folder / "pyproject.toml"
        if about.is_file() and _TOOL.search(about.read_text("utf-8", errors="replace")):
            return folder
    return None


def attributes_of(text: bytes, *, source: str, number: int = 0) -> YamlSource:
    """The attributes of a `defs.yaml`, as they stand there; SpecError where it has none.

    `number` counts the components of a file that has several, from 0.
    """
    yaml = read_yaml(_only(_RAW.sub(b"", text), number), source=source)
    found = yaml.data.get("attributes") if isinstance(yaml.data, dict) else None
    if not isinstance(found, dict):
        raise SpecError([Fault("attributes", "must be a mapping", 1, 1)], source=source)
    return replace(yaml, data=found)


def _only(text: bytes, number: int) -> bytes:
    """One document of several, on the lines on which it stands."""
    ends = [0, *(found.start() for found in _NEXT.finditer(text)), len(text)]
    parts = [text[begin:end] for begin, end in pairwise(ends)]
    if not re.sub(rb"#.*", b"", parts[0]).strip() and len(parts) > 1:
        parts[:2] = [parts[0] + parts[1]]
    if len(parts) == 1 or number >= len(parts):
        return text
    before = sum(part.count(b"\n") for part in parts[:number])
    return b"\n" * before + _NEXT.sub(b"", parts[number])


def read_component(
    attributes: Mapping[str, Any], yaml: YamlSource | None, *, source: str
) -> ConnectionDocument:
    """The connection that `attributes` describe; SpecError, with the faults' places in `yaml`."""
    given = own_words(with_variables(attributes))
    given.pop("specs", None)
    text = json.dumps(_HEAD | given)
    try:
        return parse_connection(text, source=source)
    except SpecError as error:
        checked = read_yaml(text) if yaml else None
        placed = [_placed(one, checked, yaml) for one in error.faults]
        raise SpecError(placed, source=source) from None


_DAGSTERS = {"group_name": "group", "deps": "deps", "automation_condition": "automationCondition"}
_DAGSTERS |= {"op_tags": "opTags", "retry_policy": "retryPolicy", "key_prefix": "keyPrefix"}
"""Dagster's own words for attributes that a document calls otherwise."""


def own_words(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as a document calls them."""
    given = {_DAGSTERS.get(name, name): value for name, value in attributes.items()}
    streams = given.get("streams")
    if isinstance(streams, Mapping):
        given["streams"] = {
            name: own_words(one) if isinstance(one, Mapping) else one
            for name, one in streams.items()
        }
    return given


_VARIABLE = re.compile(r"\{\{\s*env(?:\.(\w+)|\(\s*(['\"])(\w+)\2\s*\))\s*\}\}", re.ASCII)
_SECRET = ("username", "password", "clientKey", "clientKeyPassword")
"""Keys below `network` whose values are secrets."""


def with_variables(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes with `{env: NAME}` where a secret is `{{ env.NAME }}`.

    That is Dagster's way to name a variable. It would read it as the project loads, and put the
    value where only its name may be.

    >>> with_variables({"secrets": {"token": "{{ env.SHOP_TOKEN }}"}})
    {'secrets': {'token': {'env': 'SHOP_TOKEN'}}}
    """
    given = dict(attributes)
    if isinstance(given.get("secrets"), Mapping):
        given["secrets"] = {name: _variable(one) for name, one in given["secrets"].items()}
    if isinstance(given.get("network"), Mapping):
        given["network"] = _network(given["network"])
    return given


def _network(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _variable(one)
        if name in _SECRET
        else _network(one)
        if isinstance(one, Mapping)
        else one
        for name, one in settings.items()
    }


def _variable(value: Any) -> Any:
    named = _VARIABLE.fullmatch(value.strip()) if isinstance(value, str) else None
    return {"env": named[1] or named[3]} if named else value


def _placed(fault: Fault, checked: YamlSource | None, yaml: YamlSource | None) -> Fault:
    """Where the attributes say it, not where the text of JSON did that they were checked as."""
    if yaml is None or checked is None:
        return replace(fault, line=0, column=0)
    steps = [int(step) if step.isdigit() else step for step in fault.path.split(".")]
    steps_here = _as_written(steps, yaml.data)
    on_key = checked.key_position(steps) == (fault.line, fault.column)
    line, column = (yaml.key_position if on_key else yaml.position)(steps_here)
    return replace(fault, line=line, column=column)


def _as_written(steps: Sequence[str | int], data: Any) -> list[str | int]:
    """A path with Dagster's words where the file has those."""
    theirs = {ours: word for word, ours in _DAGSTERS.items()}
    written: list[str | int] = []
    for step in steps:
        known = isinstance(data, Mapping) and step not in data
        written.append(theirs.get(str(step), step) if known else step)
        data = data.get(written[-1]) if isinstance(data, Mapping) else None
    return written


def component_schema(added: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a component's attributes; `added` are the properties of a subclass.

    It knows every key. What is below one, and what a template gives, our own reader judges: it
    says more than that nothing in a union fits.
    """
    from connector_assets.spec.checks.jsonschema import schema_of
    from connector_assets.spec.connection import ConnectionDocument

    whole = schema_of(ConnectionDocument)
    kept = {name: one for name, one in whole["properties"].items() if name not in _HEAD}
    own = {name: _loose(one) for name, one in kept.items()}
    folder = {"type": "string", "description": "Folder of connectors, relative to the project."}
    words = {theirs: own[ours] for theirs, ours in _DAGSTERS.items()}
    return {
        "type": "object",
        "properties": {**own, **words, "specs": folder, **added},
        "required": ["id", "connector"],
        "additionalProperties": False,
    }


def _loose(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A property's schema: of a text its words, of anything else what it means."""
    words = schema.get("enum")
    if words:
        listed = "|".join(map(re.escape, words))
        return {"type": "string", "pattern": rf"^({listed})$|\{{[{{%]"}
    kept = {key: schema[key] for key in ("title", "description") if key in schema}
    return {**kept, "type": "string"} if schema.get("type") == "string" else kept
