"""The page on third-party servers shows the figures that their tests hold."""

from __future__ import annotations

from tests.docs.pages import ROOT
from tests.third_party.servers import table

PAGE = ROOT / "docs" / "explanation" / "tested-against.md"


def test_the_table_is_what_the_tests_hold():
    assert table() in PAGE.read_text("utf-8")
