"""Where plugins come from: modules and a folder that settings name, and packages that offer them.

Nothing else is looked at: a plugin is the operator's own code. One that cannot be used is told, and
the others stay. Every process of a run finds the same ones, by the same variables and the same
installed packages.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from connector_assets.errors import Fault, SpecError
from connector_assets.plugins.connector import PluginConnector
from connector_assets.plugins.registry import ConnectorRegistry, connector_registry
from connector_assets.project.settings import setting, variable
from connector_assets.project.spec_files import Broken

GROUP = "connector_assets.plugins"
"""The group of entry points by which an installed package offers its plugins."""
PLUGINS_VARIABLE, FOLDER_VARIABLE = variable("PLUGINS"), variable("PLUGINS_FOLDER")


def import_plugins(
    environ: Mapping[str, str] | None = None, registry: ConnectorRegistry = connector_registry
) -> tuple[Broken, ...]:
    """Import what CONNECTOR_ASSETS_PLUGINS (modules) and _PLUGINS_FOLDER name, and entry points.

    What `define_connector` made there is registered, under any name of the module. Returns those
    that cannot be used, each with its faults.
    """
    environ = os.environ if environ is None else environ
    broken = [
        Broken(path, error, path.stem)
        for where, path, offered in _offered(environ)
        if (error := _refused(offered, registry, where))
    ]
    registry.broken = {str(one.path): str(one.error) for one in broken}
    return tuple(broken)


Offered = Callable[[], Iterator[PluginConnector]]


def _offered(environ: Mapping[str, str]) -> Iterator[tuple[str, Path, Offered]]:
    """Each place that may have plugins: as errors call it, a path for it, and what gives them."""
    names = [one.strip() for one in setting("PLUGINS", environ).split(",") if one.strip()]
    if names:
        _see_working_directory()
    for name in names:
        yield f"{PLUGINS_VARIABLE}: {name}", Path("plugins", name), _of_module(name)
    if folder := setting("PLUGINS_FOLDER", environ):
        for file in sorted(Path(folder).glob("*.py")):
            if not file.name.startswith("_"):
                yield str(file), file, _of_file(file)
        if not Path(folder).is_dir():
            yield f"{FOLDER_VARIABLE}: {folder}", Path("plugins", "folder"), _no_folder
    for point in sorted(entry_points(group=GROUP), key=lambda one: one.name):
        where = f"entry point {point.name} ({point.value})"
        yield where, Path("plugins", point.name), _of_entry_point(point)


def _see_working_directory() -> None:
    """Look there too, as `python -m` does.

    What starts a process of Dagster decides what else is on its path, and a step must find the
    modules that its parent did.
    """
    if os.getcwd() not in sys.path:  # noqa: PTH109 - sys.path holds text
        sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as above


def _refused(offered: Offered, registry: ConnectorRegistry, where: str) -> SpecError | None:
    """Register what is offered; the faults that keep it out."""
    try:
        for plugin in offered():
            registry.register_plugin(plugin)
    except SpecError as error:
        faults = [replace(one, path=f"{where}: {one.path}".rstrip(": ")) for one in error.faults]
        return SpecError(faults, source="plugins")
    except ModuleNotFoundError as error:
        text = f'module "{error.name}" is not found; install it, or add its folder to PYTHONPATH'
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a module may raise anything
        text = f"{type(error).__name__}: {error}"
    else:
        return None
    return SpecError([Fault(where, text)], source="plugins")


def _of_module(name: str) -> Offered:
    return lambda: _plugins_of(importlib.import_module(name))


def _of_file(file: Path) -> Offered:
    """Of a file by its path: it needs no package around it, and hides no module of its name."""

    def plugins() -> Iterator[PluginConnector]:
        digest = hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:16]
        name = f"_connector_assets_plugin_{digest}"
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, file.resolve())
            assert spec is not None
            assert spec.loader is not None
            module = sys.modules[name] = importlib.util.module_from_spec(spec)
            try:
                spec.loader.exec_module(module)
            except BaseException:
                del sys.modules[name]
                raise
        return _plugins_of(sys.modules[name])

    return plugins


def _of_entry_point(point: EntryPoint) -> Offered:
    def plugins() -> Iterator[PluginConnector]:
        found: Any = point.load()
        if isinstance(found, ModuleType):
            yield from _plugins_of(found)
        elif not isinstance(found, PluginConnector):
            what = f"is a {type(found).__name__}; name what define_connector returned"
            raise SpecError([Fault("", what)])
        elif found.id != point.name:
            what = f'is the connector "{found.id}"; give the entry point that name'
            raise SpecError([Fault("", what)])
        else:
            yield found

    return plugins


def _plugins_of(module: ModuleType) -> Iterator[PluginConnector]:
    return (one for one in list(vars(module).values()) if isinstance(one, PluginConnector))


def _no_folder() -> Iterator[PluginConnector]:
    raise SpecError([Fault("", "there is no such folder")])
