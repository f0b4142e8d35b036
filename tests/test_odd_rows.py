"""Rows with what no table, or not every table, can hold: from the answer to the table."""

from __future__ import annotations

import httpx
import pytest

from connector_assets.errors import ConnectorError
from connector_assets.load.files.folders import LocalFolder
from connector_assets.load.parquet.destination import ParquetDestination
from tests.shop import shop_spec
from tests.timeline import Project

SPEC = shop_spec("""
auth: [{type: none}]
endpoints: [{id: items, url: https://api.example.com/items}]
read:
  streams:
    - name: items
      primaryKey: [id]
      %s
""")
# A row's field `v`, what is said of it, and what the row is where it was set aside.
ODD = [
    (b"NaN", 'column "v" has NaN, which is no JSON number', '{"id":2,"v":"NaN"}'),
    (rb'"\ud800"', 'column "v" has half a character (\\ud800, a surrogate alone)', '{"id":2,"v":"\\\\ud800"}'),
    (b'1,"v":2', 'it has the key "v" twice', '{"id":2,"v":1,"v":2}'),
]  # fmt: skip
# What a stream may do with its rows on the way.
WAYS = [
    "columns: {n: bigint}",
    'fields: {add: {n: "{{ record.id * 2 }}"}}',
    'where: "{{ record.id > 0 }}"',
    'writeMode: merge\n      deletedWhen: "{{ record.id == 9 }}"',
    "writeMode: merge\n      incremental: {cursorField: id, startParam: since}",
    "columns: {v: text, w.x: text}",
]


def shop(folder, stream, body, *, lake=False):
    one = Project(folder, SPEC % stream, lambda *_: httpx.Response(200, content=body))
    if lake:
        one.destination = ParquetDestination(LocalFolder(folder / "lake"))
    return one


@pytest.mark.parametrize("lake", [False, True])
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("way", WAYS)
def test_the_row_is_refused_by_name_or_set_aside(tmp_path, way, odd, lake):
    value, reason, row = odd
    body = b'[{"id":1,"v":0},{"id":2,"v":%b},{"id":3,"v":0}]' % value
    with pytest.raises(ConnectorError) as refused:
        shop(tmp_path, way, body, lake=lake).load("items")
    said = str(refused.value)
    assert "row 2" in said
    assert reason.removeprefix("it ") in said
    assert "set schemaPolicy to quarantine" in said
    one = shop(tmp_path, f"{way}\n      schemaPolicy: quarantine", body, lake=lake)
    assert one.load("items").loaded.rejected == 1
    assert one.table("select id from shop.items order by id") == [(1,), (3,)]
    aside = 'select cast("row" as varchar), reason, row_number from shop.items__rejected'
    assert one.table(aside) == [(row, reason, 2)]


@pytest.mark.parametrize("way", WAYS[1:4])
def test_an_object_with_a_key_twice_is_not_computed_on(tmp_path, way):
    body = b'[{"id":1,"v":{"w":[{"x":1}]}},{"id":2,"v":{"w":[{"x":1,"x":2}]}}]'
    with pytest.raises(ConnectorError, match=r'row 2 of a page has the key "v\.w\.x" twice'):
        shop(tmp_path, way, body).load("items")
    one = shop(tmp_path, f"{way}\n      schemaPolicy: quarantine", body)
    assert one.load("items").loaded.rejected == 1
    assert one.table('select cast("row" as varchar) from shop.items__rejected') == [
        ('{"id":2,"v":{"w":[{"x":1,"x":2}]}}',)
    ]


def test_a_row_that_is_set_aside_shows_nothing_that_is_masked(tmp_path):
    fields = "fields: {mask: {v: nullify, w: sha256}, remove: [x]}"
    body = b'[{"id":1,"v":"s3cret","v":1},{"id":2,"x":"s3cret","w":NaN}]'
    one = shop(tmp_path, f"{fields}\n      schemaPolicy: quarantine", body)
    assert one.load("items").loaded.rejected == 2
    rows = one.table('select cast("row" as varchar) from shop.items__rejected order by row_number')
    assert rows[0] == ('{"id":1,"v":null}',)
    assert "s3cret" not in str(rows)
    assert "NaN" not in str(rows)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("{nul: strip}", [("ab\\u0000", 1.5)]),
        ("{nul: replace}", [("a\ufffdb\\u0000", 1.5)]),
        ("{nul: keep}", [("a\0b\\u0000", 1.5)]),
    ],
)
def test_a_nul_is_taken_out_or_replaced_where_the_stream_says_so(tmp_path, text, rows):
    body = rb'[{"id":1,"v":"a\u0000b\\u0000","n":1.5}]'
    one = shop(tmp_path, f"text: {text}", body)
    one.load("items")
    assert one.table("select v, n from shop.items") == rows


def test_half_characters_and_nan_become_what_the_stream_says(tmp_path):
    body = rb'[{"id":1,"v":"a\ud800b","n":NaN},{"id":2,"v":"\ud83d\ude00","n":2}]'
    one = shop(tmp_path, "text: {surrogates: replace, nan: nullify}", body)
    one.load("items")
    assert one.table("select v, n from shop.items") == [("a\ufffdb", None), ("\U0001f600", 2)]
