"""Answers of lines that are larger than what is held of them at a time."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from connector_assets.errors import ConnectorError
from tests.loopback import serving
from tests.test_exports import LARGE, Shop

SPEC = """
kind: connector
version: "1.0"
id: shop
displayName: Shop
auth: [{type: none}]
endpoints:
  - id: orders
    url: "{{base_url}}/orders"
    responseFormat: FORMAT
    maxResponseBytes: 1000000000
    retry: {maxAttempts: 1}
read: {primary: orders}
"""


def body_of(form, megabytes):
    line = (
        b"%08d," + b"n" * 990 + b"\n" if form == "csv" else b'{"id":%d,"n":"' + b"n" * 980 + b'"}\n'
    )
    lines = b"".join(line % number for number in range(megabytes * 1000))
    return b"id,n\n" + lines if form == "csv" else lines


@pytest.fixture
def shop(tmp_path):
    with serving(lambda _request: (200, b"")) as api:
        yield Shop(api, tmp_path)


def spec(form):
    return SPEC.replace("FORMAT", form.removesuffix(".gz"))


@pytest.mark.parametrize("form", ["jsonl", "csv", "jsonl.gz"])
def test_all_blocks_of_an_answer_are_its_rows(shop, form):
    body = body_of(form, 10)
    shop.api.answer = lambda _: (200, gzip.compress(body, 1) if form.endswith("gz") else body)
    assert shop.load(spec(form)).stats.calls == 1
    with duckdb.connect(str(shop.folder / "data.duckdb"), read_only=True) as db:
        sql = "select count(*), count(distinct id), max(id::int), sum(length(n)) from shop.orders"
        length = 990 if form == "csv" else 980
        assert db.sql(sql).fetchall() == [(10_000, 10_000, 9_999, 10_000 * length)]


@pytest.mark.parametrize("end", [b'{"id": 1', b'{"id": 1}\n[', b"\xff\n"])
def test_an_answer_that_is_wrong_at_its_end_leaves_the_table(shop, end):
    shop.api.answer = lambda _: (200, b'{"id": 0}\n')
    shop.load(spec("jsonl"))
    shop.api.answer = lambda _: (200, body_of("jsonl", 5) + end)
    with pytest.raises(ConnectorError):
        shop.load(spec("jsonl"))
    assert shop.ids() == [0]


@pytest.mark.parametrize("answer", [(200, b""), (204, b""), (200, b"\n\n")])
def test_an_answer_without_lines_has_no_rows(shop, answer):
    shop.api.answer = lambda _: answer
    assert shop.load(spec("jsonl")).loaded.rows == 0


def test_a_rule_decides_before_a_line_is_read(shop):
    shop.api.answer = lambda _: (404, b"no orders yet")
    rule = "responseFormat: jsonl\n    errors: [{status: 404, action: ignore}]"
    assert shop.load(SPEC.replace("responseFormat: FORMAT", rule)).loaded.rows == 0


@pytest.mark.slow
@pytest.mark.parametrize("form", ["jsonl", "csv", "jsonl.gz"])
def test_memory_does_not_grow_with_the_answer(shop, form):
    mib = {size: peak(shop.api, shop.folder / str(size), form, size) for size in (30, 300)}
    print(form, mib)
    assert mib[300] < mib[30] + 64, mib


def peak(api, folder, form, megabytes):
    folder.mkdir()
    body = body_of(form, megabytes)
    packed = gzip.compress(body, 1) if form.endswith("gz") else body
    api.answer = lambda _: (200, packed)
    (folder / "shop.yaml").write_text(spec(form))
    options = ["--config", f"base_url={api.origin}", "--allow-private", api.host]
    with (folder / "out").open("w+b") as out:
        done = subprocess.run(
            [sys.executable, "-c", LARGE, "-", "read", "shop.yaml", "--format", "jsonl", *options],
            cwd=folder, stdout=out, stderr=subprocess.PIPE, check=False,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        out.seek(-20, 2)
        return int(out.read().split()[-1])
