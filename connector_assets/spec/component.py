"""A connection written as a component: the attributes of a `defs.yaml` are those of a document."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from connector_assets.errors import Fault, SpecError
from connector_assets.spec.document import parse_connection
from connector_assets.spec.yaml_source import YamlSource, read_yaml

if TYPE_CHECKING:
    from connector_assets.spec.connection import ConnectionDocument

_TYPE = re.compile(rb"^type\s*:\s*[\"']?connector_assets\.ConnectorComponent\b", re.MULTILINE)
# What keeps Dagster from rendering a template that is the connector's.
_RAW = re.compile(rb"\{%-?\s*(?:end)?raw\s*-?%\}")
_HEAD = {"kind": "connection", "version": "1.0"}


def is_component(text: bytes) -> bool:
    """Whether a document is the `defs.yaml` of a ConnectorComponent."""
    return _TYPE.search(text) is not None


def attributes_of(text: bytes, *, source: str) -> YamlSource:
    """The attributes of a `defs.yaml`, as they stand there; SpecError where it has none."""
    yaml = read_yaml(_RAW.sub(b"", text), source=source)
    found = yaml.data.get("attributes") if isinstance(yaml.data, dict) else None
    if not isinstance(found, dict):
        raise SpecError([Fault("attributes", "must be a mapping", 1, 1)], source=source)
    return replace(yaml, data=found)


def read_component(
    attributes: Mapping[str, Any], yaml: YamlSource | None, *, source: str
) -> ConnectionDocument:
    """The connection that `attributes` describe; SpecError, with the faults' places in `yaml`."""
    given = {name: value for name, value in attributes.items() if name != "specs"}
    try:
        return parse_connection(json.dumps(_HEAD | given), source=source)
    except SpecError as error:
        raise SpecError([_placed(one, yaml) for one in error.faults], source=source) from None


def _placed(fault: Fault, yaml: YamlSource | None) -> Fault:
    """Where the attributes say it, not where the text of JSON did that they were checked as."""
    if yaml is None:
        return replace(fault, line=0, column=0)
    steps = [int(step) if step.isdigit() else step for step in fault.path.split(".")]
    line, column = yaml.position(steps)
    return replace(fault, line=line, column=column)
