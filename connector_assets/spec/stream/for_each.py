"""Once for each: the items a stream is read for, from other streams' tables or from a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from connector_assets.errors import ConfigError
from connector_assets.spec.names.model import Many, Model, fault
from connector_assets.spec.request.body import Element
from connector_assets.spec.templates.refs import templated
from connector_assets.spec.templates.template import Template, render

FieldName = Annotated[str, Field(min_length=1)]


class Parent(Model):
    """Keys from another stream's table: `{stream: accounts, field: id, as: account_id}`."""

    stream: str
    """The stream whose table has the keys; it is loaded first, as its asset is upstream."""
    field: str
    """The parent row's key that becomes the item, by the table's name; a dotted path. It
    must have a value in every row.
    """
    name: str | None = Field(None, alias="as")
    """The name templates read it under: bare, and as `item.<name>`; default: the last part of
    `field`.
    """
    include: Many[str] = ()
    """Further keys of the parent row, read as `parent.<key>`; only what is named here is read."""
    changed: bool | FieldName | Many[FieldName] = False
    """Reads only the items whose parent row changed since this stream last read them: where a
    field named here, by the table's name, has another value than then. `true` is the parent's
    own cursor. Default: every item, each time. Needs `writeMode: merge`.
    """

    @property
    def bound(self) -> str:
        """The name it binds."""
        return self.name or self.field.split(".")[-1]

    @property
    def compared(self) -> tuple[str, ...] | None:
        """The fields that `changed` names; None where it is the parent's cursor."""
        if isinstance(self.changed, bool):
            return None if self.changed else ()
        return (self.changed,) if isinstance(self.changed, str) else self.changed


class ForEach(Model):
    """One dimension; several make a product, the last varying fastest."""

    parent: Parent | Many[Parent] | None = None
    """The rows of another stream, as {stream: accounts, field: id, as: account_id}; or of several
    in turn, all under one name.
    """
    values: Many[Element] | Template | None = None
    """Values, which may be objects, or a template that gives a list, as `{{config.regions}}`. Of
    an object each key is one: `item.x.key` and `item.x.value`.
    """
    name: str | None = Field(None, alias="as")
    """The name templates read a value under: bare, and as `item.<name>`."""
    batch: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """So many values at a time: `item.values` is their list, as "{{ item.values | join }}"."""

    @field_validator("values")
    @classmethod
    def _templates_within(cls, value: Any) -> Any:
        return templated(value, "") if isinstance(value, tuple) else value

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (not self.parents) == (self.values is None):
            raise fault("", "must hold exactly one of parent, values")
        if self.values is not None and not self.name:
            raise fault("as", "is required with values")
        if self.parents and self.name:
            raise fault("as", "belongs inside parent")
        if len({parent.bound for parent in self.parents}) > 1:
            raise fault("parent", "must bind one name; give each the same as")
        return self

    @model_validator(mode="after")
    def _fits_a_batch(self) -> Self:
        if self.batch is None:
            return self
        if any(parent.include or parent.changed for parent in self.parents):
            raise fault("batch", "is not for parents with include or changed: these are of one row")
        if self.bound == "values":
            raise fault("batch", "needs another name than values, which is that of the batch")
        return self

    @property
    def parents(self) -> tuple[Parent, ...]:
        """The parents whose rows are read in turn; none for a list."""
        given = self.parent
        return given if isinstance(given, tuple) else (given,) if given else ()

    @property
    def bound(self) -> str:
        """The name this dimension binds."""
        return self.parents[0].bound if self.parents else self.name or ""

    def listed(self, scope: Mapping[str, Any]) -> list[Any]:
        """The values of a list; ConfigError where a template gives something else."""
        if isinstance(self.values, tuple):
            return [render(value, scope) for value in self.values]
        found = self.values.value(scope) if self.values else None
        if isinstance(found, Mapping):
            return [{"key": key, "value": value} for key, value in found.items()]
        if not isinstance(found, list | tuple):
            raise ConfigError("forEach.values is no list or object", fix="give one in config")
        return list(found)
