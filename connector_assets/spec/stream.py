"""Streams as frozen models: one list of records, which becomes one table and one asset."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from connector_assets.spec import dates
from connector_assets.spec.body import Value
from connector_assets.spec.fields import Condition, Expand, Fields, OneField
from connector_assets.spec.for_each import ForEach
from connector_assets.spec.incremental import Incremental
from connector_assets.spec.model import Many, Model, fault
from connector_assets.spec.names import EndpointId, Prose, StreamName, VariableName
from connector_assets.spec.template import Template

_MINUTE = dt.timedelta(minutes=1)
WriteMode = Literal["append", "replace", "merge", "scd2"]


def _span(value: str) -> str:
    duration = dates.duration(value)
    if duration.months:
        raise ValueError("must be in weeks, days or less; months differ")
    if duration.span < _MINUTE:
        raise ValueError("must be at least a minute, PT1M")
    return value


class Checks(Model):
    """What must hold of a table; each becomes an asset check."""

    min_rows: Annotated[int, Field(ge=0)] | None = None
    """Fewest rows the whole table may hold after a load. With fewer the asset check is red;
    the load is not undone.
    """
    not_null: Many[str] = ()
    """Fields that must have a value in every row of the table, by the table's names; one
    that lacks makes the asset check red, the load is not undone.
    """
    fresh_within: Annotated[str, AfterValidator(_span)] | None = None
    """How long after a load the asset counts as fresh, as P1D or PT6H; at least a minute. After
    that Dagster shows it as stale, also where nothing runs any more.
    """

    @property
    def fresh_for(self) -> dt.timedelta | None:
        """The span of `freshWithin`."""
        return dates.duration(self.fresh_within).span if self.fresh_within else None


class Stream(Model):
    """One list of records: one table and one asset."""

    name: StreamName
    """Name of the table and last part of the asset's key; unique in the connector."""
    endpoint: EndpointId | None = None
    """Default: the endpoint of the same name, else `read.primary`."""
    description: Prose = ""
    """Shown with the asset."""
    vars: dict[VariableName, Value] = {}
    """Bound for this stream's templates."""
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
    columns: dict[str, str] = {}
    """Declared column types; the rest is inferred."""
    deleted_when: Condition | None = None
    """Which rows say that their key is gone, as "{{ record.deleted }}"; merge deletes those."""
    schema_policy: Literal["evolve", "freeze", "quarantine"] = "evolve"
    """What a new or changed column does: change the table, be an error that names the first row,
    or set the row aside in `<table>__rejected`. But for `evolve`, a new key that is null in all
    rows is left out.
    """
    checks: Checks = Checks()
    """What must hold of the table after each load."""

    @property
    def expansions(self) -> tuple[Expand, ...]:
        """What `expand` says, spelled out."""
        given = self.expand if isinstance(self.expand, tuple) else (self.expand,)
        return tuple(
            Expand.model_construct(path=one) if isinstance(one, str) else one
            for one in given
            if one is not None
        )

    @property
    def mode(self) -> WriteMode:
        """The write mode, spelled out."""
        if self.write_mode:
            return self.write_mode
        return "merge" if self.primary_key and self.incremental else "replace"

    @property
    def parents(self) -> tuple[str, ...]:
        """The streams whose rows this one is read for."""
        return tuple(each.parent.stream for each in self.for_each if each.parent)

    @property
    def reads_changed(self) -> bool:
        """Whether items are left out whose parent has not changed."""
        return any(each.parent and each.parent.changed for each in self.for_each)

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
