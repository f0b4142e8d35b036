"""What plain readers see in a table's folder, of which they know nothing but where it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from connector_assets.errors import LoadError
from connector_assets.load.files.folders import LocalFolder, ObjectFolder
from connector_assets.load.parquet.destination import ParquetDestination
from connector_assets.load.parquet.places import hive_folder
from connector_assets.load.table import Cursor, Table
from tests.load.contract import KEYED, TABLE, Store, many_of

Rows = list[dict[str, Any]]
VALUES = [
    "EU West", "a=b", "a/b", "50%", "%41", "ü/é", "a+b", ".", "a:b", "x\ty", "O'Brien", 'q"q', "{a}",
    "[x]*?", "a\\b", "2024-01-01", "1", "null", "true", "&#~^|<>", " lead", "trail ", "日本", "..",
]  # fmt: skip


def by_duckdb(folder: Path, parted: bool) -> Rows:
    with duckdb.connect() as connection:
        found = connection.sql(
            f"select * from read_parquet('{folder}/**/*.parquet', union_by_name = true, "
            f"hive_partitioning = {parted}, hive_types_autocast = false)"
        )
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def by_pyarrow(folder: Path, parted: bool) -> Rows:
    hive = ds.partitioning(pa.schema([("partition", pa.string())]), flavor="hive")
    files = ds.dataset(folder, partitioning=hive if parted else None)
    # Of two files it takes the columns of the first, unless it is told all of them.
    schemas = [fragment.physical_schema for fragment in files.get_fragments()]
    whole = pa.unify_schemas([files.schema, *schemas])
    rows: Rows = files.replace_schema(whole).to_table().to_pylist()
    return rows


def by_polars(folder: Path, parted: bool) -> Rows:
    return (
        pl.scan_parquet(
            f"{folder}/**/*.parquet",
            hive_partitioning=parted,
            try_parse_hive_dates=False,
            missing_columns="insert",
            extra_columns="ignore",
        )
        .collect()
        .to_dicts()
    )


def by_spark_rules(folder: Path, parted: bool) -> Rows:
    """Spark passes by what begins with `_` or `.`, and takes every other file for Parquet."""
    rows: Rows = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        inner = path.relative_to(folder).parts
        if any(part.startswith(("_", ".")) for part in inner):
            continue
        found = pq.ParquetFile(path).read().to_pylist()
        values = dict(part.split("=", 1) for part in inner[:-1]) if parted else {}
        rows += [{**row, **values} for row in found]
    return rows


READERS: dict[str, Callable[[Path, bool], Rows]] = {
    "duckdb": by_duckdb,
    "pyarrow": by_pyarrow,
    "polars": by_polars,
    "spark": by_spark_rules,
}


@pytest.fixture(params=["local", "object store"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Where the folder is to be read, once `seen` has fetched it there."""
    yield tmp_path / "lake"
    files = fsspec.filesystem("memory")
    files.rm("/bucket", recursive=True) if files.exists("/bucket") else None


@pytest.fixture
def store(request: pytest.FixtureRequest, root: Path, tmp_path: Path) -> Store:
    is_local = request.node.callspec.params["root"] == "local"
    folder = LocalFolder(root) if is_local else ObjectFolder("memory://bucket/lake")
    return Store(ParquetDestination(folder), tmp_path / "staged")


def seen(root: Path, table: str = "people", *, parted: bool = False) -> dict[str, Rows]:
    files = fsspec.filesystem("memory")
    if files.exists("/bucket/lake"):
        shutil.rmtree(root, ignore_errors=True)
        files.get("/bucket/lake/", f"{root}/", recursive=True)
    return {name: read(root / "crm" / table, parted) for name, read in READERS.items()}


def require_seen(root: Path, *rows: dict[str, Any], parted: bool = False) -> None:
    for reader, found in seen(root, parted=parted).items():
        assert sorted(map(repr, found)) == sorted(map(repr, rows)), reader


def partitions(store: Store) -> list[str]:
    return [row[0] for row in store.destination.query("select _partition from crm.people")[1]]


def test_every_load_leaves_exactly_the_table(store: Store, root: Path) -> None:
    store.load({"id": 1, "v": "a"}, {"id": 2, "v": "b"}, table=KEYED, cursor=Cursor(many_of(1)))
    require_seen(root, {"id": 1, "v": "a"}, {"id": 2, "v": "b"})
    store.load({"id": 3, "v": "c"}, table=KEYED, mode="append")
    require_seen(root, {"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": 3, "v": "c"})
    store.load({"id": 2, "v": "B"}, {"id": 4, "v": "d"}, table=KEYED, mode="merge")
    merged = [{"id": 1, "v": "a"}, {"id": 2, "v": "B"}, {"id": 3, "v": "c"}, {"id": 4, "v": "d"}]
    require_seen(root, *merged)
    store.load({"id": 9, "v": "z"})
    require_seen(root, {"id": 9, "v": "z"})


@pytest.mark.slow  # a load for each character
def test_partitions_are_what_they_are_called(store: Store, root: Path) -> None:
    """All of Hive's characters, in one table."""
    for number, value in enumerate(VALUES):
        store.load({"id": number}, table=Table("crm", "people", partition=value))
    rows = [{"id": number, "partition": value} for number, value in enumerate(VALUES)]
    for reader, found in seen(root, parted=True).items():
        if reader != "spark":  # whose decoding is not ours to imitate
            assert sorted(found, key=lambda row: row["id"]) == rows, reader
    store.load({"id": 99}, table=Table("crm", "people", partition="a/b"))
    assert [row for row in seen(root, parted=True)["duckdb"] if row["partition"] == "a/b"] == [
        {"id": 99, "partition": "a/b"}
    ]
    assert sorted(partitions(store)) == sorted(VALUES)


@pytest.mark.parametrize(
    ("value", "folder"),
    [("EU West", "EU West"), ("a/b=50%", "a%2Fb%3D50%25"), ("é", "é"), (None, "__HIVE_DEFAULT_PARTITION__")],
)  # fmt: skip
def test_folders_are_named_as_hive_names_them(value: str | None, folder: str) -> None:
    assert hive_folder(value) == f"partition={folder}"


def test_rows_of_no_partition_are_read_as_null(store: Store, root: Path) -> None:
    store.load({"id": 1})
    store.load({"id": 2}, table=Table("crm", "people", partition="b"))
    rows = {"id": 1, "partition": None}, {"id": 2, "partition": "b"}
    for reader, found in seen(root, parted=True).items():
        if reader != "spark":
            assert sorted(found, key=lambda row: row["id"]) == list(rows), reader
    store.load({"id": 3})
    require_seen(root, {"id": 3})


@pytest.mark.parametrize("value", ["", "__HIVE_DEFAULT_PARTITION__", "x" * 250, "\ud800"])
def test_a_partition_that_no_folder_can_stand_for_is_refused(store: Store, value: str) -> None:
    table = Table("crm", "people", partition=value)
    refused = store.destination.refuses(table, "replace")
    assert refused is not None
    assert "partition" in refused.what
    with pytest.raises(LoadError, match=r"crm\.people: .*partition"):
        store.load({"id": 1}, table=table)


@pytest.mark.parametrize("name", ["partition", "Partition"])
def test_a_field_called_like_the_folders_is_refused_with_partitions(
    store: Store, name: str
) -> None:
    store.load({"id": 1, name: "x"}, table=Table("crm", "others"))
    table = Table("crm", "people", partition="a")
    with pytest.raises(LoadError, match="rename it: fields"):
        store.load({"id": 1, name: "x"}, table=table)
    assert store.destination.describe(TABLE) is None
    declared = Table("crm", "people", columns={name: "text"}, partition="a")
    assert store.destination.refuses(declared, "replace") is not None


def test_rows_set_aside_are_a_table_beside(store: Store, root: Path) -> None:
    table = Table("crm", "people", columns={"id": "bigint"}, schema_policy="quarantine")
    store.load({"id": 1}, {"id": "x"}, table=table)
    require_seen(root, {"id": 1})
    for found in seen(root, "people__rejected").values():
        assert [row["row_number"] for row in found] == [2]
    taken = store.destination.refuses(Table("crm", "people__rejected"), "replace")
    assert taken is not None


def test_a_new_column_is_missing_in_older_files(store: Store, root: Path) -> None:
    store.load({"id": 1}, mode="append")
    store.load({"id": 2, "late": "x"}, mode="append")
    rows = seen(root)
    for reader in ("duckdb", "pyarrow"):
        assert sorted(rows[reader], key=lambda row: row["id"]) == [
            {"id": 1, "late": None},
            {"id": 2, "late": "x"},
        ], reader
    assert len(rows["polars"]) == 2
    whole = {"id": pl.Int64, "late": pl.String}
    found = pl.scan_parquet(
        f"{root}/crm/people/**/*.parquet", schema=whole, missing_columns="insert"
    )
    assert found.collect().sort("id").rows() == [(1, None), (2, "x")]


def test_a_type_that_widens_is_the_same_in_all_files(store: Store, root: Path) -> None:
    store.load({"id": 1}, mode="append")
    store.load({"id": "x"}, mode="append")
    for reader, found in seen(root).items():
        assert sorted(row["id"] for row in found) == ['"x"', "1"], reader


# What a process that is killed leaves


class Killed(BaseException):
    """As a process ends in the middle."""


@pytest.mark.parametrize("root", ["local"], indirect=True)
@pytest.mark.parametrize("fatal", range(9))
def test_a_load_that_dies_between_any_two_files_is_ended_by_the_next(
    root: Path, tmp_path: Path, fatal: int
) -> None:
    folder = LocalFolder(root)
    store = Store(ParquetDestination(folder), tmp_path / "staged")
    for part in ("a", "b"):
        store.load({"id": 1, "v": part}, table=Table("crm", "people", partition=part))
    dying = Store(ParquetDestination(Dying(root, fatal)), tmp_path / "staged")
    try:
        dying.load({"id": 2, "v": "c"})
        died = False
    except Killed:
        died = True
    assert died == (fatal < 8), "the number of steps has changed"
    before = [[1, "a"], [1, "b"]]
    by_manifest = sorted(store.rows("id", "v"))
    assert by_manifest in (before, [[2, "c"]])
    store.load({"id": 3, "v": "d"}, mode="append")
    rows = [{"id": row[0], "v": row[1]} for row in [*by_manifest, [3, "d"]]]
    if by_manifest == before:
        rows = [
            {"id": 1, "v": "a", "partition": "a"},
            {"id": 1, "v": "b", "partition": "b"},
            {"id": 3, "v": "d", "partition": None},
        ]
    for reader, found in seen(root, parted=by_manifest == before).items():
        if reader != "spark":
            assert sorted(map(repr, found)) == sorted(map(repr, rows)), reader
    names = [name for name in folder.files("") if "/new/" in name or "/." in name]
    assert [name for name in names if not name.startswith(".locks")] == []


class Dying(LocalFolder):
    """Is killed before the n-th change."""

    def __init__(self, root: Path, fatal: int) -> None:
        super().__init__(root)
        self.left = fatal

    def step(self) -> None:
        if not self.left:
            raise Killed
        self.left -= 1

    def put(self, name: str, path: Path) -> None:
        self.step()
        super().put(name, path)
        self.step()

    def replace(self, name: str, content: bytes) -> None:
        self.step()
        super().replace(name, content)
        self.step()

    def move(self, name: str, to: str) -> None:
        self.step()
        super().move(name, to)
        self.step()

    def delete(self, name: str) -> None:
        self.step()
        super().delete(name)


# Folders of the layout before


def old_layout(root: Path) -> None:
    """What version 1 wrote: two partitions, positions, a row set aside."""
    people = root / "crm" / "people"
    for path in ("_partition=a", "_partition=b", "rejected", "_items"):
        (people / path).mkdir(parents=True)
    copies = {
        "_partition=a/000001-aaaa.parquet": "select 1::bigint id, 'a' _partition",
        "_partition=b/000001-bbbb.parquet": "select 2::bigint id, 'b' _partition",
        "rejected/000001-cccc.parquet": "select '{}'::json \"row\", 'r' reason, 1::bigint row_number, "
        "1::bigint page, 'l' load_id, now() rejected_at",
        "_items/000001-dddd.parquet": "select 'crm' schema_name, 'people' table_name, '' partition, "
        "'[' || i || ']' item, '7'::json position from range(2001) t(i)",
    }
    with duckdb.connect() as connection:
        for name, sql in copies.items():
            connection.execute(f"copy ({sql}) to '{people / name}' (format parquet)")
    shutil.copy(Path(__file__).parent / "manifest-1.json", people / "manifest.json")


@pytest.mark.parametrize("mode", ["append", "replace", "merge"])
def test_a_folder_of_the_layout_before_is_read_and_moved_by_the_next_load(
    tmp_path: Path, mode: Any
) -> None:
    root = tmp_path / "lake"
    old_layout(root)
    store = Store(ParquetDestination(LocalFolder(root)), tmp_path / "staged")
    positions = {f"[{number}]": 7 for number in range(2001)}
    assert sorted(partitions(store)) == ["a", "b"]
    assert store.destination.read_cursor(KEYED) == positions
    store.load({"id": 3}, table=KEYED, mode=mode)
    assert store.destination.read_cursor(KEYED) == positions
    added = {"id": 3, "partition": None} if mode != "replace" else {"id": 3}
    rows = [{"id": 1, "partition": "a"}, {"id": 2, "partition": "b"}, added]
    rows = rows if mode != "replace" else [added]
    for reader, found in seen(root, parted=mode != "replace").items():
        if reader != "spark":
            assert sorted(map(repr, found)) == sorted(map(repr, rows)), reader
    assert sorted(store.values("id")) == sorted(row["id"] for row in rows)
    left = [path.name for path in (root / "crm" / "people").rglob("*")]
    assert not [name for name in left if name.startswith("_") or name == "manifest.json"]
    assert "rejected" not in left
    assert len(list((root / "crm" / "people__rejected").iterdir())) == 1
