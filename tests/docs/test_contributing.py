"""The page for maintainers names files, functions and targets that are there."""

from __future__ import annotations

import ast
import re

import pytest

from tests.docs.pages import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
WAY = re.findall(r"^\| `([\w/]+\.py)`: ([^|]+) \|", TEXT, re.MULTILINE)
PATHS = re.findall(r"`((?:connector_assets|tests|docs|specs)/[\w./]*)`", TEXT)
TARGETS = {
    name
    for line in re.findall(r"make((?: [\w=.-]+)+)[`:]", TEXT)
    for name in line.split()
    if "=" not in name
}


def defined(source: str) -> set[str]:
    """The classes and functions of a module, a method as `Class.method`."""
    names: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            inner = (one for one in node.body if isinstance(one, ast.FunctionDef))
            names.update(f"{node.name}.{one.name}" for one in inner)
    return names


@pytest.mark.parametrize(("file", "names"), WAY, ids=[file for file, _ in WAY])
def test_the_way_of_a_page_goes_through_what_is_there(file: str, names: str) -> None:
    assert set(re.findall("`(.+?)`", names)) <= defined(
        (ROOT / "connector_assets" / file).read_text("utf-8")
    )


def test_the_way_goes_from_sync_to_the_table() -> None:
    assert len(WAY) > 15
    assert (WAY[0][0], WAY[-1][0]) == ("sync.py", "load/duckdb/write.py")


@pytest.mark.parametrize("path", sorted(set(PATHS)))
def test_a_path_that_is_named_is_there(path: str) -> None:
    assert (ROOT / path).exists()


def test_a_target_that_is_named_is_there() -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {"lint", "test", "reference", "build"} <= TARGETS
    assert known >= TARGETS
