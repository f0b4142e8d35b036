"""Where a plugin is defined, so that another process finds it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

from connector_assets.errors import ConfigError
from connector_assets.plugins.connector import PluginConnector

Home = tuple[str, str, str, list[str]]
"""A module, its file, the plugin's name in it, and the path that modules are looked for on."""


def home_of(plugin: PluginConnector) -> Home:
    """The module that has the plugin under a name; ConfigError where none has."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        for attribute, value in list(vars(module).items()) if file else ():
            if value is plugin and file:
                return name, str(Path(file).resolve()), attribute, sys.path
    fix = "give what define_connector returned a name at the top of a module"
    raise ConfigError("no module has it under a name", where=f"plugin {plugin.id}", fix=fix)


def plugin_at(home: Home) -> PluginConnector:
    """The plugin at its home, in a process where it is not yet imported."""
    name, file, attribute, path = home
    sys.path[:] = path
    try:
        module = importlib.import_module(name)
    except ImportError:
        spec = importlib.util.spec_from_file_location("plugin_under_test", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    found: PluginConnector = getattr(module, attribute)
    return found
