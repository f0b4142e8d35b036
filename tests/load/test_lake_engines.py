"""Lakes as others see them: DuckDB's own readers of both formats, and S3 as moto serves it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector_assets.load.table import Cursor, Table
from connector_assets.load.urls import destination_from_url
from tests.load.contract import Store
from tests.s3 import REGION, SECRET, serving_s3
from tests.third_party.environments import python_environment

pytestmark = [pytest.mark.third_party, pytest.mark.filterwarnings("ignore")]

READ = """
import duckdb, glob, importlib, json, os, sys
connection = duckdb.connect(config={"autoinstall_known_extensions": False})
for name in ("avro", "delta", "iceberg"):
    folder = os.path.dirname(importlib.import_module(f"duckdb_extension_{name}").__file__)
    (path,) = glob.glob(f"{folder}/**/*.duckdb_extension", recursive=True)
    connection.execute(f"load '{path}'")
connection.execute("set TimeZone = 'UTC'")
rows = connection.execute(f"select columns(*)::varchar from {sys.argv[1]}")
print(json.dumps([[name for name, *_ in rows.description], rows.fetchall()]))
"""


def read_by_duckdb(relation: str) -> list[dict[str, Any]]:
    """Rows as DuckDB's extension reads them: delta-kernel, and an Iceberg reader in C++."""
    python = python_environment("lake") / "python"
    done = subprocess.run([python, "-c", READ, relation], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names, rows = json.loads(done.stdout)
    return [dict(zip(names, row, strict=True)) for row in rows]


def relation(kind: str, root: Path) -> str:
    if kind == "delta":
        return f"delta_scan('{root}/crm/people')"
    newest = max((root / "warehouse").rglob("*.metadata.json"), key=lambda path: path.name)
    return f"iceberg_scan('{newest}')"


@pytest.mark.parametrize("kind", ["delta", "iceberg"])
def test_duckdb_reads_what_was_loaded_exactly(kind: str, tmp_path: Path) -> None:
    root = tmp_path / "lake"
    urls = {"delta": f"delta+file:///{root}", "iceberg": f"iceberg+sqlite:///{root}/catalog.db"}
    store = Store(destination_from_url(urls[kind]), tmp_path / "staged")
    table = Table(
        "crm",
        "people",
        ("id",),
        {"price": "decimal(38,4)", "tags": "varchar[]", "at": "timestamptz"},
    )
    whole = {
        "a b": True,
        "big": 2**70,
        "local": "2024-01-01T10:00:00",
        "day": "2024-02-29",
        "n": {"a": [1]},
        "f": 0.1,
    }
    rows = [
        {
            "id": n,
            "price": f"{n}.0001",
            "tags": ["x", None],
            "at": "2024-01-01T10:00:00+02:00",
            **whole,
        }
        for n in range(50)
    ]
    store.load(*rows, table=table, mode="merge")
    store.load({"id": 7, "price": "9.5"}, {"id": 99, "new": "é"}, table=table, mode="merge")
    got = {row["id"]: row for row in read_by_duckdb(relation(kind, root))}
    assert got.keys() == {str(n) for n in (*range(50), 99)}
    assert got["3"] == {
        "id": "3", "price": "3.0001", "tags": "[x, NULL]", "at": "2024-01-01 08:00:00+00", "a_b": "true", "big": str(2**70),
        "local": "2024-01-01 10:00:00", "day": "2024-02-29", "n": '{"a":[1]}', "f": "0.1", "new": None,
    }  # fmt: skip
    assert (got["7"]["price"], got["7"]["big"], got["99"]["new"]) == ("9.5000", None, "é")
    for day, n in (("a/b", 1), ("c", 2), ("a/b", 3)):
        store.load({"id": n, "price": "1"}, table=Table("crm", "people", partition=day))
    rows = read_by_duckdb(relation(kind, root))
    assert {(row["id"], row["_partition"]) for row in rows} >= {("2", "c"), ("3", "a/b")}
    assert ("1", "a/b") not in {(row["id"], row["_partition"]) for row in rows}
    store.load({"id": "text"}, table=table, mode="merge")
    assert '"text"' in {row["id"] for row in read_by_duckdb(relation(kind, root))}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    with serving_s3(tmp_path) as url:
        monkeypatch.setenv("PYICEBERG_CATALOG__CONNECTOR_ASSETS__S3__ENDPOINT", url)
        monkeypatch.setenv("PYICEBERG_CATALOG__CONNECTOR_ASSETS__S3__REGION", REGION)
        yield "lake"


@pytest.mark.parametrize("kind", ["delta", "iceberg"])
def test_a_lake_in_a_bucket_is_loaded_by_several_machines(
    kind: str, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = {
        "delta": f"delta+s3://{bucket}/prefix",
        "iceberg": f"iceberg+sqlite:///{tmp_path}/catalog.db?warehouse=s3://{bucket}/prefix",
    }
    store = Store(destination_from_url(urls[kind]), tmp_path / "staged")
    table = Table("crm", "people", ("id",))
    store.load({"id": 1}, {"id": 2}, table=table, mode="merge", cursor=Cursor(1), load_id="one")
    looks = []

    def meanwhile() -> None:
        looks.append(1)
        if len(looks) == 1:
            monkeypatch.setenv("CONNECTOR_ASSETS_STATE", str(tmp_path / "another machine"))
            other = Store(destination_from_url(urls[kind]), tmp_path / "other")
            other.load({"id": 3}, table=table, mode="append")

    store.load({"id": 2, "v": "x"}, table=table, mode="merge", cursor=Cursor(2, 1), fence=meanwhile)
    assert len(looks) == 2
    assert sorted(store.rows("id", "v")) == [[1, None], [2, "x"], [3, None]]
    assert store.destination.read_cursor(table) == 2
    store.load({"id": 9}, table=table)
    assert store.values("id") == [9]
    assert SECRET not in repr(store.destination)
