"""What a request carries: values of parameters, and one of four kinds of body."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from connector_assets.spec.model import Many, Model, fault
from connector_assets.spec.template import Template

Scalar = Template | bool | int | float | None
Value = Scalar | Many[Scalar]


class GraphQL(Model):
    """A GraphQL query and its variables."""

    query: str
    variables: dict[str, Any] = Field(default_factory=dict)


class Body(Model):
    """A request body; exactly one of its keys."""

    json_: Any = Field(None, alias="json")
    form: dict[str, Value] | None = None
    text: Template | None = None
    graphql: GraphQL | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise fault("", "must hold exactly one of json, form, text, graphql")
        return self
