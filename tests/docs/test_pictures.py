"""The pictures of the pages: each is shown, small, and taken by the script that takes all."""

from __future__ import annotations

import re

import pytest

from connector_assets.project.project import discover
from tests.docs.pages import ROOT, all_pages

PICTURES = sorted((ROOT / "docs" / "img").iterdir())
SCRIPT = (ROOT / "pictures" / "__main__.py").read_text()
SHOWN = {
    (page.parent / path).resolve(): said
    for page in all_pages()
    for said, path in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text())
}


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_picture_is_shown_and_said_and_small_and_taken_by_the_script(path):
    assert path.suffix == ".png"
    assert len(SHOWN[path]) > 30  # what it shows, for whoever cannot see it
    assert path.stat().st_size < 150_000
    assert f'desk.take("{path.stem}"' in SCRIPT


def test_the_project_of_the_pictures_has_no_fault():
    folder = ROOT / "pictures" / "project"
    found = discover(folder / "specs", folder / "connections")
    assert not found.broken
    assert [one.id for one in found.connections] == ["bookshop"]
