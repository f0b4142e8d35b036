"""What the pages show is true: documents parse, links lead somewhere, dependencies are explained."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml

from connector_assets import parse_connector
from connector_assets.spec.document import parse_connection, read_connection, read_connector
from connector_assets.spec.lint.lint import at_or_above, lint, lint_connection
from tests.docs.pages import ROOT, Block, all_pages, blocks

DOCUMENTS = [
    block
    for page in all_pages()
    for block in blocks(page, "yaml")
    if "\nkind:" in f"\n{block.text}"
]
_LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(#[^)\s]*)?\)")


@pytest.mark.parametrize("block", DOCUMENTS, ids=str)
def test_a_document_that_is_shown_is_valid(block: Block) -> None:
    parse = parse_connector if "kind: connector" in block.text else parse_connection
    parse(block.text, source=str(block))


@pytest.mark.parametrize("block", DOCUMENTS, ids=str)
def test_a_document_that_is_shown_passes_lint(block: Block) -> None:
    if "kind: connector" in block.text:
        found = lint(read_connector(block.text))
    else:
        found = lint_connection(read_connection(block.text))
    assert [str(one.fault) for one in at_or_above(found, "warning")] == []


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target, anchor in _LINK.findall(page.read_text()):
        leads_to = (page.parent / target).resolve() if target else page
        assert leads_to.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(leads_to), f"{page.name}: {target}{anchor}"


def test_the_index_names_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / target).resolve() for target, _ in _LINK.findall(index.read_text())}
    pages = {page for page in all_pages() if page.parent.name not in ("adr", ROOT.name)} - {index}
    assert sorted(str(page) for page in pages - linked) == []


def test_the_paginations_that_are_shown_are_those_of_the_specs() -> None:
    shown = [yaml.safe_load(b.text) for b in blocks(ROOT / "docs/how-to/pagination.md", "yaml")]
    specs = [
        yaml.safe_load((ROOT / "specs" / "catalogue" / f"{n}.yaml").read_text())
        for n in ("stripe", "hubspot")
    ]
    for example, spec in zip(shown, specs, strict=True):
        assert example.items() <= spec["defaults"]["pagination"].items()


def test_every_dependency_has_a_line_that_says_why() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    names = {re.split(r"[\[<>=~! ]", one)[0] for one in wanted} - {"connector-assets"}
    page = (ROOT / "docs" / "dependencies.md").read_text()
    assert sorted(name for name in names if not re.search(rf"\b{re.escape(name)}\b", page)) == []


def test_every_target_of_the_makefile_says_what_it_does() -> None:
    lines = (ROOT / "Makefile").read_text().splitlines()
    targets = [line for line in lines if re.match(r"[a-z-]+:", line)]
    assert [line for line in targets if "## " not in line] == []


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {"#" + re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
