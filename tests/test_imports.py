"""Which room may import which, and what stays out of a light start."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "connector_assets"
ONLY_IN = {
    "dagster": {"assets", "definitions", "plugins/kafka/assets"},
    "mcp": {"authoring"},
    "pydantic_ai": {"authoring"},
    "typer": {"cli"},
    "rich": {"cli"},
}
# Modules that are themselves imported where they are used: they may begin with their library.
MADE_FOR = {
    "redis": {"redis_state"},
    "psycopg": {"postgres_state", "postgres"},
    "dlt": {"dlt"},
    "pyarrow": {"sql", "snowflake"},
    "snowflake": {"snowflake"},
    "pydantic_ai": {"by_model"},
}
HEAVY = ("duckdb", "pyarrow", "dagster", "mcp", "dlt", "psycopg", "redis", "pydantic_ai")


@cache
def modules():
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@cache
def imports(path, *, top_level=False):
    """The names of the modules that a file imports, each with its line.

    `from connector_assets.cli import output` names `connector_assets.cli.output`.
    """
    return list(_imports(path, top_level=top_level))


def _imports(path, *, top_level):
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            found = [name for name in names if (ROOT / f"{name.replace('.', '/')}.py").exists()]
            yield from ((name, node.lineno) for name in found or [node.module])


def place(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@dataclass(frozen=True)
class Room:
    """A line of the map in CONTRIBUTING.md."""

    modules: tuple[str, ...]
    may_import: tuple[str, ...]


ROW = re.compile(r"^\| (`[^|]+`) \|[^|]+\|([^|]*)\|$", re.MULTILINE)
ROOMS = [
    Room(tuple(re.findall("`(.+?)`", first)), tuple(re.findall("`(.+?)`", last)))
    for first, last in ROW.findall((ROOT / "CONTRIBUTING.md").read_text("utf-8"))
]


def is_in(module, name):
    return module == name or module.startswith(f"{name}/")


@cache
def room(module):
    """The line that has `module`, as in `spec/names/url`."""
    found = [one for one in ROOMS if any(is_in(module, name) for name in one.modules)]
    assert len(found) == 1, f"{module}: give it a room in CONTRIBUTING.md, where it has {found}"
    return found[0]


def module_of(path):
    return str(path.relative_to(PACKAGE).with_suffix("")).removesuffix("/__init__")


def ours(path):
    """The modules of ours that a file imports, as in `spec/names/url`, each with its line."""
    for name, line in imports(path):
        if name.startswith("connector_assets."):
            yield name.removeprefix("connector_assets.").replace(".", "/"), line


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_what_the_map_says(path):
    if module_of(path) in ("spec", "runtime", "load"):
        assert not path.read_text()
        return
    own = room(module_of(path))
    for name, line in ours(path):
        if room(name) != own:
            allowed = any(is_in(name, one) for one in own.may_import)
            allowed |= any(one in room(name).modules for one in own.may_import)
            assert allowed, f"{path.relative_to(PACKAGE)}:{line}: imports {name}"


def test_the_map_has_no_circles_and_says_no_more_than_there_is():
    above = []
    for one in ROOMS:
        for name in one.may_import:
            assert [other for other in above if is_in(other, name)], f"{one.modules}: {name}"
        above += one.modules
        paths = [path for path in modules() if any(is_in(module_of(path), n) for n in one.modules)]
        used = {name for path in paths for name, _ in ours(path)}
        for name in one.may_import:
            asked = (
                [name] if "/" not in name else next(r for r in ROOMS if name in r.modules).modules
            )
            assert [module for module in used if any(is_in(module, a) for a in asked)], (
                f"{one.modules} import nothing of {name}"
            )


def test_no_module_imports_itself_through_others():
    """Also where an import stands in a function or is for types only: such hide a circle."""
    graph = {module_of(path): {name for name, _ in ours(path)} for path in modules()}
    while leaves := [name for name, known in graph.items() if not known & graph.keys()]:
        for name in leaves:
            del graph[name]
    assert not graph, "these import each other, or what does"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_library_is_imported_in_its_room_only(path):
    for name, line in imports(path):
        homes = ONLY_IN.get(name.split(".")[0], {place(path)})
        assert {place(path), module_of(path)} & homes, (
            f"{path.relative_to(PACKAGE)}:{line}: imports {name}"
        )


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_libraries_are_imported_where_they_are_used(path):
    for name, line in imports(path, top_level=True):
        library = name.split(".")[0]
        if library in HEAVY:
            homes = ONLY_IN.get(library, MADE_FOR.get(library, set()))
            allowed = homes & {*path.relative_to(PACKAGE).with_suffix("").parts}
            assert allowed, f"{path}:{line}: imports {name}"


LIGHT = {
    "import connector_assets": ("dagster", "duckdb", "pyarrow", "pydantic", "httpx", "mcp"),
    "import connector_assets; connector_assets.parse_connector": (
        "dagster",
        "duckdb",
        "pyarrow",
        "httpx",
        "mcp",
    ),
    "import connector_assets; connector_assets.HttpRuntime": ("dagster", "duckdb", "pyarrow"),
    "import connector_assets; connector_assets.define_connector": ("dagster", "duckdb", "pyarrow"),
    "import connector_assets.plugins.kafka.connector": (
        "dagster",
        "duckdb",
        "pyarrow",
        "confluent_kafka",
        "fastavro",
    ),
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


def test_validate_of_one_spec_imports_what_reads_a_spec_and_no_more():
    spec = ROOT / "specs/catalogue/github.yaml"
    code = f"from connector_assets.cli.app import run\nassert run(['validate', {str(spec)!r}]) == 0"
    loaded = loaded_by(code)
    assert not loaded & {"httpx", "rich", "filelock", "sqlite3"}
    rooms = ("reading", "runtime", "load", "plugins", "sync", "cli.project", "spec.connection")
    ours = [f"connector_assets.{name}" for name in rooms]
    assert not [name for name in loaded if any((name + ".").startswith(f"{one}.") for one in ours)]


def loaded_by(code):
    code += "\nimport sys; sys.stdout.write('|' + ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("|")[2].split())
