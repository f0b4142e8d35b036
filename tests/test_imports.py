"""Which room may import which, and what stays out of a light start."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "connector_assets"

# A room may import those before it. `load` stands beside `runtime` and knows only errors.
ORDER = ["errors", "redact", "spec", "runtime", "connector", "plugins", "front"]
ROOM = {
    "connection": "connector",
    "discovery": "connector",
    "partitioned": "connector",
    "passwords": "errors",
    "project": "connector",
    "settings": "errors",
    "sync": "connector",
    "yaml_connector": "connector",
    "assets": "front",
    "authoring": "front",
    "cli": "front",
    "definitions": "front",
}
MAY_USE_LOAD = {"connector", "front"}  # sync is where pages meet tables
ONLY_IN = {
    "dagster": {"assets", "definitions"},
    "mcp": {"authoring"},
    "typer": {"cli"},
    "rich": {"cli"},
}
# Modules that are themselves imported where they are used: they may begin with their library.
MADE_FOR = {"redis": "redis", "psycopg": "postgres", "dlt": "dlt_"}
HEAVY = ("duckdb", "pyarrow", "dagster", "mcp", "dlt", "psycopg", "redis")


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room(name):
    """The room of `connector_assets.NAME…`."""
    return ROOM.get(name, name)


def imports(path, *, top_level=False):
    """The names of the modules that a file imports, each with its line; not those for types only."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            yield node.module, node.lineno


def place(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    own = room(place(path))
    for name, line in imports(path):
        parts = name.split(".")
        if parts[0] != "connector_assets" or len(parts) == 1:
            continue
        other = room(parts[1])
        where = f"{path.relative_to(PACKAGE)}:{line}: imports {name}"
        if own == other:
            continue
        if own == "load":
            assert other == "errors", where
        elif other == "load":
            assert own in MAY_USE_LOAD, where
        else:
            assert ORDER.index(other) < ORDER.index(own), where


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_front_doors_do_not_lead_into_each_other(path):
    own = place(path)
    if room(own) != "front" or own == "definitions":
        return
    for name, line in imports(path):
        parts = name.split(".")
        if parts[0] == "connector_assets" and len(parts) > 1 and room(parts[1]) == "front":
            allowed = parts[1] in (own, "definitions") or (own, parts[1]) == ("cli", "authoring")
            assert allowed, f"{path.relative_to(PACKAGE)}:{line}: imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_library_is_imported_in_its_room_only(path):
    for name, line in imports(path):
        homes = ONLY_IN.get(name.split(".")[0], {place(path)})
        assert place(path) in homes, f"{path.relative_to(PACKAGE)}:{line}: imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_libraries_are_imported_where_they_are_used(path):
    for name, line in imports(path, top_level=True):
        library = name.split(".")[0]
        if library in HEAVY:
            begins = MADE_FOR.get(library, "-")
            allowed = place(path) in ONLY_IN.get(library, ()) or path.stem.startswith(begins)
            assert allowed, f"{path}:{line}: imports {name}"


LIGHT = {
    "import connector_assets": ("dagster", "duckdb", "pyarrow", "pydantic", "httpx", "mcp"),
    "import connector_assets; connector_assets.parse_connector": (
        "dagster",
        "duckdb",
        "pyarrow",
        "mcp",
    ),
    "import connector_assets; connector_assets.HttpRuntime": ("dagster", "duckdb", "pyarrow"),
    "import connector_assets; connector_assets.define_connector": ("dagster", "duckdb", "pyarrow"),
    "import connector_assets.sync": ("dagster", "duckdb", "pyarrow"),
    "import connector_assets.cli": (
        "dagster",
        "duckdb",
        "pyarrow",
        "httpx",
        "mcp",
        "rich.progress",
    ),
}


@pytest.mark.parametrize("code", LIGHT)
def test_a_light_start_brings_nothing_heavy(code):
    assert not loaded_by(code) & set(LIGHT[code])


def test_validate_brings_nothing_heavy(tmp_path):
    (tmp_path / "bad.yaml").write_text("kind: connector\n")
    code = (
        "from connector_assets.cli.app import run\n"
        f"assert run(['validate', {str(tmp_path)!r}]) == 1"
    )
    heavy = {"dagster", "duckdb", "pyarrow", "mcp", "connector_assets.runtime.runtime", "httpcore"}
    assert not loaded_by(code) & heavy


def loaded_by(code):
    code += "\nimport sys; sys.stdout.write('|' + ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("|")[2].split())
