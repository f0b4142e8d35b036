"""`connector-assets agent init`, as it is typed."""

from __future__ import annotations

import json


def test_it_says_what_became_of_each_file(cli):
    done = cli("agent", "init", "--for", "cursor")
    assert done.code == 0
    assert done.out == ".cursor/rules/connector-assets.mdc: written\n"
    again = cli("agent", "init", "--for", "cursor", "--json")
    path = ".cursor/rules/connector-assets.mdc"
    assert json.loads(again.out) == [{"path": path, "state": "unchanged"}]


def test_a_changed_file_is_an_error_that_says_what_to_do(cli, tmp_path):
    cli("agent", "init")
    (tmp_path / "AGENTS.md").write_text(
        (tmp_path / "AGENTS.md").read_text().replace("lint", "Lint")
    )
    done = cli("agent", "init")
    assert done.code == 1
    assert "AGENTS.md: changed or written by somebody" in done.err
    assert "--replace" in done.err
