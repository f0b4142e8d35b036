"""Names of discovered streams, and the lock file as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_assets.errors import SpecError
from connector_assets.load.files.store_names import table_name
from connector_assets.spec.dynamic import (
    Listed,
    Locked,
    clean,
    difference,
    named,
    read_lock,
    write_lock,
)

ROWS = st.lists(
    st.builds(
        Listed,
        st.text(max_size=12),
        st.just("tables"),
        st.fixed_dictionaries({"id": st.integers(0, 9) | st.text(max_size=4)}),
    ),
    max_size=8,
)


@given(ROWS, ROWS)
def test_names_are_clean_and_make_one_table_each(first, second):
    before = named(first)
    after = named([*second, *first], before, ["taken"])
    tables = [table_name(one.name).casefold() for one in after]
    assert len(set(tables)) == len(tables)
    assert "taken" not in tables


@given(ROWS)
def test_the_order_of_the_server_changes_nothing(rows):
    assert named(rows) == named(rows[::-1])
    assert named(rows, named(rows)) == named(rows)


@pytest.mark.parametrize(
    ("raw", "name"),
    [("Leads", "Leads"), ("a b/c", "a_b_c"), ("../x", "x"), ("日本", "stream"), ("", "stream")],
)
def test_a_name_holds_only_what_a_stream_may(raw, name):
    assert clean(raw) == name


def test_a_renamed_table_is_a_new_stream():
    before = named([Listed("a", "t", {"id": 1})])
    after = named([Listed("b", "t", {"id": 1})], before)
    assert difference(before, after) == [
        '- {"name": "a", "from": "t", "vars": {"id": 1}}',
        '+ {"name": "b", "from": "t", "vars": {"id": 1}}',
    ]


@pytest.mark.parametrize(
    "value", ["1e3", "no", "'\"", "a: b # c", "2024-01-01", 7, True, None, "ü\n"]
)
def test_a_lock_file_gives_back_what_was_written(tmp_path, value):
    path = tmp_path / "a.lock.yaml"
    stream = Locked.model_validate({"name": "s", "from": "t", "vars": {"id": value}})
    write_lock(path, "one", [stream])
    write_lock(path, "two", [])
    assert read_lock(path).connections == {"one": (stream,), "two": ()}


@pytest.mark.parametrize(
    "text", ["- a\n", "kind: lock\n", "kind: connector\nversion: '1.0'\n", "{"]
)
def test_what_is_no_lock_is_refused(tmp_path, text):
    path = tmp_path / "a.lock.yaml"
    path.write_text(text)
    with pytest.raises(SpecError):
        read_lock(path)
