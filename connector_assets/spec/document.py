"""YAML text → connector spec or connection, or every fault in it at once, each at its place.

Three layers look at a document: the YAML itself, the models, and what only the whole can show, such
as a name that refers to nothing. Each reports all it can, also where another has found faults.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from connector_assets.errors import SpecError
from connector_assets.spec.checks.model_faults import Finding, findings_of, in_order, new
from connector_assets.spec.checks.semantics import connection_findings, connector_findings
from connector_assets.spec.connector import FORMAT_VERSION, ConnectorSpec
from connector_assets.spec.yaml.yaml_source import Path as Steps
from connector_assets.spec.yaml.yaml_source import YamlSource, read_yaml
from connector_assets.spec.yaml.yaml_text import read_file

if TYPE_CHECKING:
    from connector_assets.spec.connection import ConnectionDocument

Spec = TypeVar("Spec", bound=BaseModel)
_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")
_CONNECTION = re.compile(rb"""(?<![\w.-])["']?kind["']?\s*:\s*["']?connection\b(?![\w.-])""")


@dataclass(frozen=True)
class Document(Generic[Spec]):
    """A valid document: its model, and where each part of it stands in the text."""

    spec: Spec
    yaml: YamlSource

    @property
    def source(self) -> str | None:
        return self.yaml.source

    def position(self, *path: str | int) -> tuple[int, int]:
        """Line and column, from 1: `document.position("endpoints", 0, "url")`."""
        return self.yaml.position(path)

    def stream_line(self, name: str) -> int:
        """The line on which a stream is declared, 1 if the document does not name it."""
        read = self.yaml.data.get("read", {})
        for at, stream in enumerate(read.get("streams", ())):
            if stream.get("name") == name:
                return self.yaml.position(("read", "streams", at))[0]
        types = read.get("resourceTypes", ())
        path: Steps = ("read", "resourceTypes", types.index(name)) if name in types else ("read",)
        return self.yaml.position(path)[0] if "read" in self.yaml.data else 1


def is_connection(text: bytes) -> bool:
    """Whether a document says `kind: connection`; what it says wrong is the parser's to tell."""
    return _CONNECTION.search(text) is not None


def parse_connector(text: str | bytes, *, source: str | None = None) -> ConnectorSpec:
    """The connector that `text` describes; SpecError with every fault at once if it does not.

    `source` names the file, for errors only.
    """
    return read_connector(text, source=source).spec


def parse_connection(text: str | bytes, *, source: str | None = None) -> ConnectionDocument:
    """The connection that `text` describes; SpecError as in `parse_connector`."""
    return read_connection(text, source=source).spec


def load_connector(path: str | Path) -> ConnectorSpec:
    """The connector in a file; SpecError also where the file cannot be read."""
    return parse_connector(read_file(path), source=str(path))


def read_connector(text: str | bytes, *, source: str | None = None) -> Document[ConnectorSpec]:
    """As `parse_connector`, and where everything stands."""
    return _read(text, source, ConnectorSpec, "connector", connector_findings)


def read_connection(
    text: str | bytes, *, source: str | None = None
) -> Document[ConnectionDocument]:
    """As `parse_connection`, and where everything stands."""
    from connector_assets.spec.connection import ConnectionDocument

    return _read(text, source, ConnectionDocument, "connection", connection_findings)


def _read(
    text: str | bytes,
    source: str | None,
    model: type[Spec],
    kind: str,
    find: Callable[[YamlSource], Sequence[Finding]],
) -> Document[Spec]:
    yaml = read_yaml(text, source=source)
    other = _of_another_kind(yaml.data, kind) or _of_another_format(yaml.data)
    if other:
        raise SpecError([*yaml.faults, other.placed(yaml)], source=source)
    spec: Spec | None = None
    refused: list[Finding] = []
    try:
        spec = model.model_validate(yaml.data)
    except ValidationError as error:
        refused = new(findings_of(error, yaml, model), yaml.broken)
    found = new(find(yaml), [*yaml.broken, *(one.path for one in refused)])
    faults = [*yaml.faults, *(one.placed(yaml) for one in (*refused, *found))]
    if faults or spec is None:
        raise SpecError(in_order(faults), source=source)
    return Document(spec, yaml)


def _of_another_kind(data: Any, kind: str) -> Finding | None:
    if not isinstance(data, dict):
        return Finding((), f'must be a mapping that begins with "kind: {kind}"')
    said = data.get("kind")
    if said != kind and said in ("connector", "connection"):
        return Finding(("kind",), f'must be "{kind}"; this document is a {said}')
    return None


def _of_another_format(data: Any) -> Finding | None:
    """One fault says it all: what else seems wrong may be right in the other version."""
    said = data.get("version")
    if not isinstance(said, str) or not _VERSION.fullmatch(said) or said == FORMAT_VERSION:
        return None
    newer = [int(n) for n in said.split(".")] > [int(n) for n in FORMAT_VERSION.split(".")]
    fix = "it needs a newer connector-assets" if newer else "run connector-assets migrate"
    message = f'must be "{FORMAT_VERSION}"; this document is of format {said}: {fix}'
    return Finding(("version",), message)
