"""A literal in a Python file → plain data, read as a syntax tree: nothing of it is run."""

from __future__ import annotations

import ast
from typing import Any

from connector_assets.authoring.imports.source import Source
from connector_assets.errors import ConfigError

PYTHON = {"type": "python"}
"""What stands for an expression that is no literal."""


def is_python(source: Source) -> bool:
    """Whether the source is a Python file."""
    return source.name.endswith(".py")


def read_python(source: Source) -> dict[str, Any]:
    """The first dictionary in the file that has `client` and `resources`.

    Names, calls and other expressions become `{"type": "python"}`, `dlt.secrets["x"]` a text that
    says so. Raises ConfigError where there is none.
    """
    try:
        tree = ast.parse(source.raw)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        raise ConfigError("is not Python", where=f"{source.name}:{line}") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            keys = {key.value for key in node.keys if isinstance(key, ast.Constant)}
            if {"client", "resources"} <= keys:
                found = _plain(node)
                assert isinstance(found, dict)
                return found
    what = "holds no dictionary with client and resources"
    raise ConfigError(what, where=source.name, fix="give the file that has the configuration")


def _plain(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {str(_plain(k)): _plain(v) for k, v in pairs if isinstance(k, ast.Constant)}
    if isinstance(node, ast.List | ast.Tuple):
        return [_plain(one) for one in node.elts]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _plain(node.operand)
        return -value if isinstance(value, int | float) else PYTHON
    text = ast.unparse(node)
    return text if text.startswith("dlt.secrets") else PYTHON
