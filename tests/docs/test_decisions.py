"""The index of decisions says of each what its own page says."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT

FOLDER = ROOT / "docs" / "adr"
HEAD = re.compile(r"# (\d+)\. (.+)\n\nStatus: ([\w ]+), (\d{4}-\d\d-\d\d)\n")


def test_the_index_names_every_decision_with_its_status_and_date() -> None:
    rows = []
    for page in sorted(FOLDER.glob("[0-9]*.md")):
        head = HEAD.match(page.read_text("utf-8"))
        assert head, f"{page.name}: begin with `# N. Title` and `Status: accepted, YYYY-MM-DD`"
        number, title, status, date = head.groups()
        assert page.name.startswith(f"{int(number):04}-"), f"{page.name}: is number {number}"
        rows.append(f"| {number} | [{title}]({page.name}) | {status} | {date} |")
    table = (FOLDER / "README.md").read_text("utf-8").partition("|---|---|---|---|\n")[2]
    assert table.splitlines() == rows
