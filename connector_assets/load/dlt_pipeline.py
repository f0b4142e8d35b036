"""dlt's side: one pipeline per table, whose state and schema live beside the rows.

Nothing of it stays on this machine: the working folder is made anew, and filled from the
destination, for each load.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# Before dlt looks: it would tell its makers of each load. Whoever wants that sets it.
os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")

import dlt
from dlt.common.destination import Destination as DltDestination
from dlt.common.destination.capabilities import DestinationCapabilitiesContext
from dlt.common.exceptions import DltException

from connector_assets.errors import LoadError
from connector_assets.load.names import table_name
from connector_assets.load.table import Table

_KEY = "connector_assets"
_LONGEST_TEXT = 300
# In order of what a reader sees meanwhile: the old rows, or none.
_REPLACE = ("insert-from-staging", "staging-optimized", "truncate-and-insert")

# They read Parquet through a further driver only; without it dlt turns to CSV in silence.
_PARQUET_BY_DRIVER = {"postgres", "tsql", "fabric"}


@dataclass(frozen=True, slots=True)
class Road:
    """A destination that dlt knows by `name`; credentials come from dlt's own configuration.

    `staging` names another, where files wait for a warehouse that copies them from there.
    """

    name: str
    staging: str | None = None

    @property
    def uri(self) -> str:
        return f"dlt:///{self.name}"

    @contextmanager
    def pipeline(self, table: Table) -> Iterator[dlt.Pipeline]:
        """A pipeline with the state and the schema that the destination has for the table."""
        with tempfile.TemporaryDirectory() as folder, self._told():
            pipeline = dlt.pipeline(
                pipeline_name=_pipeline_name(table),
                pipelines_dir=folder,
                destination=self._destination(),
                staging=self.staging,
                dataset_name=table.schema,
            )
            try:
                pipeline.sync_destination()
                yield pipeline
            finally:
                pipeline.deactivate()

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

    @classmethod
    def of(cls, pipeline: dlt.Pipeline) -> TableState:
        sources = pipeline.state.get("sources", {})
        kept: Mapping[str, Any] = sources.get(pipeline.default_schema_name or "", {}).get(_KEY, {})
        return cls(
            list(kept.get("columns", [])),
            dict(kept.get("names", {})),
            dict(kept.get("cursors", {})),
            dict(kept.get("loads", {})),
        )

    def cursor(self, table: Table) -> Any:
        return json.loads(self.cursors.get(table.partition or "", "null"))

    def keep(self) -> None:
        """Store it with the package that is being extracted."""
        dlt.current.source_state()[_KEY] = {
            "columns": self.columns,
            "names": self.names,
            "cursors": self.cursors,
            "loads": self.loads,
        }


def capabilities(pipeline: dlt.Pipeline) -> DestinationCapabilitiesContext:
    return pipeline.destination.capabilities()


def takes_parquet(pipeline: dlt.Pipeline) -> bool:
    """Whether it reads Parquet, itself or from a staging destination."""
    able = capabilities(pipeline)
    if able.sqlglot_dialect in _PARQUET_BY_DRIVER:
        return False
    return "parquet" in (able.supported_loader_file_formats or []) or bool(pipeline.staging)


def takes_nul(pipeline: dlt.Pipeline) -> bool:
    """Whether a text with U+0000 arrives as it is."""
    dialect = capabilities(pipeline).sqlglot_dialect
    return takes_parquet(pipeline) and dialect != "redshift"


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
