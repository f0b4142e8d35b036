"""Positions of items on disk: a mapping like any other, in memory that does not grow."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_assets.errors import LoadError
from connector_assets.load import items
from connector_assets.load.items import FEW, ItemPositions, collected
from connector_assets.load.table import Cursor

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
POSITIONS = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON)


def on_disk(positions: dict[str, object]) -> ItemPositions:
    made = ItemPositions()
    made.update(positions.items())
    return made


@given(POSITIONS, POSITIONS)
def test_it_is_the_mapping_that_a_dict_would_be(before: dict[str, object], more: dict[str, object]):
    made = on_disk(before)
    made.update(more.items())
    expected = {**before, **more}
    assert made == expected
    assert expected == made
    assert dict(made) == {**made} == expected
    assert (list(made), bool(made), len(made)) == (
        sorted(expected, key=str.encode),
        bool(expected),
        len(expected),
    )
    assert list(made.values()) == [made[item] for item in made]
    assert all(item in made for item in expected)
    assert made.get("no such item") is None


@given(POSITIONS, POSITIONS)
def test_two_are_equal_and_of_one_digest_where_dicts_are(
    one: dict[str, object], other: dict[str, object]
):
    assert (on_disk(one) == on_disk(other)) is (one == other)
    assert on_disk(one).digest() == on_disk(dict(reversed(one.items()))).digest()
    assert (on_disk(one).digest() == on_disk({**one, "": "other"}).digest()) is (
        one == {**one, "": "other"}
    )


def test_items_may_be_put_in_while_others_are_looked_at():
    made = on_disk({f"{n:05}": n for n in range(2 * FEW)})
    seen = []
    for item in made:
        seen.append(item)
        made.update([("99999", 1), ("00000", 2)])
    assert seen == [*(f"{n:05}" for n in range(2 * FEW)), "99999"]


@pytest.mark.parametrize("count", [0, 1, FEW, FEW + 1, 2 * FEW])
def test_only_many_are_on_disk(count: int):
    positions = {f"[{n}]": n for n in range(count)}
    made = collected(positions.items())
    assert made == positions
    assert isinstance(made, dict) is (count <= FEW)


def test_what_stays_beside_what_is_added_is_kept():
    assert items.whole(Cursor({"a": 2}, {"a": 1, "b": 1}, adds=True)) == {"a": 2, "b": 1}
    assert items.whole(Cursor({"a": 2}, {"a": 1, "b": 1})) == {"a": 2}
    assert items.whole(Cursor({"a": 2}, None, adds=True)) == {"a": 2}
    assert items.whole(Cursor(3, {"a": 1})) == 3


def test_memory_does_not_grow_with_the_items():
    tracemalloc.start()
    try:
        made = ItemPositions((f"[{n}]", '{"value": 1700000000}') for n in range(50_000))
        assert made["[49999]"] == {"value": 1700000000}
        assert sum(1 for _ in made.values()) == len(made) == 50_000
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_a_full_disk_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(items, "_SCHEMA", items._SCHEMA + "pragma max_page_count = 8;")
    with pytest.raises(LoadError, match=r"positions of items: .*full; see the disk of temporary"):
        on_disk({f"[{n}]": "x" * 100 for n in range(5_000)})
