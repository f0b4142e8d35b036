"""dlt's side: one pipeline per table, whose state and schema live beside the rows.

Nothing of it stays on this machine: the working folder is made anew, and filled from the
destination, for each load.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Before dlt looks: it would tell its makers of each load. Whoever wants that sets it.
os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")

import dlt
from dlt.common.destination import Destination as DltDestination
from dlt.common.destination.capabilities import DestinationCapabilitiesContext
from dlt.common.exceptions import DltException

from connector_assets.errors import LoadError
from connector_assets.load.destination import Capabilities
from connector_assets.load.files.lock import PathLock
from connector_assets.load.files.scratch_folders import scratch_folder
from connector_assets.load.files.store_names import table_name
from connector_assets.load.ownership import Found, Owned
from connector_assets.load.table import Table, WriteMode

_KEY = "connector_assets"
_LONGEST_TEXT = 300
# In order of what a reader sees meanwhile: the old rows, or none.
_REPLACE = ("insert-from-staging", "staging-optimized", "truncate-and-insert")

# They read Parquet through a further driver only; without it dlt turns to CSV in silence.
_PARQUET_BY_DRIVER = {"postgres", "tsql", "fabric"}


@dataclass(frozen=True, slots=True)
class Road:
    """A destination that dlt knows by `name`; credentials come from dlt's own configuration.

    `staging` names another, where files wait for a warehouse that copies them from there. Of who
    has a DuckDB file that it loads into the end is waited for up to `wait_s` seconds.
    """

    name: str
    staging: str | None = None
    wait_s: float = 300

    @property
    def uri(self) -> str:
        return f"dlt:///{self.name}"

    @property
    def dialect(self) -> str | None:
        """The SQL it speaks, by sqlglot's name."""
        with self._told():
            destination = DltDestination.from_reference(self.name)
            assert destination is not None  # as it is only for no name
            return destination.capabilities().sqlglot_dialect

    @property
    def capabilities(self) -> Capabilities:
        """What dlt says of the destination, and what dlt itself leaves out everywhere."""
        with self._told():
            able = self._destination().capabilities()
        merges = able.supported_merge_strategies or []
        modes: set[WriteMode] = {"append", "replace"}
        modes |= {"merge"} if "delete-insert" in merges else set()
        modes |= {"scd2"} if "scd2" in merges else set()
        # A text with U+0000 arrives as it is in Parquet, though not everywhere.
        in_parquet = _reads_parquet(able, has_staging=self.staging is not None)
        return Capabilities(
            modes=frozenset(modes),
            partitions="delete-insert" in merges,
            nul=in_parquet and able.sqlglot_dialect != "redshift",
            widens=False,
            tombstones=False,
            empty_columns=False,
        )

    @contextmanager
    def pipeline(self, table: Table) -> Iterator[dlt.Pipeline]:
        """A pipeline with the state and the schema that the destination has for the table."""
        with scratch_folder() as folder, self._told():
            pipeline = dlt.pipeline(
                pipeline_name=_pipeline_name(table),
                pipelines_dir=str(folder),
                destination=self._destination(),
                staging=self.staging,
                dataset_name=table.schema,
            )
            try:
                with self._queued(pipeline):
                    pipeline.sync_destination()
                    yield pipeline
            finally:
                pipeline.deactivate()

    def _queued(self, pipeline: dlt.Pipeline) -> AbstractContextManager[Any]:
        """A turn at a DuckDB file, which one process may have open; our own loads queue, too."""
        if pipeline.destination.destination_type != "dlt.destinations.duckdb":
            return nullcontext()
        credentials: Any = pipeline.destination_client().config.credentials
        path = Path(credentials.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        return PathLock(path.with_name(f"{path.name}.lock"), what=self.uri, wait_s=self.wait_s)

    def _destination(self) -> Any:
        destination = DltDestination.from_reference(self.name)
        assert destination is not None  # as it is only for no name
        able = destination.capabilities()
        if able.replace_strategies_selector is not None:
            return destination  # files: what it can do depends on the table's format
        supported = able.supported_replace_strategies or ()
        strategy = next((one for one in _REPLACE if one in supported), None)
        if strategy is None:
            return destination
        return DltDestination.from_reference(self.name, replace_strategy=strategy)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except DltException as error:
            # Without the cause: dlt's errors quote statements, and with them values.
            raise LoadError(
                _words(error), where=self.uri, fix="see dlt's documentation of this destination"
            ) from None


@dataclass(frozen=True, slots=True)
class TableState:
    """What is remembered of a table, in dlt's state: it counts once its package is loaded.

    `names` maps columns, as they are typed, to the destination's. `cursors` and `loads` are by
    partition; cursors as JSON text, since dlt keeps integers up to 64 bit only.
    """

    columns: list[dict[str, Any]]
    names: dict[str, str]
    cursors: dict[str, str]
    loads: dict[str, dict[str, Any]]
    owned: dict[str, Any]

    @classmethod
    def of(cls, pipeline: dlt.Pipeline) -> TableState:
        sources = pipeline.state.get("sources", {})
        kept: Mapping[str, Any] = sources.get(pipeline.default_schema_name or "", {}).get(_KEY, {})
        return cls(
            list(kept.get("columns", [])),
            dict(kept.get("names", {})),
            dict(kept.get("cursors", {})),
            dict(kept.get("loads", {})),
            dict(kept.get("owned", {})),
        )

    def cursor(self, table: Table) -> Any:
        return json.loads(self.cursors.get(table.partition or "", "null"))

    def last_load(self, table: Table) -> str:
        return str(self.loads.get(table.partition or "", {}).get("load_id", ""))

    def found(self) -> Found:
        """What there is under the table's name, as far as dlt's own state says it."""
        owned = self.owned
        return Found(
            kind="table" if self.columns else None,
            has_rows=bool(self.columns),
            is_known=bool(self.columns),
            has_history=owned.get("mode") == "scd2",
            owned=Owned(owned["connection"], tuple(owned["key"]), owned["mode"]) if owned else None,
        )

    def keep(self) -> None:
        """Store it with the package that is being extracted."""
        dlt.current.source_state()[_KEY] = {
            "columns": self.columns,
            "names": self.names,
            "cursors": self.cursors,
            "loads": self.loads,
            "owned": self.owned,
        }


def capabilities(pipeline: dlt.Pipeline) -> DestinationCapabilitiesContext:
    return pipeline.destination.capabilities()


def takes_parquet(pipeline: dlt.Pipeline) -> bool:
    """Whether it reads Parquet, itself or from a staging destination."""
    return _reads_parquet(capabilities(pipeline), has_staging=bool(pipeline.staging))


def _reads_parquet(able: DestinationCapabilitiesContext, *, has_staging: bool) -> bool:
    if able.sqlglot_dialect in _PARQUET_BY_DRIVER:
        return False
    return "parquet" in (able.supported_loader_file_formats or []) or has_staging


def stored_name(pipeline: dlt.Pipeline, name: str) -> str:
    """A name as the destination has it, by dlt's naming convention."""
    return str(pipeline.destination_client().schema.naming.normalize_identifier(name))


def _pipeline_name(table: Table) -> str:
    """One for each table, so that tables load side by side and each has a state of its own."""
    text = f"{table.schema}.{table.name}"
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{_KEY}_{table_name(text)[:40]}_{digest}".lower()


def _words(error: BaseException) -> str:
    """The first line of what went wrong, without quoted statements or values."""
    while isinstance(inner := getattr(error, "exception", None) or error.__cause__, DltException):
        error = inner
    text = str(getattr(error, "failed_message", "") or inner or error).strip()
    line = re.sub(r': ".*"', "", text.splitlines()[0]) if text else ""
    return f"{type(error).__name__}: {line}"[:_LONGEST_TEXT]
