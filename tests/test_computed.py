"""Streams that compute on their rows, from a loopback API into a DuckDB file."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest

from connector_assets.errors import ConnectorError, SpecError
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.project.connection import Connection
from connector_assets.reading.yaml_connector import YamlConnector
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import parse_connector
from tests.loopback import serving
from tests.shop import shop_spec
from tests.syncing import sync

SPEC = shop_spec("""
config: {region: {}}
endpoints:
  - id: orders
    url: "{{base_url}}/orders"
    responseRowsPath: rows
    pagination: {type: offset, pageSize: 3}
read:
  streams:
    - name: orders
      primaryKey: [id]
      expand: lines
      where: "{{record.lines.n > 0}}"
      fields:
        add: {region: "{{config.region}}", id: "{{record.Id ~ '-' ~ record.lines.sku}}"}
        cast: {amount: decimal, created: epoch}
        mask: {email: sha256}
        remove: [Id]
        rename: {lines.sku: sku, lines.n: count}
""")
ORDERS = [
    {
        "Id": n,
        "amount": f"{n}.10",
        "created": 1700000000 + n,
        "email": f"{n}@b.example",
        "lines": [{"sku": "a", "n": 0}, {"sku": "b", "n": n % 2}],
    }
    for n in range(7)
]


def answer(request):
    offset, limit = int(request.query["offset"]), int(request.query["limit"])
    return {"rows": ORDERS[offset : offset + limit]}


@pytest.fixture
def load(tmp_path):
    with serving(answer) as api, HttpRuntime([api.host]) as runtime:
        destination = DuckDBDestination(tmp_path / "d.duckdb")

        def run(text=SPEC):
            connector = YamlConnector(parse_connector(text), runtime)
            environ = {"SHOP__BASE_URL": api.origin, "SHOP__REGION": "eu"}
            connection = Connection("shop", connector, environ=environ)
            return sync(connection, "orders", destination, staging=tmp_path / "staging")

        def query(sql):
            with duckdb.connect(str(tmp_path / "d.duckdb"), read_only=True) as db:
                return db.sql(sql).fetchall()

        run.query, run.api = query, api
        yield run


def test_pages_are_counted_before_rows_are_expanded_and_dropped(load):
    result = load()
    assert len(load.api.seen) == 4  # the short page is verified
    assert (result.stats.rows, result.loaded.received, result.loaded.rows) == (7, 3, 3)
    assert load.query("select id, region, amount, sku, count from shop.orders order by id") == [
        (f"{n}-b", "eu", Decimal(f"{n}.10"), "b", 1) for n in (1, 3, 5)
    ]
    columns = dict(load.query("select column_name, data_type from duckdb_columns()"))
    assert columns["amount"] == "DECIMAL(38,9)"
    assert columns["created"].startswith("TIMESTAMP")
    assert all(len(email) == 64 for (email,) in load.query("select email from shop.orders"))


def test_a_decimal_that_the_column_cannot_hold_is_an_error(load):
    load.api.answer = lambda request: {
        "rows": [{**ORDERS[1], "amount": "0.12345678901"}] if request.query["offset"] == "0" else []
    }
    with pytest.raises(ConnectorError, match="not exactly a decimal"):
        load()
    declared = SPEC.replace(
        "expand: lines", "expand: lines\n      columns: {amount: 'decimal(38,12)'}"
    )
    load(declared)
    assert load.query("select amount from shop.orders") == [(Decimal("0.12345678901"),)]


def test_a_row_that_does_not_fit_is_named(load):
    load.api.answer = lambda _: {"rows": [ORDERS[1], {**ORDERS[3], "amount": "1,5"}]}
    with pytest.raises(ConnectorError) as raised:
        load()
    assert str(raised.value) == (
        "shop.orders, row 2 of a page, fields.cast.amount: text is not a decimal"
    )


def test_a_field_that_no_row_has_is_noted(load):
    assert load(SPEC.replace("mask: {email", "mask: {emial")).stats.notes == [
        "fields.mask.emial: no row has this field"
    ]


def test_python_callers_get_the_same_rows(load):
    with HttpRuntime([load.api.host]) as runtime:
        spec = parse_connector(SPEC)
        params = {"base_url": load.api.origin, "region": "us"}
        rows = list(runtime.rows(spec, "orders", params=params))
    assert [(row["id"], row["region"]) for row in rows] == [(f"{n}-b", "us") for n in (1, 3, 5)]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("[id]", "[Id]"), "primaryKey.0: is removed by fields.remove"),
        (("[id]", "[lines.n]"), 'primaryKey.0: is renamed by fields.rename; use "count"'),
        (
            ("expand: lines", "columns: {Id: bigint}"),
            "columns.Id: is removed by fields.remove",
        ),
        (
            ("expand: lines", "incremental: {cursorField: count, startParam: since}"),
            'incremental.cursorField: is the name after fields.rename; the server\'s is "lines.n"',
        ),
        (
            ("lines.n: count", "lines.n: sku"),
            'fields.rename.lines.n: gives the same name as "lines.sku"',
        ),
        (
            ("lines.n: count", "'lines[*].n': count"),
            "fields.rename.lines[*].n: must stay in its object, as * and [*] name many of them",
        ),
        (
            ("{{record.lines.n > 0}}", "{{record.lines.n}} > 0"),
            "where: must be one expression and nothing else, as \"{{ record.x != 'y' }}\"",
        ),
        (
            ("{{config.region}}", "{{config.rgion}}"),
            'fields.add.region: "config.rgion" is not declared; did you mean "region"?',
        ),
    ],
)
def test_what_cannot_work_is_a_fault_of_the_document(change, fault):
    with pytest.raises(SpecError) as raised:
        parse_connector(SPEC.replace(*change))
    assert [str(one) for one in raised.value.faults] == [f"read.streams.0.{fault}"]
