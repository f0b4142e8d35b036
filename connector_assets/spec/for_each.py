"""Once for each: the items a stream is read for, from another stream's table or from a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from connector_assets.errors import ConfigError
from connector_assets.spec.body import Scalar
from connector_assets.spec.model import Many, Model, fault
from connector_assets.spec.template import Template

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
    def compared(self) -> tuple[str, ...] | None:
        """The fields that `changed` names; None where it is the parent's cursor."""
        if isinstance(self.changed, bool):
            return None if self.changed else ()
        return (self.changed,) if isinstance(self.changed, str) else self.changed


class ForEach(Model):
    """One dimension; several make a product, the last varying fastest."""

    parent: Parent | None = None
    """The rows of another stream, as {stream: accounts, field: id, as: account_id}."""
    values: Many[Scalar] | Template | None = None
    """Values, or a template that gives a list, as `{{config.regions}}`."""
    name: str | None = Field(None, alias="as")
    """The name templates read a value under: bare, and as `item.<name>`."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.parent is None) == (self.values is None):
            raise fault("", "must hold exactly one of parent, values")
        if self.values is not None and not self.name:
            raise fault("as", "is required with values")
        if self.parent is not None and self.name:
            raise fault("as", "belongs inside parent")
        return self

    @property
    def bound(self) -> str:
        """The name this dimension binds."""
        if self.parent is None:
            return self.name or ""
        return self.parent.name or self.parent.field.split(".")[-1]

    def listed(self, scope: Mapping[str, Any]) -> list[Any]:
        """The values of a list; ConfigError where a template gives something else."""
        if isinstance(self.values, tuple):
            return [v.value(scope) if isinstance(v, Template) else v for v in self.values]
        found = self.values.value(scope) if self.values else None
        if not isinstance(found, list | tuple):
            raise ConfigError("forEach.values is not a list", fix="give a list in config")
        return list(found)
