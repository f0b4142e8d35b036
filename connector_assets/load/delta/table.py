"""One Delta table: what is in it, and one commit.

What loads remember is a file in the table's folder `_connector_assets`, which readers and VACUUM
pass by. A commit names the file by the version of its `txn` action: so file and rows count at
once, and of two commits on the same state the second is refused, which is how Delta keeps a writer
from writing twice.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_assets.errors import LoadError
from connector_assets.load.delta.parts import DeltaPart, dataset, parts_of
from connector_assets.load.delta.rewrite import Rewrite, can_rewrite
from connector_assets.load.delta.store import DeltaStore
from connector_assets.load.duckdb.sql import literal, quoted
from connector_assets.load.duckdb.tables import PARTITION
from connector_assets.load.lake.facts import Facts
from connector_assets.load.lake.store import Bounds, Change, Conflict, Fence, ScratchRows
from connector_assets.load.table import Column

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from duckdb import DuckDBPyConnection

APP = "connector_assets"
_FOLDER = "_connector_assets"
_NUMBER_BITS = 32
_OP, _KEY = "connector_assets_op", "connector_assets_key_"
# A merge of fewer rows is held in memory, so that files may be left out by their keys.
_FEW = 100_000
_MERGE_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class DeltaSnapshot:
    """A version of the table; `number` is the `txn` version of our last commit, 0 without one."""

    store: DeltaStore
    delta: DeltaTable | None
    facts: Facts = field(default_factory=Facts)
    number: int = 0
    columns: Mapping[str, str] | None = None

    def described(self) -> Sequence[Column]:
        if self.delta is None:
            return []
        return [
            Column(one.name, _type_name(one.type), one.nullable)
            for one in self.delta.schema().fields
        ]

    def count(self) -> int:
        return self.delta.count() if self.delta is not None else 0

    def parts(self, bounds: Bounds | None = None) -> Iterator[DeltaPart]:
        if self.delta is not None:
            yield from parts_of(self.delta, bounds)

    def show(self, connection: DuckDBPyConnection, name: str) -> None:
        if self.delta is not None:
            connection.register(name, dataset(self.delta))


def look(store: DeltaStore, folder: Path) -> DeltaSnapshot:
    """The table at this place now."""
    import duckdb

    delta = store.opened()
    if delta is None:
        # Files without a log are somebody's, and a VACUUM of ours would delete them.
        return DeltaSnapshot(store, None, columns={} if store.has_files() else None)
    number = delta.transaction_version(APP) or 0
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("rows", dataset(delta))
        described = connection.execute("describe from rows").fetchall()
    columns = {name: type_ for name, type_, *_ in described}
    return DeltaSnapshot(store, delta, _facts(store, number, folder), number, columns)


def _facts(store: DeltaStore, number: int, folder: Path) -> Facts:
    if not number:
        return Facts()
    name = f"{_FOLDER}/{number:020d}"
    text = store.read(f"{name}.json")
    if text is None:
        raise LoadError(
            f"{name}.json is missing, which has the position of its last load",
            where=store.uri,
            fix="restore it, or drop the table to load it anew",
        )
    has_items = False
    with suppress(ValueError):  # which Facts will say, too
        text, has_items = _without_items(text)
    items = folder / f"{number}.parquet"
    if has_items:
        content = store.read(f"{name}.items.parquet")
        if content is None:
            what = f"{name}.items.parquet is missing"
            raise LoadError(what, where=store.uri, fix="restore it, or drop the table")
        items.write_bytes(content)
    return Facts.parsed(text, store.uri, items if has_items else None)


def _without_items(text: bytes) -> tuple[bytes, bool]:
    """The state, and whether a file of positions belongs to it."""
    state = json.loads(text)
    has_items = isinstance(state, dict) and bool(state.pop("items", False))
    return json.dumps(state).encode(), has_items


@dataclass(frozen=True, slots=True)
class DeltaCommit:
    """A change on its way into the table."""

    before: DeltaSnapshot
    change: Change
    fence: Fence
    written: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Write rows, and then the one line of the log that makes them and the facts count."""
        from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

        store, number = self.before.store, self._next_number()
        self._keep_facts(number)
        try:
            self._write(number)
        except (CommitFailedError, TableNotFoundError) as error:
            self._drop(number)
            raise Conflict from error
        except BaseException as error:
            self._drop(number)
            if isinstance(error, DeltaError) and self.before.delta is None and store.opened():
                raise Conflict from error  # somebody has made it meanwhile
            raise
        # Not those of who begins from the same state and may still be at work.
        oldest = number >> _NUMBER_BITS << _NUMBER_BITS
        store.sweep(_FOLDER, {self.before.number}, below=oldest)

    def _next_number(self) -> int:
        """Higher than the last one, and nobody else's who begins from the same state."""
        count = (self.before.number >> _NUMBER_BITS) + 1
        return count << _NUMBER_BITS | secrets.randbits(_NUMBER_BITS)

    def _keep_facts(self, number: int) -> None:
        facts, name = self.change.facts, f"{_FOLDER}/{number:020d}"
        if facts.items is not None:
            self.before.store.write(f"{name}.items.parquet", facts.items.read_bytes())
        state = {**facts.state, **({"items": True} if facts.items is not None else {})}
        self.before.store.write(f"{name}.json", json.dumps(state).encode())

    def _drop(self, number: int) -> None:
        """Delete what was never committed: a commit may be done although its answer was lost."""
        delta = self.before.store.opened()
        if delta is None or delta.transaction_version(APP) != number:
            self.before.store.delete(f"{_FOLDER}/{number:020d}.items.parquet")
            self.before.store.delete(f"{_FOLDER}/{number:020d}.json")
            for name in self.written:
                self.before.store.delete(name)

    def _write(self, number: int) -> None:
        properties = self._properties(number)
        if self.before.delta is not None and self.change.gone is not None and not self._is_part():
            self._by_key(self.before.delta, self.change.gone, properties)
            return
        self._allow_times()
        from deltalake import write_deltalake

        way: dict[str, Any] = {"mode": "append"}
        delta = self.before.delta
        if delta is None:
            way = {"mode": "error"}
        elif self.change.way == "replace":
            way = {"mode": "overwrite", "schema_mode": "overwrite"}
        elif self.change.way == "part":
            way = {"mode": "overwrite", "predicate": self._predicate()}
        if self._adds_columns() and "schema_mode" not in way and delta is not None:
            way["schema_mode"] = "merge"
        with self.change.rows.reader(self.fence) as rows:
            write_deltalake(
                delta if delta is not None else self.before.store.url,
                rows,
                storage_options=self.before.store.options,
                commit_properties=properties,
                **way,
            )

    def _by_key(self, delta: DeltaTable, gone: ScratchRows, properties: Any) -> None:
        self._allow_times()
        if self._adds_columns() or not can_rewrite(delta):
            self._merge(delta, gone, properties)
            return
        Rewrite(self.before.store, delta, self.change, self.fence, self.written).run(properties)

    def _is_part(self) -> bool:
        return self.change.partition is not None

    def _adds_columns(self) -> bool:
        return not set(self.change.rows.types) <= set(self.before.columns or ())

    def _allow_times(self) -> None:
        """A table that had no time without a zone takes one as a feature that it is to have."""
        if self.before.delta is None or "TIMESTAMP" not in " ".join(self._new_types()):
            return
        from deltalake import TableFeatures

        features = self.before.delta.protocol().writer_features or []
        if "timestampNtz" not in features:
            self.before.delta.alter.add_feature(
                TableFeatures.TimestampWithoutTimezone, allow_protocol_versions_increase=True
            )
            raise Conflict  # the table has moved, by our own hand

    def _new_types(self) -> list[str]:
        had = self.before.columns or {}
        new = [type_ for name, type_ in self.change.columns.items() if had.get(name) != type_]
        return [type_.replace("TIMESTAMP WITH TIME ZONE", "") for type_ in new]

    def _predicate(self) -> str:
        """What a change of a partition takes away, in DataFusion's SQL."""
        parts = [f"{quoted(PARTITION)} = {literal(self.change.partition or '')}"]
        if self.change.gone is not None:
            with self.change.gone.reader() as reader:
                rows = reader.read_all().to_pylist()
            parts += [
                "(" + " and ".join(f"{quoted(n)} = {_literal(v)}" for n, v in row.items()) + ")"
                for row in rows
            ]
        return " or ".join(parts)

    def _merge(self, delta: DeltaTable, gone: ScratchRows, properties: Any) -> None:
        """Delete the rows whose identity is in `gone` and add the new ones, in one commit."""
        self.fence()
        source = _source(self.change.rows, gone)
        names = list(self.change.rows.types)
        keys = {name: quoted(_KEY + str(n)) for n, name in enumerate(gone.types)}
        same = [f"t.{quoted(name)} = s.{key}" for name, key in keys.items()]
        with source.reader(self.fence) as rows:
            merge = delta.merge(
                rows,
                " and ".join([f"s.{quoted(_OP)} = 'gone'", *same]),
                source_alias="s",
                target_alias="t",
                merge_schema=self._adds_columns(),
                streamed_exec=source.count > _FEW,
                max_spill_size=_MERGE_BYTES,
                commit_properties=properties,
            )
            merge = merge.when_matched_delete()
            values = {quoted(name): f"s.{quoted(name)}" for name in names}
            merge.when_not_matched_insert(values, f"s.{quoted(_OP)} = 'new'").execute()

    def _properties(self, number: int) -> Any:
        from deltalake import CommitProperties
        from deltalake.transaction import Transaction

        # Rows that are added are added to whatever others did: the library sees to it that nobody
        # else has our `txn`. What goes was found in one version, and must still be all there is.
        # Who makes the table has seen no version at all, so nothing is compared with it.
        retries = None if self.change.blind and self.before.delta is not None else 0
        return CommitProperties(
            max_commit_retries=retries,
            custom_metadata={"connector_assets": {"load_id": self.change.load_id}},
            app_transactions=[Transaction(APP, number)],
        )


def _source(rows: ScratchRows, gone: ScratchRows) -> ScratchRows:
    """One table of the rows that come and of the identities that go, for a merge."""
    named = ", ".join(map(quoted, rows.types))
    keys = ", ".join(
        f"CAST(NULL AS {type_}) AS {quoted(_KEY + str(n))}"
        for n, type_ in enumerate(gone.types.values())
    )
    new = f"select {named}, 'new' AS {quoted(_OP)}, {keys} from ({rows.sql})"
    nulls = ", ".join(f"CAST(NULL AS {t}) AS {quoted(name)}" for name, t in rows.types.items())
    found = ", ".join(
        f"{quoted(name)} AS {quoted(_KEY + str(n))}" for n, name in enumerate(gone.types)
    )
    old = f"select {nulls}, 'gone' AS {quoted(_OP)}, {found} from ({gone.sql})"
    types = {**rows.types, _OP: "VARCHAR"}
    sql = f"{old} union all {new}"
    return ScratchRows(rows.path, sql, types, rows.count + gone.count, rows.where)


def _literal(value: Any) -> str:
    return literal(value) if isinstance(value, str) else str(int(value))


def _type_name(type_: Any) -> str:
    """`long`, `decimal(10,2)`; what is nested as Delta's JSON has it."""
    is_plain = type(type_).__name__ == "PrimitiveType"
    return str(type_.type if is_plain else type_.to_json())
