"""A folder of connector specs that programs write into: valid documents only, whole files only."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from connector_assets.errors import ConfigError, Fault, SpecError
from connector_assets.plugins.define import PluginConnector
from connector_assets.plugins.registry import ConnectorRegistry, connector_registry
from connector_assets.project import documents
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.document import load_connector, parse_connector


@dataclass(frozen=True)
class SpecsFolder:
    """The connectors in `path`, and the registry that knows them too."""

    path: Path
    registry: ConnectorRegistry = field(default_factory=lambda: connector_registry)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def check(self, text: str) -> ConnectorSpec:
        """The connector that `text` describes; raises SpecError."""
        return parse_connector(_encoded(text))

    def create(self, text: str, *, overwrite: bool = False) -> ConnectorSpec:
        """Register the connector and write it as `<id>.yaml`; the same text again changes nothing.

        Raises SpecError, also where the id is taken by another connector and not `overwrite`.
        Nothing is then written or registered.
        """
        spec = self.check(text)
        with self._lock:
            target = self._target(spec, _encoded(text), overwrite=overwrite)
            if target is not None:
                self._write(target, _encoded(text), overwrite=overwrite)
            file = target or self.path / f"{spec.id}.yaml"
            self.registry.register_yaml(_encoded(text), source=str(file), replace=True)
        return spec

    def listing(self) -> dict[str, Any]:
        """What there is, and the files that cannot be used, as JSON."""
        connectors, broken = [], []
        for file in documents(self.path):
            try:
                spec = load_connector(file)
            except SpecError as error:
                broken.append({"file": file.name, "errors": [str(one) for one in error.faults]})
            else:
                connectors.append(_told(spec))
        return {"connectors": connectors, "broken": broken}

    def _target(self, spec: ConnectorSpec, raw: bytes, *, overwrite: bool) -> Path | None:
        """The file to write; None where it says the same already."""
        if spec.id in self.registry and isinstance(self.registry.get(spec.id), PluginConnector):
            raise _taken(spec.id, "a plugin", "choose another id")
        found = self._file_of(spec.id)
        if found is None:
            return self.path / f"{spec.id}.yaml"
        if found.read_bytes() == raw:
            return None
        if not overwrite:
            raise _taken(spec.id, found.name, "choose another id, or pass overwrite")
        return found

    def _file_of(self, connector_id: str) -> Path | None:
        """The file that holds this id, whatever its name; else the one that has its name."""
        for file in documents(self.path):
            try:
                if load_connector(file).id == connector_id:
                    return file
            except SpecError:
                continue
        named = self.path / f"{connector_id}.yaml"
        return named if named.exists() else None

    def _write(self, target: Path, raw: bytes, *, overwrite: bool) -> None:
        """A file appears whole or not at all; without `overwrite`, only where there is none."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with _temporary(self.path, raw) as file:
                _place(file, target, overwrite=overwrite)
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            raise ConfigError(f"cannot be written: {reason}", where=str(target)) from None


@contextmanager
def _temporary(folder: Path, raw: bytes) -> Iterator[Path]:
    """A hidden file beside the others, safely on disk."""
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _place(file: Path, target: Path, *, overwrite: bool) -> None:
    """A link fails where another process has made the file meanwhile; a rename would replace it."""
    if overwrite:
        file.replace(target)
        return
    try:
        target.hardlink_to(file)
    except FileExistsError:
        raise _taken(target.stem, target.name, "choose another id, or pass overwrite") from None


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
