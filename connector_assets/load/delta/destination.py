"""Delta Lake tables as a destination: `<root>/<schema>/<table>/`, through delta-rs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from connector_assets.load.delta.store import DeltaStore, as_delta_errors
from connector_assets.load.delta.table import DeltaCommit, DeltaSnapshot, look
from connector_assets.load.files.store_names import file_name
from connector_assets.load.lake.destination import LakeDestination
from connector_assets.load.lake.store import Change, Fence, Snapshot
from connector_assets.load.lake.stored import COMMON, Storing
from connector_assets.load.table import Table

_STORING = Storing({**COMMON, "TIME": "VARCHAR"})
# A key of a row that another partition has is named in the commit's condition.
_MOST_GONE = 200


class DeltaFormat:
    """Delta tables below one folder or prefix."""

    def __init__(self, root: str) -> None:
        """`root` is a local path, or a URL such as `s3://bucket/prefix`."""
        self._root = root.rstrip("/")

    @property
    def uri(self) -> str:
        is_url = "://" in self._root
        return f"delta+{self._root}" if is_url else f"delta+file:///{self._root}"

    @property
    def storing(self) -> Storing:
        return _STORING

    @property
    def most_gone_in_part(self) -> int:
        return _MOST_GONE

    def look(self, table: Table, folder: Path) -> DeltaSnapshot:
        with as_delta_errors(self.uri):
            return look(self._store(table), folder)

    def commit(
        self, table: Table, before: Snapshot, change: Change, look: Callable[[], None]
    ) -> None:
        assert isinstance(before, DeltaSnapshot)
        fence = Fence(look)
        with as_delta_errors(table.where):
            DeltaCommit(before, change, fence).run()

    def _store(self, table: Table) -> DeltaStore:
        where = f"{file_name(table.schema)}/{file_name(table.name)}"
        return DeltaStore(f"{self._root}/{where}", f"{self.uri}/{where}")


class DeltaDestination(LakeDestination):
    """Delta Lake tables in a folder or an object store: schema and table are folders.

    `root` is a local path, or a URL such as `s3://bucket/prefix`.
    """

    def __init__(self, root: Path | str, *, wait_s: float = 300) -> None:
        super().__init__(DeltaFormat(str(root)), wait_s=wait_s)
