"""Documents of an older format, or with a version written loosely, brought to this build's format.

A migration edits the text at positions, so comments, order and quotes stay as they are. The chain
has one link for each version that was left behind; format 1.0 is the first, so it is empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from connector_assets.errors import Fault, SpecError
from connector_assets.spec.connector import FORMAT_VERSION
from connector_assets.spec.yaml.yaml_source import YamlSource, read_yaml
from connector_assets.spec.yaml.yaml_text import offset

_LOOSE = re.compile(r"v?1(?:\.0+)?")
_WRITTEN = re.compile(r""""[^"\n]*"|'[^'\n]*'|[^\s,}#]+""")


@dataclass(frozen=True, slots=True)
class Edit:
    """`new` in the place of `old`, which stands at a line and column, both from 1."""

    line: int
    column: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Migration:
    """From one version to the next; `edits` leaves the version alone, which is changed after it."""

    target: str
    about: str
    edits: Callable[[YamlSource], Sequence[Edit]]


@dataclass(frozen=True, slots=True)
class Migrated:
    """The text in this build's format, and what was done to it, one line each; none: as it was."""

    text: str
    steps: tuple[str, ...] = ()


CHAIN: Mapping[str, Migration] = MappingProxyType({})
"""The migration away from each older version."""


def migrate(
    text: str | bytes,
    *,
    source: str | None = None,
    chain: Mapping[str, Migration] = CHAIN,
    target: str = FORMAT_VERSION,
) -> Migrated:
    """`text` in the format `target`; SpecError where it is no YAML, or of a version unknown here.

    The result is not validated: a migration changes what the format changed, and nothing else.
    """
    document = read_yaml(text, source=source)
    steps: list[str] = []
    version = _version(document)
    if version == FORMAT_VERSION and document.data["version"] != version:
        document = _with_version(document, version)
        steps.append(f'version is written "{version}"')
    while version != target:
        migration = chain.get(version)
        if migration is None:
            raise _unknown(document, target)
        document = _edited(document, migration.edits(document))
        document = _with_version(document, migration.target)
        version = migration.target
        steps.append(f"{version}: {migration.about}")
    return Migrated(document.text, tuple(steps))


def _version(document: YamlSource) -> str:
    """What the document says, tidied; a number is what it is written as."""
    data = document.data if isinstance(document.data, dict) else {}
    said = data.get("version")
    if isinstance(said, bool) or not isinstance(said, str | int | float):
        raise SpecError(
            [Fault("version", "is required", *document.position(("version",)))],
            source=document.source,
        )
    return FORMAT_VERSION if _LOOSE.fullmatch(str(said)) else str(said)


def _unknown(document: YamlSource, target: str) -> SpecError:
    message = f'is not a version this build can migrate; it knows "{target}" and what came before'
    fault = Fault("version", message, *document.position(("version",)))
    return SpecError([fault], source=document.source)


def _with_version(document: YamlSource, version: str) -> YamlSource:
    """The same text with another version, always in quotes."""
    line, column = document.position(("version",))
    found = _WRITTEN.match(document.lines[line - 1], column - 1)
    if found is None or found[0][0] in "&*!|>":
        fault = Fault("version", f'must be written as "{version}"', line, column)
        raise SpecError([fault], source=document.source)
    return _edited(document, [Edit(line, column, found[0], f'"{version}"')])


def _edited(document: YamlSource, edits: Sequence[Edit]) -> YamlSource:
    """The text after `edits`, from the last to the first so that positions hold."""
    text = document.text
    for edit in sorted(edits, key=lambda one: (one.line, one.column), reverse=True):
        start = offset(text, edit.line, edit.column)
        end = start + len(edit.old)
        assert text[start:end] == edit.old, "an edit names what it replaces"
        text = text[:start] + edit.new + text[end:]
    return read_yaml(text, source=document.source)
