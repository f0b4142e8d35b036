"""Folders of Parquet: the contract of all destinations, and what readers of files see."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry

from connector_assets.errors import ConfigError, LoadError
from connector_assets.load.destination import Destination
from connector_assets.load.files.folders import LocalFolder, ObjectFolder
from connector_assets.load.parquet.destination import ParquetDestination
from connector_assets.load.parquet.files import show
from connector_assets.load.table import Claim, Cursor, Table, WriteMode
from connector_assets.load.urls import destination_from_url
from tests.load.contract import KEYED, TABLE, DestinationContract, Store, many_of


class TestLocalParquet(DestinationContract):
    every_value_is_slow = True

    @pytest.fixture
    def destination(self, tmp_path: Path) -> Destination:
        return ParquetDestination(LocalFolder(tmp_path / "lake"))


@pytest.mark.slow  # the same code as the local folder, but for its files
class TestObjectStore(DestinationContract):
    every_value_is_slow = True

    @pytest.fixture
    def destination(self) -> Iterator[Destination]:
        files = fsspec.filesystem("memory")
        yield ParquetDestination(ObjectFolder("memory://bucket/lake"))
        files.rm("/bucket", recursive=True) if files.exists("/bucket") else None


class Bucket(MemoryFileSystem):
    """Names begin with the bucket, not with a slash, as S3 has them."""

    protocol = "s3"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.removeprefix("s3://"))

    def ls(self, path: str, detail: bool = True, **given: Any) -> list[Any]:
        found = super().ls(path, detail=True, **given)
        named = [{**one, "name": one["name"].lstrip("/")} for one in found]
        return named if detail else [one["name"] for one in named]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_registry, "s3", Bucket)
    Bucket.store.clear()


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("url", ["s3:///bucket/lake/", "s3://bucket/la[k]e", "s3://bucket/a*/b?"])
def test_a_prefix_in_a_bucket_is_read_as_it_was_written(url: str, tmp_path: Path) -> None:
    store = Store(ParquetDestination(ObjectFolder(url)), tmp_path / "staged")
    for number in range(1, 5):
        store.load({"id": number}, mode="append", cursor=Cursor(number, number - 1 or None))
    store.load({"id": 9}, {"id": 8})
    store.load({"id": 7})
    store.load({"id": 6})
    assert store.values("id") == [6]
    assert len([name for name in Bucket.store if name.endswith(".parquet")]) == 1
    assert store.destination.read_cursor(TABLE) == 4
    assert store.destination.uri == f"parquet+{url.replace(':///', '://').rstrip('/')}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def store(root: Path, tmp_path: Path) -> Store:
    return Store(ParquetDestination(LocalFolder(root)), tmp_path / "staged")


def manifest(root: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(manifest_file(root).read_text())
    return found


def manifest_file(root: Path) -> Path:
    return root / "_connector_assets" / "crm" / "people" / "manifest.json"


def data_files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*.parquet")}


def test_rows_that_are_added_are_one_more_file(store: Store, root: Path) -> None:
    for number in range(3):
        store.load({"id": number}, mode="append")
    assert [Path(name).name[:6] for name in sorted(data_files(root))] == [
        "000001",
        "000002",
        "000003",
    ]
    store.load({"id": "wider"}, mode="append")
    store.load({"id": 5, "new": 1}, mode="append")
    assert [Path(name).name[:6] for name in sorted(data_files(root))][-2:] == ["000004", "000005"]
    assert store.values("id") == [0, 1, 2, "wider", 5]


def test_replaced_files_are_gone_at_once(store: Store, root: Path) -> None:
    for number in range(3):
        store.load({"id": number})
        assert len(data_files(root)) == 1


def test_replaced_files_are_kept_beside_the_table_for_the_time_asked_for(
    root: Path, tmp_path: Path
) -> None:
    now = [1_000.0]
    lake = ParquetDestination(LocalFolder(root), grace_s=60, now=lambda: now[0])
    store = Store(lake, tmp_path / "staged")
    store.load({"id": 1})
    (first,) = data_files(root)
    store.load({"id": 2})
    kept = f"_connector_assets/crm/people/replaced/1000-{Path(first).name}"
    assert {name for name in data_files(root) if name.startswith("_")} == {kept}
    now[0] = 1_059.0
    store.load({"id": 3}, mode="append")
    assert kept in data_files(root)
    now[0] = 1_060.0
    store.load({"id": 4}, mode="append")
    assert {Path(name).parent.as_posix() for name in data_files(root)} == {"crm/people"}
    assert store.values("id") == [2, 3, 4]


def test_a_query_meets_a_load_and_reads_the_table_after_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.load({"id": 1})
    loads = iter([2, 3])

    def show_late(*given: Any) -> Any:
        shown = show(*given)
        if number := next(loads, None):
            store.load({"id": number})
        return shown

    monkeypatch.setattr("connector_assets.load.parquet.destination.show", show_late)
    assert store.destination.query("select id from crm.people")[1] == [(3,)]
    loads = iter([4])
    assert store.values("id") == [4]


def test_a_partition_is_a_folder(store: Store, root: Path) -> None:
    for day in ("2024-01-01", "2024-01-02", "2024-01-01"):
        store.load({"id": day}, table=Table("crm", "people", partition=day))
    folders = {Path(name).parent.name for name in data_files(root)}
    assert folders == {"partition=2024-01-01", "partition=2024-01-02"}
    assert sorted(store.values("id")) == ["2024-01-01", "2024-01-02"]


def test_what_a_killed_load_left_is_swept_and_never_seen(store: Store, root: Path) -> None:
    store.load({"id": 1})
    (root / "crm" / "people" / "000099-dead.parquet").write_bytes(b"half")
    assert store.values("id") == [1]
    store.load({"id": 2}, mode="append")
    assert not [name for name in data_files(root) if "dead" in name]


def test_any_engine_can_read_the_files(store: Store, root: Path) -> None:
    store.load({"id": 2**64, "at": "2024-01-01T00:00:00Z", "tags": ["a"]}, table=KEYED)
    parts = manifest(root)["parts"]
    assert isinstance(parts, dict)
    (file,) = parts[""]["files"]
    with duckdb.connect() as connection:
        rows = connection.execute(
            "select id, tags from read_parquet(?)", [str(root / file["name"])]
        )
        assert rows.fetchall() == [(str(2**64), '["a"]')]


def test_a_manifest_that_cannot_be_read_is_an_error(store: Store, root: Path) -> None:
    store.load({"id": 1}, cursor=Cursor(1))
    manifest_file(root).write_text("{")
    with pytest.raises(LoadError, match=r"manifest\.json cannot be read"):
        store.load({"id": 2})
    with pytest.raises(LoadError, match=r"manifest\.json cannot be read"):
        store.destination.count(TABLE)


def test_an_address_with_an_at_sign_is_no_user() -> None:
    with pytest.raises(ConfigError, match="adlfs"):
        ObjectFolder("abfs://container@account.dfs.core.windows.net/x")


def test_an_unknown_store_says_what_to_install() -> None:
    with pytest.raises(ConfigError, match="fsspec"):
        ObjectFolder("nonsense://bucket")


def test_positions_that_an_earlier_version_stored_are_read_on(store: Store, root: Path) -> None:
    """They were one value in the manifest, however many the items."""
    store.load({"id": 1}, cursor=Cursor({"": 1}))
    path, before = manifest_file(root), manifest(root)
    assert "items" not in before
    before["state"]["state"][0]["cursor"] = many_of(4)
    path.write_text(json.dumps(before))
    found = store.destination.read_cursor(TABLE)
    assert found == many_of(4)
    store.load({"id": 2}, cursor=Cursor({"[3]": 5}, found, adds=True))
    assert store.destination.read_cursor(TABLE) == {**many_of(4), "[3]": 5}
    assert path.stat().st_size < 4_000


def test_a_file_of_positions_stays_until_they_move(store: Store, root: Path) -> None:
    def files() -> list[str]:
        return sorted(name for name in data_files(root) if "/items/" in name)

    store.load({"id": 1}, cursor=Cursor(many_of(1)))
    (first,) = files()
    store.load({"id": 2})
    assert files() == [first]
    store.load({"id": 3}, cursor=Cursor({"[1]": 2}, many_of(1), adds=True))
    (second,) = files()
    assert second != first
    assert store.destination.read_cursor(TABLE) == {**many_of(1), "[1]": 2}


def test_a_missing_file_fails_its_own_table_and_not_the_others(store: Store, root: Path) -> None:
    other = Table("crm", "others")
    store.load({"id": 1, "n": {"a": 1}})
    store.load({"id": 2}, table=other, mode="append")
    for file in (root / "crm" / "people").glob("*.parquet"):
        file.unlink()
    assert store.destination.count(other) == 1
    assert store.destination.describe(TABLE)
    for sql in ("select id from crm.people where id = 1", "select count(*) from crm.people"):
        with pytest.raises(LoadError, match="parquet is missing; restore it, or remove"):
            store.destination.query(sql)
    with pytest.raises(LoadError, match="is missing; restore it"):
        store.load({"id": 3}, table=KEYED, mode="merge")
    assert store.load({"id": 3}).rows == 1
    assert store.values("id") == [3]


def test_a_broken_file_fails_its_own_table_and_not_the_others(store: Store, root: Path) -> None:
    other = Table("crm", "others")
    store.load({"id": 1})
    store.load({"id": 2}, table=other)
    for file in (root / "crm" / "people").glob("*.parquet"):
        file.write_bytes(b"half")
    assert store.destination.count(other) == 1
    with pytest.raises(LoadError, match="parquet"):
        store.destination.count(TABLE)
    assert store.load({"id": 3}).rows == 1


def test_a_missing_file_of_a_bucket_is_named(bucket: None, tmp_path: Path) -> None:
    store = Store(ParquetDestination(ObjectFolder("s3://bucket/lake")), tmp_path / "staged")
    store.load({"id": 1})
    for name in [name for name in Bucket.store if name.endswith(".parquet")]:
        del Bucket.store[name]
    with pytest.raises(LoadError, match=r"s3://bucket/lake: crm/people/.*parquet is missing"):
        store.destination.count(TABLE)


class NoCredentialsError(Exception):
    """As a driver has them: of no common kind, and its words may hold anything."""


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (NoCredentialsError("s3cret"), "no credentials error"),
        (FileNotFoundError("s3cret"), "file not found error"),
        (ConnectionRefusedError(111, "s3cret"), "connection refused"),
    ],
)
def test_what_a_driver_refuses_says_where_and_what_to_do(
    bucket: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    what: str,
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise error

    for method in ("put_file", "pipe_file"):
        monkeypatch.setattr(Bucket, method, refuse)
    store = Store(ParquetDestination(ObjectFolder("s3://bucket/lake")), tmp_path / "staged")
    with pytest.raises(LoadError) as refused:
        store.load({"id": 1})
    assert str(refused.value) == (
        f"parquet+s3://bucket/lake: {what}; "
        "check the address, that the bucket exists, and the credentials in the environment"
    )


def test_folders_are_made_where_a_store_has_folders(tmp_path: Path) -> None:
    lake = ParquetDestination(ObjectFolder(f"file://{tmp_path}/new/lake"))
    store = Store(lake, tmp_path / "staged")
    store.load({"id": 1}, mode="append")
    store.load({"id": 2}, mode="append")
    assert store.values("id") == [1, 2]


@pytest.mark.parametrize("kind", ["parquet", "duckdb"])
def test_a_path_that_cannot_be_written_says_what_to_do(kind: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "x", Path("/proc/nowhere/x")):
        store = Store(destination_from_url(f"{kind}:///{path}"), tmp_path / "staged")
        with pytest.raises(LoadError, match=r"; check the path, and that this user may") as refused:
            store.load({"id": 1})
        assert refused.value.where == f"{kind}:///{path}"


def test_a_file_is_no_folder_to_read(tmp_path: Path) -> None:
    (tmp_path / "data.duckdb").touch()
    destination = destination_from_url(f"parquet:///{tmp_path}/data.duckdb")
    with pytest.raises(LoadError, match="not a directory; check the path"):
        destination.count(TABLE)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing keeps root out")
@pytest.mark.parametrize("url", ["parquet:///{}/shut/lake", "duckdb:///{}/shut/x.duckdb"])
def test_a_folder_that_is_shut_says_what_to_do(url: str, tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0)
    store = Store(destination_from_url(url.format(tmp_path)), tmp_path / "staged")
    with pytest.raises(LoadError, match="permission denied; check the path"):
        store.destination.count(TABLE)
    with pytest.raises(LoadError, match="permission denied; check the path"):
        store.load({"id": 1})


def test_a_missing_file_of_positions_fails_its_own_table_and_no_query(
    store: Store, root: Path
) -> None:
    other = Table("crm", "others")
    store.load({"id": 1}, cursor=Cursor(many_of(2)))
    store.load({"id": 2}, table=other, cursor=Cursor(2))
    for file in (manifest_file(root).parent / "items").iterdir():
        file.unlink()
    assert (store.values("id"), store.destination.count(other)) == ([1], 1)
    assert store.destination.read_cursor(other) == 2
    with pytest.raises(
        LoadError, match="parquet is missing; restore it, or remove _connector_assets/crm/people to"
    ):
        store.destination.read_cursor(TABLE)
    with pytest.raises(
        LoadError, match="parquet is missing; restore it, or remove _connector_assets/crm/people to"
    ):
        store.load({"id": 3})


@pytest.mark.parametrize("mode", ["append", "replace", "merge", "scd2"])
@pytest.mark.parametrize("name", ["part-0.parquet", "y=2024/X.PARQUET"])
def test_files_of_a_person_are_refused_and_kept_once_adopted(
    store: Store, root: Path, name: str, mode: WriteMode
) -> None:
    mine = root / "crm" / "people" / name
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"precious")
    table = replace(KEYED, claim=Claim("crm"))
    assert store.destination.refuses(table, mode) is not None
    with pytest.raises(LoadError, match=r"crm\.people: .*rows.*--adopt"):
        store.load({"id": 1}, table=table, mode=mode)
    store.load({"id": 1}, table=replace(table, claim=Claim("crm", adopt=True)), mode=mode)
    for number in (2, 3):
        store.load({"id": number}, table=table, mode=mode)
    assert mine.read_bytes() == b"precious"


def test_files_beside_the_rows_are_no_rows_and_stay(store: Store, root: Path) -> None:
    others = [root / "crm" / "people" / name for name in ("notes.txt", ".gitkeep", ".DS_Store")]
    others[0].parent.mkdir(parents=True)
    for one in others:
        one.write_text("precious")
    store.load({"id": 1})
    store.load({"id": 2})
    assert [one.read_text() for one in others] == ["precious"] * 3


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (("parts", "", "types", "id"), "BIGINT); copy (select 7) to '{spot}'; select (1"),
        (("parts", "", "files", 0, "name"), "crm/people/../../../secret.parquet"),
        (("parts", "", "files", 0, "name"), "/etc/passwd"),
        (("state", "columns", 0, "column_type"), "BIGINT); copy (select 7) to '{spot}'; --"),
        (("name",), "others"),
        (("state", "loads"), 7),
        (("state", "columns"), ["x"]),
    ],
)
def test_a_manifest_of_somebody_else_names_no_files_and_runs_no_statement(
    store: Store, root: Path, place: tuple[Any, ...], said: Any
) -> None:
    """Whoever may write to a store must not write our SQL."""
    spot = root.parent / "written"
    store.load({"id": 1}, mode="append")
    content: Any = manifest(root)
    *way, last = place
    holder = content
    for part in way:
        holder = holder[part]
    holder[last] = said.format(spot=spot) if isinstance(said, str) else said
    manifest_file(root).write_text(json.dumps(content))
    with pytest.raises(LoadError):
        store.load({"id": 2}, mode="append")
    assert not spot.exists()


def test_a_manifest_brings_no_state_but_ours(store: Store, root: Path) -> None:
    spot = root.parent / "written"
    store.load({"id": 1})
    content: Any = manifest(root)
    content["state"][f"loads select 1; copy (select 7) to '{spot}'; --"] = []
    manifest_file(root).write_text(json.dumps(content))
    store.load({"id": 2})
    assert store.values("id") == [2]
    assert not spot.exists()
