"""Streams that are read once for each item of a list or of a parent's table."""

from __future__ import annotations

import pytest

from connector_assets.errors import ConfigError, ConnectorError, SpecError
from connector_assets.runtime.walk.slices import items
from connector_assets.spec.document import parse_connector
from connector_assets.spec.stream.for_each import ForEach
from tests.shop import shop_spec
from tests.timeline import Project

SPEC = shop_spec("""
auth: [{type: none}]
config: {regions: {type: list, default: [eu, us]}}
defaults: {responseRowsPath: rows, retry: {maxAttempts: 1}}
endpoints:
  - {id: accounts, url: https://api.example.com/accounts}
  - id: orders
    url: "https://api.example.com/accounts/{{account_id}}/orders"
    params: {name: "{{parent.name}}", region: "{{region | default(none)}}"}
    pagination: {type: cursor, cursorField: next}
read:
  streams:
    - {name: accounts, primaryKey: [id]}
    - name: orders
      primaryKey: [account, id]
      forEach: [{parent: {stream: accounts, field: id, as: account_id, include: [name]}}]
      %s
""")


class Shop:
    """Accounts, each with three pages of two orders."""

    def __init__(self, accounts=3):
        self.accounts = accounts
        self.broken = set()

    def __call__(self, path, query):
        if path == "/accounts":
            return {"rows": [{"id": n, "name": f"a{n}"} for n in range(self.accounts)]}
        account = int(path.split("/")[2])
        page = int(query.get("cursor", 0))
        if account in self.broken:
            return 404, {"error": "gone"}
        rows = [
            {"account": account, "id": page * 2 + n, "name": query.get("name"), "at": page * 2 + n}
            for n in range(2)
        ]
        return {"rows": rows, "next": str(page + 1) if page < 2 else None}


def project(tmp_path, more="", shop=None):
    made = Project(tmp_path, SPEC % more, shop or Shop())
    made.load("accounts")
    return made


def test_every_row_of_the_parent_is_read_in_order_with_its_fields(tmp_path):
    shop = project(tmp_path)
    assert shop.load("orders").loaded.rows == 18
    found = shop.table("select account, id, name from shop.orders order by rowid")
    assert found == [(account, n, f"a{account}") for account in range(3) for n in range(6)]


def test_an_item_is_called_like_the_parents_field_unless_told(tmp_path):
    text = SPEC.replace("field: id, as: account_id", "field: id").replace(
        "{{account_id}}", "{{id}}"
    )
    shop = Project(tmp_path, text % "", Shop(accounts=2))
    shop.load("accounts")
    assert shop.load("orders").loaded.rows == 12


def test_a_child_without_its_parents_table_says_what_to_load(tmp_path):
    shop = Project(tmp_path, SPEC % "", Shop())
    with pytest.raises(
        ConfigError, match='table of its parent "accounts" does not exist; load accounts first'
    ):
        shop.load("orders")  # fmt: skip


def test_a_preview_reads_the_parents_from_the_api(tmp_path):
    shop = Project(tmp_path, SPEC % "", Shop())
    reading = shop.connection.open("orders", preview=True)
    rows = sum(batch.count for batch in shop.connection.connector.read(reading))
    assert rows == 18


def test_a_nested_key_of_the_parent_is_an_item_too(tmp_path):
    class Nested(Shop):
        def __call__(self, path, query):
            if path == "/accounts":
                rows = [
                    {"id": f"x{n}", "ref": {"number": n}, "owner": {"name": f"o{n}"}}
                    for n in range(2)
                ]
                return {"rows": rows}
            return super().__call__(path, query)

    text = SPEC.replace("field: id, as", "field: ref.number, as").replace(
        "include: [name]", "include: [owner.name]"
    )
    shop = Project(
        tmp_path, text.replace("{{parent.name}}", "{{parent.owner.name}}") % "", Nested()
    )
    shop.load("accounts")
    assert shop.load("orders").loaded.rows == 12
    assert shop.table("select distinct account, name from shop.orders order by 1") == [
        (0, "o0"),
        (1, "o1"),
    ]


@pytest.mark.parametrize("field", ['"@id"', '"@ref".number'])
def test_a_key_of_the_parent_may_stand_in_quotes(tmp_path, field):
    class Odd(Shop):
        def __call__(self, path, query):
            if path == "/accounts":
                return {"rows": [{"@id": n, "@ref": {"number": n}, "name": "a"} for n in range(2)]}
            return super().__call__(path, query)

    text = SPEC.replace("field: id, as", f"field: '{field}', as").replace(
        "accounts, primaryKey: [id]", "accounts, primaryKey: ['\"@id\"']"
    )
    shop = Project(tmp_path, text % "", Odd())
    shop.load("accounts")
    assert shop.load("orders").loaded.rows == 12


def test_lists_and_parents_make_a_product(tmp_path):
    text = SPEC.replace(
        "include: [name]}}]", 'include: [name]}}, {values: "{{config.regions}}", as: region}]'
    )
    shop = Project(tmp_path, text % "writeMode: append", Shop(accounts=2))
    shop.load("accounts")
    shop.asked.clear()
    shop.load("orders")
    asked = {(a["path"], a["region"]) for a in shop.asked}
    assert asked == {(f"/accounts/{n}/orders", r) for n in range(2) for r in ("eu", "us")}


def test_an_item_that_fails_is_named_and_fails_the_stream(tmp_path):
    shop = project(tmp_path)
    shop.load("orders")
    shop.answer.broken.add(1)
    with pytest.raises(
        ConnectorError, match=r"account_id=1: GET api\.example\.com/accounts/1/orders: 404"
    ):
        shop.load("orders")  # fmt: skip
    assert shop.table("select count(*) from shop.orders") == [(18,)]


def test_an_item_that_fails_may_be_skipped_and_is_reported(tmp_path):
    shop = project(tmp_path, "onItemError: skip")
    shop.answer.broken.add(1)
    result = shop.load("orders")
    assert result.loaded.rows == 12
    assert result.stats.failed_items == 1
    assert any(note.startswith("skipped account_id=1: ") for note in result.stats.notes)


def test_of_many_skipped_items_some_are_told_and_all_counted(tmp_path):
    shop = project(tmp_path, "onItemError: skip", shop=Shop(accounts=120))
    shop.answer.broken.update(range(120))
    result = shop.load("orders")
    assert result.stats.failed_items == 120
    assert sum(note.startswith("skipped ") for note in result.stats.notes) == 100


def test_a_run_that_dies_goes_on_with_the_item_and_page_it_was_at(tmp_path):
    shop = project(tmp_path)
    shop.answer.broken.add(2)
    with pytest.raises(ConnectorError):
        shop.load("orders")
    shop.answer.broken.clear()
    shop.asked.clear()
    result = shop.load("orders")
    assert result.resumed_rows == 12
    assert {a["path"] for a in shop.asked} == {"/accounts/2/orders"}
    assert result.loaded.rows == 18


def test_no_parents_means_no_rows_and_no_requests(tmp_path):
    shop = project(tmp_path, shop=Shop(accounts=0))
    shop.asked.clear()
    assert shop.load("orders").loaded.rows == 0
    assert shop.asked == []


def test_each_item_has_a_cursor_of_its_own(tmp_path):
    more = "incremental: {cursorField: at, clientFilter: true}"
    shop = project(tmp_path, more)
    shop.load("orders")
    assert shop.cursor("orders") == {f"[{n}]": {"value": 5} for n in range(3)}
    shop.answer.accounts = 4
    shop.load("accounts")
    result = shop.load("orders")
    # One row each of the known accounts stands on the cursor; the new one is read from its start.
    assert result.loaded.received == 3 + 6
    assert result.loaded.rows == 24


def test_thousands_of_parents_are_read_in_parallel_and_in_order(tmp_path):
    shop = project(tmp_path, shop=Shop(accounts=400))
    assert shop.load("orders").loaded.rows == 2400
    found = [row[0] for row in shop.table("select account from shop.orders order by rowid")]
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("each", "message"),
    [
        ("{parent: {stream: nobody, field: id, as: a}}", "nobody"),
        ("{parent: {stream: orders, field: id, as: a}}", "its own ancestor"),
        ("{values: [1]}", "as: is required with values"),
        ("{as: x}", "must hold exactly one of parent, values"),
    ],
)
def test_items_that_cannot_be_are_refused(each, message):
    text = SPEC.replace(
        "{parent: {stream: accounts, field: id, as: account_id, include: [name]}}", each
    )
    with pytest.raises(SpecError) as raised:
        parse_connector(text % "")
    assert any("forEach" in f.path and message in str(f) for f in raised.value.faults)


BATCHES = shop_spec("""
auth: [{type: none}]
defaults: {responseRowsPath: rows, retry: {maxAttempts: 1}}
endpoints:
  - {id: accounts, url: https://api.example.com/accounts}
  - id: orders
    url: https://api.example.com/orders
    params: {of: "{{ item.values | join }}"}
read:
  streams:
    - {name: accounts, primaryKey: [id]}
    - name: orders
      primaryKey: [id]
      forEach: [{parent: {stream: accounts, field: id, as: account}, batch: 2}]
      %s
""")


class Batched:
    """Three accounts, each with one order; the batch that holds account 2 may be broken."""

    def __init__(self):
        self.broken = False

    def __call__(self, path, query):
        if path == "/accounts":
            return {"rows": [{"id": n} for n in range(3)]}
        if self.broken and "2" in query["of"]:
            return 404, {}
        return {"rows": [{"id": int(one), "at": int(one)} for one in query["of"].split(",")]}


def test_a_run_that_dies_goes_on_with_the_batch_it_was_at(tmp_path):
    shop = Project(tmp_path, BATCHES % "", Batched())
    shop.load("accounts")
    shop.answer.broken = True
    with pytest.raises(ConnectorError, match=r"account=\[2\]: GET"):
        shop.load("orders")
    shop.answer.broken = False
    shop.asked.clear()
    assert shop.load("orders").loaded.rows == 3
    assert [one["of"] for one in shop.asked] == ["2"]


def test_each_batch_has_a_cursor_of_its_own(tmp_path):
    more = "incremental: {cursorField: at, clientFilter: true}"
    text = BATCHES.replace(" | join }}", ' | join }}", since: "{{cursor}}')
    shop = Project(tmp_path, text % more, Batched())
    shop.load("accounts")
    shop.load("orders")
    shop.asked.clear()
    shop.load("orders")
    assert {(one["of"], one["since"]) for one in shop.asked} == {("0,1", "1"), ("2", "2")}


def test_the_key_of_a_long_batch_is_short_and_its_own():
    each = ForEach.model_validate(
        {"values": [f"id-{n:06}" for n in range(600)], "as": "x", "batch": 300}
    )
    keys = [item.key for item in items([each], {}, lambda *_: iter(()))]
    assert [len(key) for key in keys] == [64, 64]
    assert len(set(keys)) == 2
