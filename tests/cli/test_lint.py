"""`connector-assets lint`: findings at their places, and when it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import SHOP

ROOT = Path(__file__).parents[2]


@pytest.fixture
def spec(project):
    path = project / "shop.yaml"
    path.write_text(
        SHOP.replace("{type: cursor, cursorField: next, maxPages: 10}", "{type: offset}")
    )
    return path


def test_a_finding_shows_its_place_its_line_a_caret_and_a_fix(cli, spec):
    done = cli("lint", "shop.yaml", "--level", "error")
    assert done.code == 0
    assert (
        "shop.yaml:11:15: defaults.pagination: stops at 100 pages, and a load with more of them "
        "fails; set maxPages: unlimited, or a number that is never reached [warning: page-cap]\n"
        "      pagination: {type: offset}\n"
        "                  ^\n"
    ) in done.err


@pytest.mark.parametrize(("level", "code"), [("info", 1), ("warning", 1), ("error", 0)])
def test_it_fails_from_the_level_on(cli, spec, level, code):
    assert cli("lint", "shop.yaml", "--level", level).code == code


def test_json_is_for_machines(cli, spec):
    done = cli("lint", "shop.yaml", "--json")
    findings = json.loads(done.out)
    assert (done.code, done.err) == (1, "")
    assert {tuple(one) for one in findings} == {
        ("file", "rule", "level", "path", "message", "fix", "line", "column")
    }
    assert {"page-cap", "no-stop-rule"} <= {one["rule"] for one in findings}


def test_a_fault_is_an_error(cli, spec):
    spec.write_text("kind: connector\n")
    done = cli("lint", "shop.yaml", "--level", "error", "--json")
    assert done.code == 1
    assert {(one["rule"], one["level"]) for one in json.loads(done.out)} == {("invalid", "error")}


def test_what_is_clean_is_ok(cli, project):
    mine = 'kind: connection\nversion: "1.0"\nid: mine\nconnector: shop\n'
    (project / "mine.yaml").write_text(mine)
    done = cli("lint", "mine.yaml", ROOT / "specs/catalogue/stripe.yaml")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("mine.yaml: ok\n")


def test_the_reference_of_lint_is_up_to_date(cli):
    page = (ROOT / "docs/reference/lint.md").read_text()
    assert page == cli("docs", "lint").out, (
        "run: connector-assets docs lint > docs/reference/lint.md"
    )
