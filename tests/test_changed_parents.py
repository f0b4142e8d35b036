"""Streams read only for the parents that changed: less is asked, and the table ends the same."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector_assets.errors import ConnectorError
from connector_assets.load import items
from connector_assets.load.items import FEW
from connector_assets.reading import batches
from tests.shop import shop_spec
from tests.spec.documents import faults
from tests.timeline import Project

SPEC = shop_spec("""
auth: [{type: none}]
defaults: {responseRowsPath: rows, retry: {maxAttempts: 1}}
endpoints:
  - {id: accounts, url: https://api.example.com/accounts}
  - id: orders
    url: "https://api.example.com/accounts/{{account_id}}/orders"
    pagination: {type: cursor, cursorField: next, maxPages: unlimited}
read:
  streams:
    - {name: accounts, primaryKey: [id]}
    - name: orders
      primaryKey: [account, id]
      writeMode: merge
      forEach: [{parent: {stream: accounts, field: id, as: account_id, changed: version}}]
""")
CURSOR = SPEC.replace("changed: version", "changed: true").replace(
    "{name: accounts, primaryKey: [id]}",
    "{name: accounts, primaryKey: [id], incremental: {cursorField: version}}",
)


class Shop:
    """Accounts, each with a version and the orders it had then, two a page."""

    def __init__(self, accounts=3):
        self.versions = dict.fromkeys(range(accounts), 1)
        self.fails_at = self.refused = None
        self.asked = []

    def __call__(self, path, query):
        if path == "/accounts":
            return {"rows": [{"id": n, "version": v} for n, v in self.versions.items()]}
        account, page = int(path.split("/")[2]), int(query.get("cursor", 0))
        self.asked.append(account)
        if (account, page) == self.refused:
            return 404, {}
        if self.fails_at is not None:
            self.fails_at -= 1
            if self.fails_at < 0:
                return 404, {}
        version = self.versions[account]
        rows = [{"account": account, "id": n, "version": version} for n in range(2 + version)]
        more = len(rows) > 2 * page + 2
        return {"rows": rows[2 * page : 2 * page + 2], "next": str(page + 1) if more else None}

    def took(self):
        """The accounts asked for since the last look."""
        asked, self.asked = self.asked, []
        return sorted(set(asked))

    def rows(self, accounts):
        return sorted(
            (a, n, self.versions[a]) for a in accounts for n in range(2 + self.versions[a])
        )


ROWS = "select account, id, version from shop.orders order by all"


@pytest.fixture
def shop(tmp_path):
    made = Project(tmp_path, SPEC, Shop())
    made.load("accounts")
    made.load("orders")
    assert made.answer.took() == [0, 1, 2]
    return made


def again(shop, **given):
    shop.load("accounts")
    loaded = shop.load("orders", **given)
    return shop.answer.took(), loaded


def test_unchanged_parents_are_not_asked_for_again(shop):
    asked, loaded = again(shop)
    assert (asked, loaded.loaded.received, loaded.loaded.rows) == ([], 0, 9)


@pytest.fixture(params=[FEW, 1], ids=["few", "many"])
def some(request, monkeypatch):
    """Items are few, and a dict; or as if they were many, on disk and in rows of their own."""
    monkeypatch.setattr(items, "FEW", request.param)
    monkeypatch.setattr(batches, "_ITEMS_AT_ONCE", request.param)


@pytest.mark.usefixtures("some")
def test_what_was_known_is_void_where_the_table_was_emptied(shop):
    shop.load("orders", full=True)
    shop.answer.took()
    with duckdb.connect(str(shop.folder / "data.duckdb")) as db:
        db.execute("delete from shop.orders")
    asked, loaded = again(shop)
    assert (asked, loaded.cursor_before, loaded.cursor_after) == ([0, 1, 2], "3 items", "3 items")
    assert again(shop)[0] == []


@pytest.mark.usefixtures("some")
def test_what_was_known_of_a_parent_that_was_gone_meanwhile_is_void_too(shop):
    with duckdb.connect(str(shop.folder / "data.duckdb")) as db:
        db.execute("delete from shop.orders")
    version = shop.answer.versions.pop(2)
    assert again(shop)[0] == [0, 1]
    shop.answer.versions[2] = version
    assert again(shop)[0] == [2]


@pytest.mark.usefixtures("some")
def test_a_run_that_goes_on_leaves_out_what_it_has_staged(shop):
    shop.answer.versions = dict.fromkeys(range(3), 2)
    shop.load("accounts")
    shop.answer.refused = (1, 1)  # accounts are read side by side: not the n-th request of all
    with pytest.raises(ConnectorError, match="404"):
        shop.load("orders")
    shop.answer.refused = None
    assert shop.answer.took()[0] == 0
    shop.load("orders")
    assert shop.answer.took() == [1, 2]
    assert shop.table(ROWS) == shop.answer.rows(range(3))


@pytest.mark.parametrize("count", [3, 2 * FEW])
def test_what_was_staged_after_other_positions_is_of_another_run(shop, count):
    reading = shop.connection.open("orders")
    both = [
        replace(reading, cursor=items.collected((f"[{n}]", last) for n in range(count)))
        for last in (1, 1, 2)
    ]
    prints = [shop.connection.fingerprint(one) for one in both]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.usefixtures("some")
def test_a_spec_that_no_longer_goes_by_changes_makes_them_void(shop):
    shop.load("orders", full=True)
    shop.use(SPEC.replace(", changed: version", ""))
    again(shop)
    assert not any("parent" in entry for entry in shop.cursor("orders").values())
    shop.use(SPEC)
    assert again(shop)[0] == [0, 1, 2]


def test_a_parent_that_changed_or_is_new_is_read(shop):
    shop.answer.versions |= {1: 2, 3: 1}
    asked, _ = again(shop)
    assert asked == [1, 3]
    assert shop.table(ROWS) == shop.answer.rows(range(4))


@pytest.mark.parametrize("text", [SPEC, CURSOR])
def test_a_parent_whose_version_goes_back_has_changed(tmp_path, text):
    """A late row, or a restored backup: another value is another row, whichever is higher."""
    shop = Project(tmp_path, text, Shop())
    again(shop)
    shop.answer.versions[0] = 0
    shop.load("accounts", full=True)
    shop.load("orders")
    assert shop.answer.took() == [0]


def test_true_is_the_parents_own_cursor_under_the_tables_name(tmp_path):
    text = CURSOR.replace(
        "cursorField: version}", "cursorField: version}, fields: {rename: {version: v}}"
    )
    shop = Project(tmp_path, text, Shop())
    assert again(shop)[0] == [0, 1, 2]
    shop.answer.versions[2] = 5
    assert again(shop)[0] == [2]


def test_a_parent_without_a_value_is_read_each_time(shop):
    shop.answer.versions[1] = None
    shop.answer.rows = lambda *_: []
    shop.answer.__class__ = type("Odd", (Shop,), {"__call__": _with_null})
    assert again(shop)[0] == [1]
    assert again(shop)[0] == [1]


def _with_null(self, path, query):
    if path == "/accounts":
        return {"rows": [{"id": n, "version": v} for n, v in self.versions.items()]}
    self.asked.append(int(path.split("/")[2]))
    return {"rows": []}


def test_full_and_a_dropped_table_read_every_parent(shop):
    assert again(shop, full=True)[0] == [0, 1, 2]
    assert again(shop)[0] == []
    with duckdb.connect(str(shop.folder / "data.duckdb")) as db:
        db.execute("drop table shop.orders")
    assert again(shop)[0] == [0, 1, 2]
    assert shop.table(ROWS) == shop.answer.rows(range(3))


def test_another_spec_reads_every_parent(shop):
    shop.use(
        SPEC.replace(
            "      writeMode: merge", "      writeMode: merge\n      fields: {add: {n: 1}}"
        )
    )
    assert again(shop)[0] == [0, 1, 2]


def test_what_was_known_is_void_after_a_load_that_did_not_heed_it(shop):
    """The table then has rows of the parents as they were at that load."""
    shop.use(SPEC.replace(", changed: version", ""))
    shop.answer.versions[1] = 2
    again(shop)
    shop.use(SPEC)
    shop.answer.versions[1] = 1
    assert 1 in again(shop)[0]


def test_an_item_that_is_skipped_is_asked_for_again(shop):
    text = SPEC.replace("      writeMode: merge", "      writeMode: merge\n      onItemError: skip")
    shop.use(text)
    shop.answer.versions[0] = 2
    shop.answer.fails_at = 0
    assert again(shop)[1].stats.failed_items > 0
    shop.answer.fails_at = None
    assert 0 in again(shop)[0]


def test_each_item_keeps_its_cursor_beside(tmp_path):
    more = "writeMode: merge\n      incremental: {cursorField: id, startParam: since}"
    shop = Project(tmp_path, SPEC.replace("writeMode: merge", more), Shop())
    again(shop)
    shop.answer.versions[1] = 2
    shop.asked.clear()
    assert again(shop)[0] == [1]
    assert [one["since"] for one in shop.asked if "orders" in one["path"]][:1] == ["2"]
    assert shop.table(ROWS)[-1] == (2, 2, 1)


def test_a_run_goes_on_though_parents_changed_meanwhile(shop):
    """The item that was being read is begun anew, as its first pages may be of before."""
    shop.answer.versions = dict.fromkeys(range(3), 4)
    shop.load("accounts")
    shop.answer.fails_at = 4  # in the second account
    with pytest.raises(ConnectorError, match="404"):
        shop.load("orders")
    shop.answer.fails_at = None
    shop.answer.took()
    del shop.answer.versions[0]
    shop.answer.versions |= {1: 6, 5: 1}
    shop.load("accounts")
    shop.load("orders")
    assert shop.table("select * from (" + ROWS + ") where account > 0") == shop.answer.rows(
        [1, 2, 5]
    )
    assert shop.answer.took() == [1, 2, 5]
    assert again(shop)[0] == []


STEP = st.one_of(
    st.tuples(st.just("change"), st.integers(0, 3), st.integers(0, 4)),
    st.tuples(st.just("parents")),
    st.tuples(st.just("children"), st.none() | st.integers(0, 6)),
)


@settings(max_examples=4, deadline=None)
@given(st.lists(STEP, max_size=14), st.sampled_from([SPEC, CURSOR]), st.sampled_from([FEW, 1]))
def test_over_any_timeline_the_table_ends_as_a_full_reading(timeline, text, few):
    """Parents change, are loaded, and children are read, in any order; reads break off anywhere.

    Positions are one value, or as of many items, on disk and in rows of their own.
    """
    with tempfile.TemporaryDirectory() as folder, patch.object(items, "FEW", few):
        shop = Project(Path(folder), text, Shop())
        shop.load("accounts")
        for what, *how in timeline:
            if what == "change":
                number, by = how
                shop.answer.versions[number] = shop.answer.versions.get(number, 0) + by
            elif what == "parents":
                shop.load("accounts")
            else:
                _children(shop, *how)
        again(shop)
        assert shop.table(ROWS) == shop.answer.rows(shop.answer.versions)
        assert again(shop)[0] == []


def _children(shop, fails_at):
    shop.answer.fails_at = fails_at
    try:
        shop.load("orders")
    except ConnectorError:
        assert fails_at is not None
    finally:
        shop.answer.fails_at = None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "changed: version",
            "changed: true",
            "read.streams.1.forEach.0.parent.changed: compares the parent's cursor, and the parent has no incremental; name a field",
        ),
        (
            "writeMode: merge",
            "writeMode: replace",
            "read.streams.1.writeMode: must be merge, so that rows of unchanged parents stay",
        ),
        (
            "writeMode: merge",
            'incremental: {cursorField: at, startParam: s, start: "2024-01-01", format: iso, window: P1D}',
            "read.streams.1.incremental.window: is not for a stream that reads changed parents only; remove either",
        ),
    ],
)  # fmt: skip
def test_where_it_cannot_be_meant_it_is_a_fault(old, new, said):
    assert [str(fault) for fault in faults(SPEC.replace(old, new))] == [said]
