"""A folder of connector specs that programs write into: valid documents only, whole files only."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from connector_assets.authoring.whole_file import write_whole
from connector_assets.catalogue.shelf import file_of
from connector_assets.errors import BlockedError, ConfigError, Fault, SpecError
from connector_assets.plugins.connector import PluginConnector
from connector_assets.plugins.registry import ConnectorRegistry, connector_registry
from connector_assets.project.spec_files import listed, read_specs
from connector_assets.runtime.guard.origins import spec_origins
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.document import load_connector, parse_connector
from connector_assets.spec.names.url import origin_of
from connector_assets.spec.yaml.yaml_source import read_yaml
from connector_assets.spec.yaml.yaml_text import read_file

MAX_LISTED = 50


@dataclass(frozen=True)
class SpecsFolder:
    """The connectors in `path`, and the registry that knows them too."""

    path: Path
    registry: ConnectorRegistry = field(default_factory=lambda: connector_registry)
    _lock: Lock = field(default_factory=Lock, repr=False)
    _own: set[str] = field(default_factory=set, repr=False)
    """Ids that were written here: nobody can have given them secrets for another document."""

    def check(self, text: str) -> ConnectorSpec:
        """The connector that `text` describes; raises SpecError."""
        return parse_connector(_encoded(text))

    def tried(self, text: str) -> ConnectorSpec:
        """The connector, to be read before it is written; raises SpecError.

        With the id of one that was there before, it may send to no other origin: it would be given
        that one's secrets.
        """
        spec = self.check(text)
        with self._lock:
            self._target(spec, _encoded(text), overwrite=True)
        return spec

    def text_of(self, connector_id: str) -> str:
        """The document of a connector of this folder; ConfigError lists those there are."""
        found = read_specs(self.path).specs
        if connector_id not in found:
            known = ", ".join(list(found)[:MAX_LISTED]) or "none"
            what = f'"{connector_id[:80]}" is no connector of the folder'
            raise ConfigError(what, fix=f"known are: {known}")
        return read_file(found[connector_id][1]).decode("utf-8", "replace")

    def create(self, text: str, *, overwrite: bool = False) -> ConnectorSpec:
        """Register the connector and write it as `<id>.yaml`; the same text again changes nothing.

        Raises SpecError where the id is taken by another connector and not `overwrite`; and with
        it, where the id would take the place of a file that has another, or where the secrets of
        a connector that was there before would go to a new origin. Nothing is then written or
        registered.
        """
        spec = self.check(text)
        with self._lock:
            target = self._target(spec, _encoded(text), overwrite=overwrite)
            if target is not None:
                self._write(target, _encoded(text), overwrite=overwrite)
            file = target or self.path / f"{spec.id}.yaml"
            self.registry.register_yaml(_encoded(text), source=str(file), replace=True)
            self._own.add(spec.id)
        return spec

    def listing(self) -> dict[str, Any]:
        """What there is, and the files that cannot be used, as JSON."""
        found = read_specs(self.path)
        broken = [
            {"file": one.path.name, "errors": [str(fault) for fault in one.error.faults]}
            for one in found.broken
        ]
        return {"connectors": [_told(spec) for spec, _ in found.specs.values()], "broken": broken}

    def _target(self, spec: ConnectorSpec, raw: bytes, *, overwrite: bool) -> Path | None:
        """The file to write; None where it says the same already."""
        if spec.id in self.registry and isinstance(self.registry.get(spec.id), PluginConnector):
            raise _taken(spec.id, "a plugin", "choose another id")
        files = read_specs(self.path)
        named = self.path / f"{spec.id}.yaml"
        if spec.id in files.shared:
            both = listed([path.relative_to(self.path) for path in files.shared[spec.id]])
            raise _taken(spec.id, both, "its operator must say which of them is meant")
        before, found = files.specs.get(spec.id, (None, named))
        if before is None and not named.is_symlink() and not named.exists():
            _refuse_beyond_catalogue(spec)
            return named
        if found.read_bytes() == raw:
            return None
        if not overwrite:
            raise _taken(spec.id, found.name, "choose another id, or pass overwrite")
        if before is None and (other := _id_in(named)) not in ("", spec.id):
            raise _taken(spec.id, f'{named.name}, the file of "{other}"', "choose another id")
        if spec.id not in self._own:
            _refuse_new_origins(before, spec, found)
        return found

    def _write(self, target: Path, raw: bytes, *, overwrite: bool) -> None:
        """A file appears whole or not at all; without `overwrite`, only where there is none."""
        try:
            write_whole(target, raw, replace=overwrite)
        except FileExistsError:
            raise _taken(target.stem, target.name, "choose another id, or pass overwrite") from None
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            raise ConfigError(f"cannot be written: {reason}", where=str(target)) from None


def _id_in(file: Path) -> str:
    """The id that a file claims, also a broken one; "" if none can be made out."""
    try:
        data = read_yaml(read_file(file)).data
    except SpecError:
        return ""
    claimed = data.get("id") if isinstance(data, dict) else None
    return claimed if isinstance(claimed, str) else ""


def _refuse_new_origins(before: ConnectorSpec | None, after: ConnectorSpec, file: Path) -> None:
    """What operators gave a connector may go where they saw it go, and nowhere else."""
    allowed = spec_origins(before) if before else _written_origins(file)
    extra = [one for one in spec_origins(after) if one not in allowed]
    if extra:
        message = f'the values of "{after.id}" would go to {", ".join(extra)} too'
        fix = f"choose another id, or ask its operator to change {file.name}"
        raise SpecError([Fault("", f"{message}; {fix}")])


def _refuse_beyond_catalogue(spec: ConnectorSpec) -> None:
    """What was given for a connector of the catalogue goes where that one sends it."""
    shipped = file_of(spec.id)
    if shipped is None:
        return
    allowed = spec_origins(load_connector(shipped))
    extra = [one for one in spec_origins(spec) if one not in allowed]
    if extra:
        told = f'the values of "{spec.id}" of the catalogue would go to {", ".join(extra)} too'
        raise SpecError([Fault("id", f"{told}; choose another id")])


def _written_origins(file: Path) -> list[str]:
    """The origins in a file that is no valid connector."""
    found = re.findall(r"https?://[^\s\"'/?#{},]+", read_file(file).decode("utf-8", "replace"))
    origins = []
    for one in found:
        with suppress(BlockedError):
            origins.append(origin_of(one))
    return origins


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise SpecError([Fault("", "holds half of a surrogate pair; send text")]) from None


def _taken(connector_id: str, by: str, fix: str) -> SpecError:
    return SpecError([Fault("id", f'"{connector_id}" is taken by {by}; {fix}')])


def _told(spec: ConnectorSpec) -> dict[str, Any]:
    return {
        "id": spec.id,
        "displayName": spec.display_name,
        "category": spec.category,
        "streams": [stream.name for stream in spec.streams],
    }
