"""A list that has not changed, in Dagster: the asset is materialized, and says so."""

from __future__ import annotations

from tests.assets.conftest import SHOP, shop
from tests.assets.test_materialize import checks, materialization


def test_an_unchanged_list_materialises_with_the_table_as_it_is(shop_project, api):
    shop_project.write(
        "specs/shop.yaml", SHOP.replace("{id: list,", "{id: list, conditional: etag,")
    )
    give = shop(pages=1, size=12)

    def answer(request):
        if request.headers.get("if-none-match") == '"v1"':
            return 304, b""
        return 200, give(request), {"ETag": '"v1"'}

    api.answer = answer
    assert "unchanged" not in materialization(shop_project.run("shop/items"))
    again = shop_project.run("shop/items")
    told = materialization(again)
    assert again.success
    assert told["unchanged"] is True
    assert (told["dagster/row_count"], told["rows_received"], told["calls"]) == (12, 0, 1)
    assert checks(again) == {"complete": True, "min_rows": True}
    assert len(shop_project.rows("shop.items")) == 12
