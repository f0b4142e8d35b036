"""The page "One odd stream in ten lines": its spec, connection and code, loaded as they stand."""

from __future__ import annotations

import hashlib
import hmac
import inspect
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from connector_assets.cli.app import run
from tests.docs.pages import ROOT, blocks
from tests.loopback import Seen, serving

KEY = "k3y-0f-th3-sh0p"
PAGE = ROOT / "docs/how-to/one-odd-stream.md"
SHELVES = {"a": [("s1", 2), ("s2", 0)], "b": [("s3", 1)]}


def shop(request: Seen) -> Any:
    """A shop with one plain list and three odd ones."""
    target = request.target
    if request.path == "/refunds":
        signed = hmac.new(KEY.encode(), target.encode(), hashlib.sha256).hexdigest()
        good = request.headers.get("x-signature") == signed
        return {"rows": [{"id": 1}]} if good else (401, {})
    if request.headers.get("x-key") != KEY:
        return 401, {}
    if request.path == "/prices":
        return {"days": ["mon", "tue"]}
    if request.path == "/prices/of":
        return {f"{request.query['day']}-1": 5}
    if request.path == "/stock":
        shelf = request.query.get("shelf", "a")
        rows = [{"sku": sku, "boxes": boxes} for sku, boxes in SHELVES[shelf]]
        return 200, {"rows": rows}, {"X-Next-Shelf": "b"} if shelf == "a" else {}
    return {"rows": [{"id": 7}]}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    spec, connection = [block.text for block in blocks(PAGE, "yaml")]
    (code,) = [block.text for block in blocks(PAGE, "python")]
    for name, text in {
        "specs/shop.yaml": spec,
        "connections/eu.yaml": connection,
        "connections/odd.py": code,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP_EU__API_KEY", KEY)
    return tmp_path


def load(api: Any, *options: str) -> int:
    host = api.origin.removeprefix("http://")
    return run(
        ["load", "shop_eu", "--allow-private", host, "--config", f"base={api.origin}", *options]
    )


def rows(table: str) -> list[tuple[Any, ...]]:
    with duckdb.connect("data.duckdb", read_only=True) as tables:
        return tables.sql(f"from shop_eu.{table} order by all").fetchall()


def test_the_page_loads_as_it_stands(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(shop) as api:
        assert load(api) == 0, capsys.readouterr().err
        told = capsys.readouterr()
    assert rows("orders") == [(7,)]
    assert rows("prices") == [("mon-1", "mon", 5), ("tue-1", "tue", 5)]
    assert rows("stock") == [("s1", 24), ("s3", 12)]
    assert rows("refunds") == [(1,)]
    assert "shop_eu.prices: served 2 rows" in told.out
    assert KEY not in told.out + told.err


def test_each_part_is_at_most_ten_lines() -> None:
    (code,) = [block.text for block in blocks(PAGE, "python")]
    names: dict[str, Any] = {}
    exec(compile(code, "odd.py", "exec"), names)
    parts = [part.strip("\n") for part in code.split("\n\n\n")[1:]]
    assert len(parts) == 4
    assert all(len(part.splitlines()) <= 10 for part in parts)
    assert list(inspect.signature(names["by_letter"]).parameters) == ["call", "page"]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def prices(ctx):\n    yield {}['s3cret']\n", "read in Python failed: KeyError"),
        ("def prices(ctx):\n    raise ValueError(ctx.secrets['apiKey'])\n", "ValueError: [secret:apiKey]"),
        ("def prices(ctx):\n    yield 5\n", "a row is of type int"),
        ("def prices(ctx):\n    ctx.http.get('https://evil.example.com/')\n    yield {}\n", "not a declared origin"),
        ("def prices(ctx):\n    ctx.http.get('/nope')\n    yield {}\n", "GET "),
        ("def other(ctx):\n    yield {}\n", 'odd:prices: has no function "prices"'),
        ("import nothing_like_it\n", 'module "nothing_like_it" is not found'),
        ("1 / 0\n", "odd:prices: ZeroDivisionError"),
        ("raise SystemExit(2)\n", "odd:prices: SystemExit: 2"),
        ("def prices(ctx):\n    raise SystemExit(2)\n    yield\n", "read in Python failed: SystemExit: 2"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_that_streams_error(
    project: Path, capsys: pytest.CaptureFixture[str], code: str, says: str
) -> None:
    connection = project / "connections/eu.yaml"
    connection.write_text(connection.read_text().split("  stock:")[0])
    (project / "connections/odd.py").write_text(code)
    with serving(lambda r: (404, {}) if r.path == "/nope" else shop(r)) as api:
        assert load(api) == 1
    told = capsys.readouterr()
    assert told.err.startswith("shop_eu.prices: ")
    assert says in told.err
    assert KEY not in told.err
    assert "shop_eu.orders in duckdb:///data.duckdb now has 1 row" in told.out


@pytest.mark.parametrize(
    ("stock", "code", "says"),
    [
        ("{pagination: 'odd:f'}", "def f(call, page):\n    page.nope\n", "pagination in Python failed: AttributeError"),
        ("{pagination: 'odd:f'}", "def f(call, page):\n    return call\n", "it gave before"),
        ("{pagination: 'odd:f'}", "def f(call, page):\n    return 'x'\n", "pagination in Python gave a str"),
        ("{transform: 'odd:f'}", "def f(row):\n    return [5]\n", "transform gave a row of type int"),
        ("{transform: 'odd:f'}", "def f(row):\n    return row['x']\n", "transform in Python failed: KeyError"),
        ("{auth: 'odd:f'}", "def f(ctx):\n    return 5\n", "auth in Python gave a int; return an httpx.Auth"),
    ],
)  # fmt: skip
def test_a_part_that_fails_is_named(
    project: Path, capsys: pytest.CaptureFixture[str], stock: str, code: str, says: str
) -> None:
    text = f'kind: connection\nversion: "1.0"\nid: shop_eu\nconnector: shop\nstreams:\n  stock: {{python: {stock}}}\n'
    (project / "connections/eu.yaml").write_text(text)
    (project / "connections/odd.py").write_text(code)
    with serving(shop) as api:
        assert load(api) == 1
    told = capsys.readouterr().err
    assert says in told
    assert told.startswith("shop_eu.stock: ")


def test_a_transform_may_give_several_rows_and_code_that_changed_reads_anew(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = 'kind: connection\nversion: "1.0"\nid: shop_eu\nconnector: shop\nstreams:\n  stock: {python: {transform: "odd:f"}}\n'
    (project / "connections/eu.yaml").write_text(text)
    (project / "connections/odd.py").write_text(
        "def f(row):\n    return [{'sku': f\"{row['sku']}-{n}\"} for n in range(row['boxes'])]\n"
    )
    with serving(shop) as api:
        assert load(api) == 0
        assert rows("stock") == [("s1-0",), ("s1-1",)]
        (project / "connections/odd.py").write_text("def f(row):\n    return {'sku': 'one'}\n")
        assert load(api) == 0
        assert rows("stock") == [("one",)]


def test_read_and_check_use_it_too(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(shop) as api:
        host = api.origin.removeprefix("http://")
        given = ["--allow-private", host, "--config", f"base={api.origin}"]
        assert run(["read", "shop_eu", "prices", "--format", "jsonl", *given]) == 0
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert told == [
            {"sku": "mon-1", "day": "mon", "amount": 5},
            {"sku": "tue-1", "day": "tue", "amount": 5},
        ]
        assert run(["check", "shop_eu", "prices", *given]) == 0


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("'os.system'", "must be module:name"),
        ("'../odd:prices'", "must be module:name"),
        ("{read: 'odd:a', transform: 'odd:b'}", "gives the rows by itself"),
        ("{run: 'odd:a'}", "is not a known key"),
    ],
)
def test_what_is_no_code_is_a_fault(
    project: Path, capsys: pytest.CaptureFixture[str], value: str, says: str
) -> None:
    text = f'kind: connection\nversion: "1.0"\nid: shop_eu\nconnector: shop\nstreams:\n  stock: {{python: {value}}}\n'
    (project / "connections/eu.yaml").write_text(text)
    assert run(["validate", "connections"]) == 1
    assert says in capsys.readouterr().err


def test_a_spec_names_no_code(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = project / "specs/shop.yaml"
    spec.write_text(
        spec.read_text().replace("{name: stock,", '{name: stock, python: "odd:prices",')
    )
    assert run(["validate", "specs"]) == 1
    assert "python: is not a known key" in capsys.readouterr().err
