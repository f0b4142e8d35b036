"""The reference of the Python API: what is in the repository is what is made, and nothing is bare."""

from __future__ import annotations

import re

import connector_assets
from connector_assets.cli.reference_python import of_python
from tests.docs.pages import ROOT

ENTRY = re.compile(r"^##+ (\S+)\n\n(?:```python\n(?:.+\n)+?```\n\n)?(?=\n|##|\Z)", re.MULTILINE)


def test_the_reference_is_what_the_docstrings_say() -> None:
    made = (ROOT / "docs" / "reference" / "python.md").read_text("utf-8")
    assert made == of_python(), "run: connector-assets docs python > docs/reference/python.md"


def test_every_public_name_and_member_has_a_docstring() -> None:
    assert ENTRY.findall(of_python()) == []


def test_every_public_name_stands_in_it() -> None:
    headings = re.findall(r"^## (\w+)$", of_python(), re.MULTILINE)
    assert headings == connector_assets.__all__


def test_the_founding_call_stands_in_it() -> None:
    assert "### HttpRuntime.execute_endpoint\n" in of_python()
