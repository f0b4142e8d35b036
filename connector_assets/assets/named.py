"""Parts of the code location that settings name: an executor and resources, from any module."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from connector_assets.assets.executor import executor
from connector_assets.errors import ConfigError
from connector_assets.project.settings import setting, variable


def named_executor() -> dg.ExecutorDefinition:
    """The executor that settings name, under its config; without any, one that forks steps here.

    Raises ConfigError. Equal settings give the same object.
    """
    name, config = setting("EXECUTOR"), setting("EXECUTOR_CONFIG")
    if not name:
        return executor()
    return _executor(name, config)


def named_resources() -> Mapping[str, Any] | None:
    """The resources that settings name: a mapping of a module. Raises ConfigError."""
    name = setting("RESOURCES")
    if not name:
        return None
    found = _found("RESOURCES", name)
    if not isinstance(found, Mapping):
        raise _misnamed("RESOURCES", name, "is no mapping of names to resources")
    return found


@cache
def _executor(name: str, config: str) -> dg.ExecutorDefinition:
    found = _found("EXECUTOR", name)
    if not isinstance(found, dg.ExecutorDefinition):
        raise _misnamed("EXECUTOR", name, "is no Dagster executor")
    # Under its own name, so that what looks at names knows it.
    return found.configured(_config(config), found.name) if config else found


def _config(given: str) -> dict[str, Any]:
    """Dagster's config of an executor: YAML that stands in the setting itself, or in a file."""
    where = variable("EXECUTOR_CONFIG")
    try:
        text = given if given.lstrip().startswith("{") else Path(given).read_text("utf-8")
        read = yaml.safe_load(text)
    except OSError as error:
        raise ConfigError(
            f"{given}: {(error.strerror or 'cannot be read').lower()}",
            where=where,
            fix="name a YAML file by its whole path, or give the YAML itself as {key: value}",
        ) from None
    except yaml.YAMLError as error:
        place = getattr(error, "problem", None) or type(error).__name__
        raise ConfigError(f"is not YAML ({place})", where=where) from None
    if not isinstance(read, dict):
        raise ConfigError("is no mapping", where=where, fix="write {key: value}")
    return read


def _found(of: str, name: str) -> Any:
    """What `module:name` stands for; the working directory counts, as it does for plugins."""
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise _misnamed(of, name, "names nothing", "write module:name")
    if os.getcwd() not in sys.path:  # noqa: PTH109 - sys.path holds text
        sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as above
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        fix = "install it on every machine, or add its folder to PYTHONPATH"
        raise _misnamed(of, name, f'module "{error.name}" is not found', fix) from error
    except AttributeError:
        raise _misnamed(of, name, f'"{module}" has no "{attribute}"') from None
    except Exception as error:
        raise _misnamed(of, name, f"{type(error).__name__}: {error}") from error


def _misnamed(of: str, name: str, what: str, fix: str = "") -> ConfigError:
    return ConfigError(what, where=f"{variable(of)}: {name}", fix=fix)
