"""Secrets in a file: YAML or JSON with names and values, or lines of NAME=VALUE as in `.env`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connector_assets.errors import ConfigError


def read_secrets_file(path: Path) -> dict[str, str]:
    """Names and values; numbers stay as they are written. No error quotes a line of the file.

    A name is the secret's (`apiKey`), or its environment variable (`STRIPE__API_KEY`).
    """
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ConfigError(f"cannot be read: {reason}", where=str(path)) from None
    except UnicodeDecodeError:
        raise ConfigError("is not UTF-8 text", where=str(path)) from None
    mapping = _as_mapping(text)
    return _as_lines(text, path) if mapping is None else _texts(mapping, path)


def _as_mapping(text: str) -> dict[str, Any] | None:
    """YAML with every scalar as text (`0123` and `no` stay), None where it is something else."""
    import yaml

    try:
        data = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes text, lists and mappings only
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or any("=" in str(name) for name in data):
        return None
    return data


def _texts(mapping: dict[str, Any], path: Path) -> dict[str, str]:
    for name, value in mapping.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise ConfigError(f'"{name}" must be one value', where=str(path), fix="quote it")
    return mapping


def _as_lines(text: str, path: Path) -> dict[str, str]:
    values = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip().removeprefix("export ").strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise ConfigError(
                "is not NAME=VALUE", where=f"{path}:{number}", fix="write that, or YAML, or JSON"
            )
        values[name.strip()] = _unquoted(value.strip())
    return values


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value
