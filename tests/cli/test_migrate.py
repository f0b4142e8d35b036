"""`connector-assets migrate`: shown, checked or written."""

from __future__ import annotations

import pytest

from tests.cli.conftest import SHOP

LOOSE = SHOP.replace('version: "1.0"', "version: 1.0 # the format's")
FIXED = SHOP.replace('version: "1.0"', 'version: "1.0" # the format\'s')


@pytest.fixture
def spec(project):
    path = project / "shop.yaml"
    path.write_text(LOOSE)
    return path


def test_without_an_option_it_shows_the_changes(cli, spec):
    done = cli("migrate", "shop.yaml")
    assert done.code == 0
    assert "\n-version: 1.0 # the format's\n+version: \"1.0\" # the format's\n" in done.out
    assert spec.read_text() == LOOSE


def test_check_fails_and_writes_nothing(cli, spec):
    assert cli("migrate", "shop.yaml", "--check").code == 1
    assert spec.read_text() == LOOSE


def test_write_rewrites_the_file_once(cli, spec, project):
    done = cli("migrate", "shop.yaml", "--write")
    assert (done.code, done.out) == (0, 'shop.yaml: version is written "1.0"\n')
    assert spec.read_text() == FIXED
    assert [one.name for one in project.iterdir()] == ["shop.yaml"]
    again = cli("migrate", "shop.yaml", "--check")
    assert (again.code, again.out) == (0, "shop.yaml: up to date\n")


def test_an_unknown_version_is_said_at_its_place_and_others_go_on(cli, spec, project):
    (project / "new.yaml").write_text(SHOP.replace('"1.0"', '"3.0"'))
    done = cli("migrate", "new.yaml", "shop.yaml", "--write")
    assert done.code == 1
    assert done.err.startswith("new.yaml:3:10: version: is not a version this build can migrate")
    assert spec.read_text() == FIXED


def test_check_and_write_exclude_each_other(cli, spec):
    assert cli("migrate", "shop.yaml", "--check", "--write").code == 2
