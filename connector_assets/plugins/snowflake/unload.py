"""Rows through Parquet files in the user's stage: the warehouse writes them all, then each is read.

Files do not change, so a run that was killed goes on with the first that is not safe. They are
removed at the end; those of a run that never came back, by the first new read of the same stream
(or partition) a week later: until then another project may be reading them.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from connector_assets.plugins.snowflake.columns import SourceColumn, as_described, described
from connector_assets.plugins.snowflake.settings import SnowflakeSettings
from connector_assets.reading.connector import Batch
from connector_assets.reading.plugin_context import PluginContext
from connector_assets.snowflake.session import Session

_ROOT = "connector_assets"
_MB = 1 << 20
_BLOCK = 1 << 20
_KEPT = dt.timedelta(days=7)


@dataclass(frozen=True)
class Unload:
    """A statement whose rows come through files."""

    ctx: PluginContext[SnowflakeSettings]
    session: Session
    select: str
    high: Any

    def rows(self) -> Iterator[Any]:
        """The rows of all files; a checkpoint after each."""
        mark: Mapping[str, Any] = self.ctx.resume or {}
        files = self._left(mark)
        if files is None:
            if mark.get("done"):
                self.ctx.log.warning("the unloaded files are gone: reading anew")
                yield Batch(b"", 0, void_after="")
            self._remove(mark.get("stage", ""))
            self._remove_forgotten()
            columns, place = self._columns(), f"{self._root}/{uuid.uuid4().hex}"
            mark = {"stage": place, "done": None, "high": self.high}
            yield self.ctx.checkpoint(mark)
            self._unload(place, columns)
            files = self._files(place)
            told = [astuple(column) for column in columns]
            mark = {**mark, "done": 0, "files": len(files), "columns": told}
            yield self.ctx.checkpoint(mark)
        self.ctx.metadata(unloaded_files=len(files), unloaded_bytes=sum(size for _, size in files))
        # Of the time of the files: the table may have other columns by now.
        columns = [SourceColumn(*column) for column in mark["columns"]]
        for number, (name, _) in enumerate(files[mark["done"] :], mark["done"] + 1):
            yield from self._read(name, columns)
            yield self.ctx.checkpoint({**mark, "done": number})
        self._remove(mark["stage"])

    def _left(self, mark: Mapping[str, Any]) -> list[tuple[str, int]] | None:
        """The files of a run that was killed, if all are still there; else None."""
        if mark.get("done") is None or not mark.get("files"):
            return None
        files = self._files(mark["stage"])
        return files if len(files) == mark["files"] else None

    @cached_property
    def _root(self) -> str:
        """The folder of this stream alone, or of its partition."""
        what = f"{self.ctx.connection}\n{self.ctx.label}\n{self.ctx.config.database}"
        return f"{_ROOT}/{hashlib.sha256(what.encode()).hexdigest()[:16]}"

    def _remove_forgotten(self) -> None:
        """Remove what runs left behind that were killed, and never gone on with."""
        before = dt.datetime.now(dt.UTC) - _KEPT
        for name, _, _, changed, *_ in self.session.run(f"list @~/{self._root}/"):
            if parsedate_to_datetime(changed) < before:
                self.session.run(f"remove '@~/{name}'")

    def _columns(self) -> list[SourceColumn]:
        with self.session.cursor() as cursor:
            return described(cursor.describe(self.select))

    def _unload(self, place: str, columns: list[SourceColumn]) -> None:
        fields = ", ".join(column.unloaded() for column in columns)
        size = self.ctx.config.file_mb * _MB
        told = self.session.run(
            f"copy into @~/{place}/ from (select {fields} from ({self.select})) "
            f"file_format = (type = parquet) header = true max_file_size = {size}"
        )
        self.ctx.progress(total=int(told[0][0]))

    def _files(self, place: str) -> list[tuple[str, int]]:
        """The files there, in the order of their names; with their sizes."""
        return sorted((row[0], int(row[1])) for row in self.session.run(f"list @~/{place}/"))

    def _remove(self, place: str) -> None:
        if place:
            self.session.run(f"remove @~/{place}/")

    def _read(self, name: str, columns: list[SourceColumn]) -> Iterator[Any]:
        with tempfile.TemporaryDirectory(prefix="connector_assets-") as folder:
            path = Path(folder, "rows.parquet")
            with (
                self.session.cursor() as cursor,
                path.open("wb") as file,
                cursor.download_stream(f"@~/{name}") as source,
            ):
                while block := source.read(_BLOCK):
                    file.write(block)
            with pq.ParquetFile(path) as parquet:
                for group in range(parquet.num_row_groups):
                    rows = parquet.read_row_group(group)
                    yield as_described(rows, columns, self.ctx.label)
