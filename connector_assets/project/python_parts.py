"""The operator's Python for one stream: found, imported, and named in errors where it cannot be."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from connector_assets.errors import ConfigError
from connector_assets.runtime.by_hand import ByHand
from connector_assets.spec.connection import PythonParts


def by_hand(given: PythonParts | str | None, folder: Path | None, where: str) -> ByHand:
    """What a connection says of one of its streams, imported; ConfigError where that fails.

    A module is a file beside the connection, in `folder`, or any that Python finds.
    """
    if given is None:
        return ByHand()
    parts = PythonParts(read=given) if isinstance(given, str) else given
    named = {name: value for name, value in parts.model_dump().items() if value}
    found: dict[str, Any] = {}
    digest = hashlib.sha256(b"2")  # checkpoints are JSON values
    for name, value in sorted(named.items()):
        found[name], source = _imported(value, folder, f"{where}.python: {value}")
        digest.update(f"{name}={value}\0".encode() + source)
    return ByHand(**found, digest=digest.hexdigest())


def _imported(named: str, folder: Path | None, where: str) -> tuple[Callable[..., Any], bytes]:
    """The function, and the text of its module."""
    module_name, _, function = named.partition(":")
    try:
        module = _module(module_name, folder)
    except ModuleNotFoundError as error:
        fix = "put it beside the connection, or add its folder to PYTHONPATH"
        raise ConfigError(f'module "{error.name}" is not found', where=where, fix=fix) from None
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{type(error).__name__}: {error}", where=where) from error
    found = getattr(module, function, None)
    if not callable(found):
        raise ConfigError(f'has no function "{function}"', where=where)
    file = getattr(module, "__file__", None)
    return found, Path(file).read_bytes() if file else b""


def _module(name: str, folder: Path | None) -> ModuleType:
    """A file beside the connection, the same in every process; else what Python finds."""
    file = (folder or Path()).joinpath(*name.split(".")).with_suffix(".py").resolve()
    if not file.is_file():
        return importlib.import_module(name)
    digest = hashlib.sha256(str(file).encode() + file.read_bytes()).hexdigest()[:16]
    own = f"_connector_assets_{digest}"
    if own not in sys.modules:
        made = importlib.util.spec_from_file_location(own, file)
        assert made is not None
        assert made.loader is not None
        module = importlib.util.module_from_spec(made)
        sys.modules[own] = module
        try:
            made.loader.exec_module(module)
        except BaseException:
            del sys.modules[own]
            raise
    return sys.modules[own]
