"""What a stranger's patterns may cost: time that grows with the text, and no faster."""

from __future__ import annotations

import pytest

from connector_assets.spec.connector import ConfigField
from connector_assets.spec.document import parse_connector
from connector_assets.spec.stream.cursor import Unreadable
from connector_assets.spec.stream.incremental import Incremental
from connector_assets.spec.templates.template import without_expressions
from connector_assets.spec.values import config_values, typed
from tests.spec.documents import lines, with_

PATTERN = "config: {name: {type: string, pattern: '%s'%s}}\nread:"


def test_a_pattern_holds_for_the_whole_value():
    field = ConfigField(pattern="[a-z]+")
    assert typed("name", "abc", field) == "abc"
    with pytest.raises(ValueError, match=r'^"name" must match \[a-z\]\+$'):
        typed("name", "abc1", field)


def test_a_hostile_pattern_comes_back():
    """Python's `re` would try every split of the text, for longer than anyone lives."""
    spec = parse_connector(with_("read:", PATTERN % ("(a+)+b", "")))
    with pytest.raises(ValueError, match="must match"):
        config_values(spec, {"name": "a" * 5_000})


def test_a_hostile_default_comes_back_as_a_fault():
    text = with_("read:", PATTERN % ("(a|a)*b", ", default: " + "a" * 200))
    assert lines(text) == ["config.name.default: must match (a|a)*b"]


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\\1", "a{999}{9}", "(.{99}){99}"])
def test_a_pattern_that_has_no_such_bound_is_a_fault(pattern):
    (line,) = lines(with_("read:", PATTERN.replace("'%s'", '"%s"') % (pattern, "")))
    assert line.startswith("config.name.pattern: is ")


@pytest.mark.parametrize("head", ["{{", "{{ x ", "{{x}}{{"])
def test_a_url_of_braces_is_looked_at_once(head):
    """A search that began anew at each of them took half a minute for a tenth of the limit."""
    url = "https://api.example.com/" + head * 50_000
    assert lines(with_("https://api.example.com/v1/items", f'"{url}"'))[0].startswith(
        "endpoints.0.url"
    )


def test_expressions_are_replaced_one_by_one():
    assert without_expressions("/a/{{b}}/{{ c }}}/{{", "x") == "/a/x/x}/{{"


@pytest.mark.parametrize("text", ["2024-01-02", " " * 1_000_000 + "x"])
def test_a_strptime_pattern_that_no_text_has_is_not_fatal(text):
    """A directive twice is a pattern that Python refuses in its own way."""
    incremental = Incremental(cursorField="at", cursorFormat="%Y-%Y %m")
    with pytest.raises(Unreadable, match="is not written as cursorFormat %Y-%Y %m says"):
        incremental.position(text)
