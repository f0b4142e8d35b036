"""What is likely to be wrong in connections, where it stands, and what is not."""

from __future__ import annotations

import pytest

from connector_assets.spec.document import read_connection
from connector_assets.spec.lint.lint import CONNECTION_RULES, lint_connection
from tests.docs.pages import ROOT

CLEAN = """\
kind: connection
version: "1.0"
id: mine
connector: shop
config: {base_url: https://api.example.com, token_kind: bearer, local: "http://localhost:8000"}
vars: {region: eu}
secrets: {token: {env: SHOP_TOKEN}, key: {file: /run/secrets/key}}
streams: {items: {vars: {kind: all}}}
"""

CASES = [
    ("secret-in-config", "token_kind: bearer", "api_key: sk_live_51Habc", "config.api_key"),
    ("secret-in-config", "region: eu", "password: hunter2hunter2", "vars.password"),
    ("secret-in-config", "kind: all", "token: 0123456789abcdef", "streams.items.vars.token"),
    ("plain-http-in-config", "https://api", "http://api", "config.base_url"),
    ("relative-secret-file", "/run/secrets/key", "secrets/key", "secrets.key.file"),
]  # fmt: skip


def found(text):
    return lint_connection(read_connection(text))


def test_the_clean_connection_is_clean():
    assert found(CLEAN) == []


@pytest.mark.parametrize(("rule", "old", "new", "path"), CASES)
def test_a_rule_finds_the_bad_at_its_place_with_a_fix(rule, old, new, path):
    assert old in CLEAN
    text = CLEAN.replace(old, new)
    [one] = found(text)
    assert (one.rule, one.path) == (rule, path)
    line = text.splitlines()[one.line - 1]
    assert line[one.column - 1 :].startswith(new.split(": ")[-1])
    assert one.fix


def test_a_comment_allows_a_finding():
    text = CLEAN.replace("secrets:", "# lint: allow relative-secret-file (CI runs here)\nsecrets:")
    assert found(text.replace("/run/secrets/key", "key")) == []


def test_every_rule_has_a_case_and_says_what_it_finds():
    assert {rule.id for rule in CONNECTION_RULES} == {case[0] for case in CASES}
    assert all(rule.about.endswith((".", ":")) for rule in CONNECTION_RULES)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "connections").glob("*.yaml")), ids=lambda p: p.name
)
def test_the_connections_of_this_project_are_clean(path):
    assert [one for one in found(path.read_text("utf-8")) if one.level != "info"] == []
