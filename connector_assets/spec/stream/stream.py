"""Streams as frozen models: one list of records, which becomes one table and one asset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from connector_assets.spec.names.catalogue import Tags
from connector_assets.spec.names.model import Many, Model, fault
from connector_assets.spec.names.names import (
    EndpointId,
    Prose,
    StreamName,
    TableName,
    Text,
    VariableName,
)
from connector_assets.spec.request.body import Value
from connector_assets.spec.stream.fields import Condition, Expand, Fields, OneField
from connector_assets.spec.stream.for_each import ForEach
from connector_assets.spec.stream.incremental import Incremental
from connector_assets.spec.stream.odd_text import OddText
from connector_assets.spec.stream.table_checks import Checks
from connector_assets.spec.templates.template import Template

WriteMode = Literal["append", "replace", "merge", "scd2"]


class Column(Model):
    """What is known of a column before a row was read: `{type: bigint, description: …}`."""

    type: Annotated[str, Field(min_length=1)] | None = None
    """Its type in the destination; default: inferred."""
    description: Prose = ""
    """What it holds; shown with the asset, and the column's comment in the database."""
    not_null: bool = False
    """Whether each row must have a value: one that has none is an error that names the first such
    row, or is set aside (`schemaPolicy: quarantine`); the column becomes NOT NULL.
    """
    tags: Tags = {}
    """Tags of the column, as `{pii: ""}`: a column tagged `pii` is left out of sample rows."""


class Overflow(Model):
    """Keys that get no column of their own, as the object in one JSON column has them.

    Columns that the table has, declared ones and those of the key stay columns.
    """

    into: Annotated[str, Field(min_length=1)]
    """Name of that column."""
    after: Annotated[int, Field(ge=1)] = 400
    """How many keys get columns, in order of appearance. PostgreSQL has room for 400 in a row,
    whatever they hold, and for 1,600 numbers or nulls.
    """


class Initial(Model):
    """What a stream takes instead until it has a position, as an export of all before a feed.

    `{endpoint: export}`; what is not given stays as the stream has it.
    """

    endpoint: EndpointId | None = None
    """The endpoint that is read until then."""
    vars: dict[VariableName, Value] = {}
    """Bound for its templates, over those of the stream."""
    incremental: Incremental | None = None
    """How its rows hold the position that the stream goes on from, and what its requests send."""
    expand: OneField | Expand | Many[OneField | Expand] | None = None
    """Path of a list in each row, as the stream's own."""
    where: Condition | None = None
    """Which rows to keep, as the stream's own."""
    fields: Fields = Fields()
    """Fields added, removed, renamed, cast, masked, instead of the stream's own."""


class Index(Model):
    """An index of the table: `{columns: [country, city], unique: true}`."""

    columns: Annotated[Many[str], Field(min_length=1)]
    """Its columns, as dotted paths by the table's names."""
    unique: bool = False
    """Whether no two rows may have the same values there."""


class StreamDefaults(Model):
    """What every stream takes unless it says otherwise.

    `vars`, `let`, `fields`, `columns` and `checks` are merged key by key, all else is replaced.
    """

    vars: dict[VariableName, Value] = {}
    """Bound for this stream's templates; a connection may set others."""
    let: dict[VariableName, Value] = {}
    """Names for what several templates share, by templates which may read `item`, `parent`,
    `window`, `cursor` and the names before them. One that reads `record` is computed for each
    row, and only `where`, `fields` and `deletedWhen` may read it.
    """
    primary_key: Many[str] = ()
    """Dotted paths of what identifies a row, by the table's names. Merge writes one row per
    key, the last one wins; a null or absent key is an error.
    """
    write_mode: WriteMode | None = None
    """What a load does to the table: replace it, append to it, merge by `primaryKey`, or keep
    every version of a row with its times (`scd2`). Default: merge with `primaryKey` and
    `incremental`, else replace.
    """
    incremental: Incremental | None = None
    """Reads only what changed since the last run; default: everything, each time."""
    for_each: Many[ForEach] = ()
    """Read once for each item of a list or of a parent's rows; several make a product."""
    on_item_error: Literal["fail", "skip"] = "fail"
    """What an item of `forEach` that cannot be read does: fail the stream, or be skipped and
    reported in the run's notes. A request that the guard refuses always fails.
    """
    expand: OneField | Expand | Many[OneField | Expand] | None = None
    """Path of a list in each row: one row per element, in the list's place; several in turn."""
    where: Condition | None = None
    """Which rows to keep, as "{{ record.status != 'draft' }}"; after `expand`."""
    fields: Fields = Fields()
    """Fields added, removed, renamed, cast, masked."""
    docs_url: Text | None = None
    """Where the vendor documents this list; default the connector's `docsUrl`."""
    columns: dict[str, str | Column] = {}
    """Declared columns, by their type, as `id: bigint`, or with more:
    `id: {type: bigint, description: …}`. The types of others are inferred.
    """
    indexes: Many[str | Many[str] | Index] = ()
    """Indexes that databases are to have of the table: `[email, [country, city]]`, or each as
    `{columns: […], unique: true}`. They are made once their columns are there, and never dropped.
    """
    key_constraint: bool = False
    """Whether databases are to have `primaryKey` as the table's PRIMARY KEY."""
    load_columns: Many[Literal["loaded_at", "load_id"]] = ()
    """Columns beside those of the rows: `_loaded_at`, when a row was written last, and
    `_load_id`, by which load. A row that a merge finds unchanged keeps them.
    """
    deleted_when: Condition | None = None
    """Which rows say that their key is gone, as "{{ record.deleted }}"; merge deletes those."""
    text: OddText = OddText()
    """What becomes of NULs, half characters and NaN, which not every table can hold."""
    schema_policy: Literal["evolve", "freeze", "quarantine"] = "evolve"
    """What a new or changed column does: change the table, be an error that names the first row,
    or set the row aside in `<table>__rejected`. But for `evolve`, a new key that is null in all
    rows is left out.
    """
    on_misfit: Literal["fail", "drop"] = "fail"
    """What a value does that does not fit its column, by its declared type or where
    `schemaPolicy` keeps columns as they are: what `schemaPolicy` says, or be left out: the row is
    kept, the value is NULL, and the run counts it. A key and what is `notNull` is never left out.
    """
    overflow: Overflow | None = None
    """What becomes of keys beyond the first, where a row has hundreds of them; by default each key
    gets a column.
    """
    checks: Checks = Checks()
    """What must hold of the table after each load."""


class Stream(StreamDefaults):
    """One list of records: one table and one asset."""

    name: StreamName
    """Name of the table and last part of the asset's key; unique in the connector."""
    endpoint: EndpointId | None = None
    """Default: the endpoint of the same name, else `read.primary`."""
    description: Prose = ""
    """Shown with the asset, and the table's comment in the database."""
    table: TableName | None = None
    """Name of the table, if not that of the stream."""
    initial: Initial | None = None
    """What is read instead as long as no position is stored with the table."""

    @property
    def at_first(self) -> Stream:
        """The stream as its first load reads it, when no position is stored yet.

        What `initial` says then holds in place of the stream's own; without it this is the stream.
        """
        if self.initial is None:
            return self
        given = {name: getattr(self.initial, name) for name in self.initial.model_fields_set}
        variables = {**self.vars, **self.initial.vars}
        return self.model_copy(update={**given, "vars": variables, "initial": None})

    @property
    def expansions(self) -> tuple[Expand, ...]:
        """The value of `expand` in its long form: a list of expansions."""
        given = self.expand if isinstance(self.expand, tuple) else (self.expand,)
        return tuple(
            Expand.model_construct(path=one) if isinstance(one, str) else one
            for one in given
            if one is not None
        )

    @property
    def column_types(self) -> dict[str, str]:
        """The types that the stream declares, by column."""
        return {
            name: text
            for name, one in self.columns.items()
            if (text := one.type if isinstance(one, Column) else one)
        }

    @property
    def all_indexes(self) -> tuple[Index, ...]:
        """The value of `indexes` in its long form."""
        return tuple(
            one
            if isinstance(one, Index)
            else Index.model_construct(columns=(one,) if isinstance(one, str) else one)
            for one in self.indexes
        )

    @property
    def table_name(self) -> str:
        """What the table is called, but for characters that it cannot have."""
        return self.table or self.name

    def column(self, name: str) -> Column:
        """Return what the stream declares of the column `name`, which may be nothing."""
        found = self.columns.get(name, "")
        return found if isinstance(found, Column) else Column(type=found or None)

    @property
    def mode(self) -> WriteMode:
        """The write mode of the stream, also where the document leaves it to the default."""
        if self.write_mode:
            return self.write_mode
        return "merge" if self.primary_key and self.incremental else "replace"

    @property
    def made_cursor(self) -> str:
        """The path of the cursor field if `fields.add` computes it, else "".

        The path is the one in rows as they are loaded, not as the source sends them.
        """
        cursor = str(self.incremental.cursor_field or "") if self.incremental else ""
        made = any(cursor == path or cursor.startswith(f"{path}.") for path in self.fields.add)
        return self.fields.own_name(cursor) if made else ""

    @property
    def parents(self) -> tuple[str, ...]:
        """The streams whose rows this one is read for."""
        return tuple(parent.stream for each in self.for_each for parent in each.parents)

    @property
    def reads_changed(self) -> bool:
        """Whether items are left out whose parent has not changed."""
        return any(parent.changed for each in self.for_each for parent in each.parents)

    @model_validator(mode="after")
    def _checks_fit(self) -> Self:
        if self.checks.key and not self.primary_key:
            raise fault("checks.key", "needs a stream with primaryKey")
        if self.key_constraint and not self.primary_key:
            raise fault("keyConstraint", "needs a stream with primaryKey")
        if self.key_constraint and self.mode in ("append", "scd2"):
            raise fault("keyConstraint", f"is not for {self.mode}, which keeps a key many times")
        unknown = self.checks.unknown_blocking()
        if unknown:
            raise fault("checks.blocking", unknown)
        return self

    @model_validator(mode="after")
    def _begins_with_a_position(self) -> Self:
        if self.initial is not None and self.incremental is None:
            raise fault("initial", "is for a stream with incremental, which has positions")
        return self

    @model_validator(mode="after")
    def _one_batch(self) -> Self:
        if sum(each.batch is not None for each in self.for_each) > 1:
            raise fault("forEach", "can read one of its lists in batches, not more")
        return self

    @model_validator(mode="after")
    def _modes_fit(self) -> Self:
        if self.reads_changed and self.mode not in ("merge", "scd2"):
            raise fault("writeMode", "must be merge, so that rows of unchanged parents stay")
        if self.deleted_when is not None and self.mode != "merge":
            raise fault(
                "deletedWhen", "deletes rows of a table that is merged; set writeMode: merge"
            )
        return self

    @model_validator(mode="after")
    def _incremental_fits(self) -> Self:
        if self.incremental is None:
            return self
        if self.mode == "replace":
            raise fault(
                "primaryKey", "is required with incremental; a table of only new rows is not"
            )
        if self.mode == "append" and not self.primary_key:
            raise fault("primaryKey", "is required to append incrementally; servers repeat rows")
        if self.mode == "append" and self.incremental.kind != "field":
            raise fault("writeMode", "append would double rows that come again; use merge")
        if self.mode == "append" and self.incremental.lookback:
            raise fault("writeMode", "append would double the rows of lookback; use merge")
        return self


class DynamicStream(Stream):
    """Streams that an endpoint lists: one for each of its rows, named once by `discover`.

    `{from: tables, name: "{{record.name}}", endpoint: records, vars: {id: "{{record.id}}"}}`
    """

    from_: EndpointId = Field(alias="from")
    """Id of the endpoint that lists the streams, with its rows path and its pagination."""
    name: Template = Template("{{record.name}}")  # type: ignore[assignment] # a name per record
    """Name of each stream; `record` is the listed row. What a name cannot hold becomes `_`."""
    only: Condition | None = None
    """Which listed rows become streams, as "{{ record.queryable }}"; default all. In `vars` too,
    `record` is the listed row; what they give is kept in the lock file.
    """

    def stream(self, name: str, values: Mapping[str, Any] | None = None) -> Stream:
        """The stream that a listed row becomes; `values` are what its `vars` give."""
        given = {field: getattr(self, field) for field in Stream.model_fields}
        given |= {"name": name, "vars": {**self.vars, **(values or {})}}
        return Stream.model_construct(**given)
