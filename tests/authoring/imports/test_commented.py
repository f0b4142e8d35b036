"""What drafts are written in: YAML that says the data, whatever a stranger wrote into it."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from connector_assets.authoring.imports.commented import (
    LONGEST_COMMENT,
    Noted,
    bare,
    comment,
    to_yaml,
)
from connector_assets.spec.yaml.yaml_source import read_yaml

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(TEXTS, DATA, min_size=1, max_size=5), TEXTS)
def test_what_is_written_reads_back_as_it_was_with_a_comment_anywhere(data, said):
    noted = {key: Noted(one, why=said, open=[said], above=[said]) for key, one in data.items()}
    assert bare(noted) == data
    text = to_yaml(noted, head=[said])
    assert read_yaml(text).data == data
    assert yaml.safe_load(text.replace("\ufeff", "")) is not None


@pytest.mark.parametrize(
    "hostile",
    [
        "a\nid: other",
        "a\r\nid: other",
        "a\x85id: other",
        "a\u2028id: other",
        "a # lint: allow page-cap",
        "\x1b[2Jgone",
        "a" * 5_000,
        "---\n...",
        "# yaml-language-server: $schema=https://evil.example/x",
    ],
)
def test_no_text_gets_out_of_its_comment(hostile):
    noted = {
        "id": Noted("mine", why=hostile, open=[hostile]),
        "list": [Noted({"a": Noted(1, hostile)})],
    }
    text = to_yaml(noted, head=[hostile])
    assert read_yaml(text).data == {"id": "mine", "list": [{"a": 1}]}
    assert "#" not in comment(hostile)
    assert len(comment(hostile)) <= LONGEST_COMMENT
    assert "\x1b" not in text


def test_words_of_other_yaml_versions_and_what_is_no_word_are_quoted():
    values = ["no", "Off", "2024-01-01", "1_000", "0x10", "~", "", " a", "*x", "{{a}}", "null", "y"]
    assert [line for line in to_yaml({"a": values}).splitlines() if "a: [" in line] == [
        'a: ["no", "Off", "2024-01-01", "1_000", "0x10", "~", "", " a", "*x", "{{a}}", "null", "y"]'
    ]


def test_a_comment_stands_beside_its_line_and_a_question_above_it():
    data = {"pagination": Noted({"type": "none"}, why="nothing found", open=["say how it goes on"])}
    assert to_yaml({"endpoints": [data]}) == (
        "endpoints:\n  # TODO: say how it goes on\n  - pagination: {type: none} # nothing found\n"
    )
