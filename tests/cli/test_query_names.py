"""`query` where the file, the schema and the table are called alike."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import SHOP


@pytest.mark.parametrize("name", ["shop", "Shop", "my shop", "it's"])
@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) as n from {shop}.items",
        'select count(*) as n from {shop}."items" where id >= 0',
        "select count(*) as n from {shop}.items i join {shop}.items j using (id)",
        "select count({shop}.items.id) as n from {shop}.items",
    ],
)
def test_a_file_called_like_its_schema_can_be_asked(cli, shop_project, name, sql):
    to = f"duckdb:///{name}.duckdb"
    assert cli("load", "shop", "items", "--to", to, "--schema", name).code == 0
    done = cli("query", sql.format(shop=f'"{name}"'), "--to", to, "--format", "jsonl")
    assert done.code == 0, done.err
    assert json.loads(done.out) == {"n": 12}
    assert cli("preview", "shop", "items", "--to", to, "--schema", name).code == 0
    assert cli("load", "shop", "items", "--to", to, "--schema", name).code == 0


def test_the_files_own_name_may_be_said(cli, shop_project):
    to = "duckdb:///shop.duckdb"
    assert cli("load", "shop", "--to", to).code == 0
    for sql in ("from shop.shop.items", 'from "shop" . Shop.items', "from shop.items"):
        done = cli("query", f"select count(*) as n {sql}", "--to", to, "--format", "jsonl")
        assert done.code == 0, (sql, done.err)
    refused = cli("query", "select * from read_text('specs/shop.yaml')", "--to", to)
    assert refused.code == 1
    assert "bearer" in SHOP
    assert "bearer" not in refused.out + refused.err
