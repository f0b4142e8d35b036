"""`connector-assets fmt`."""

from pathlib import Path

import pytest

SHOP = """\
kind: connector
version: "1.0"
id: shop
displayName: 'Shop'
endpoints:
  - url: https://a.example/list # all
    id: list
read: {primary: list}
"""
DONE = SHOP.replace("'Shop'", "Shop").replace(
    "  - url: https://a.example/list # all\n    id: list\n",
    "  - id: list\n    url: https://a.example/list # all\n",
)


@pytest.fixture
def shop(project):
    file = project / "shop.yaml"
    file.write_text(SHOP)
    file.chmod(0o640)
    return file


def test_a_file_is_rewritten_once(cli, shop):
    assert cli("fmt", shop).out == f"{shop}: rewritten\n"
    assert shop.read_text() == DONE
    assert shop.stat().st_mode & 0o777 == 0o640
    assert cli("fmt", "--check", shop.parent).out == f"{shop}: ok\n"


def test_check_fails_and_changes_nothing(cli, shop):
    done = cli("fmt", "--check", shop)
    assert (done.code, done.out) == (1, f"{shop}: would be rewritten\n")
    assert shop.read_text() == SHOP


def test_a_file_that_is_not_valid_is_left_and_the_others_done(cli, shop):
    bad = shop.with_name("bad.yaml")
    for text in ("kind: connector\nversion: '1.0'\n", "a: [", "\0", "a: &a [*a]", "x" * (1 << 21)):
        bad.write_text(text)
        shop.write_text(SHOP)
        done = cli("fmt", bad, shop)
        assert done.code == 1
        assert "bad.yaml" in done.err
        assert bad.read_text() == text
        assert shop.read_text() == DONE


def test_a_component_is_passed_over(cli, project):
    file = project / "defs.yaml"
    file.write_text("type: connector_assets.ConnectorComponent\nattributes: {connector: shop}\n")
    assert "passed over" in cli("fmt", file).out


ROOT = Path(__file__).parents[2]
OURS = [
    path
    for folder in (
        "specs",
        "specs/catalogue",
        "connections",
        "pictures/project/specs",
        "pictures/project/connections",
    )
    for path in sorted((ROOT / folder).glob("*.yaml"))
    if path.name != "salesforce_rest.yaml"  # is the founding example, letter for letter
]


@pytest.mark.parametrize("path", OURS, ids=[str(one.relative_to(ROOT)) for one in OURS])
def test_our_own_documents_are_in_their_form(path):
    from connector_assets.authoring.formatted import formatted

    assert formatted(path.read_bytes(), source=str(path)) == path.read_text(), (
        "run: connector-assets fmt"
    )
