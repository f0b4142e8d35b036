"""Rows through Parquet files in the user's stage: the warehouse writes them all, then each is read.

Files do not change, so a run that was killed goes on with the first that is not safe. They are
removed at the end; those of a run that never came back are the next full run's to remove.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Unload:
    """A statement whose rows come through files."""

    ctx: PluginContext[SnowflakeSettings]
    session: Session
    select: str
    high: Any

    def rows(self) -> Iterator[Any]:
        """The rows of all files; a checkpoint after each."""
        resumed: Mapping[str, Any] | None = self.ctx.resume
        columns = self._columns()
        place, done = (resumed["stage"], resumed["done"]) if resumed else ("", None)
        files = self._files(place) if done is not None else []
        if done is None or not files:
            if done:
                self.ctx.log.warning("the unloaded files are gone: reading anew")
                yield Batch(b"", 0, void_after="")
            self._remove(place)
            place, done = f"{_ROOT}/{uuid.uuid4().hex}", 0
            yield self.ctx.checkpoint({"stage": place, "done": None, "high": self.high})
            self._unload(place, columns)
            yield self.ctx.checkpoint({"stage": place, "done": 0, "high": self.high})
            files = self._files(place)
        self.ctx.metadata(unloaded_files=len(files), unloaded_bytes=sum(size for _, size in files))
        for number, (name, _) in enumerate(files[done:], done + 1):
            yield from self._read(name, columns)
            yield self.ctx.checkpoint({"stage": place, "done": number, "high": self.high})
        self._remove(place)

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
