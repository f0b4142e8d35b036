"""What a request carries: values of parameters, and one of four kinds of body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Protocol, Self

from pydantic import Discriminator, Field, Tag, model_validator

from connector_assets.spec.names.model import Many, Model, fault
from connector_assets.spec.templates.template import Template

_KINDS: dict[type, str] = {
    str: "text",
    Template: "text",
    bool: "flag",
    int: "number",
    float: "number",
    list: "list",
    tuple: "list",
    dict: "object",
    type(None): "nothing",
}


def _kind(value: Any) -> str | None:
    """The member of a union that a value is for: what fits none is one error, not one for each."""
    return _KINDS.get(type(value))


def _one_of(message: str) -> Discriminator:
    return Discriminator(
        _kind, custom_error_type="value_kind", custom_error_message=f"must be {message}"
    )


_Scalar = (
    Annotated[Template, Tag("text")]
    | Annotated[bool, Tag("flag")]
    | Annotated[int | float, Tag("number")]
    | Annotated[None, Tag("nothing")]
)
Scalar = Annotated[_Scalar, _one_of("text, a number, true or false")]
Element = Annotated[
    _Scalar | Annotated[dict[str, Any], Tag("object")],
    _one_of("text, a number, true or false, or an object"),
]
Value = Annotated[
    _Scalar | Annotated[Many[Scalar], Tag("list")],
    _one_of("text, a number, true or false, or a list of these"),
]

Setting = Annotated[
    _Scalar | Annotated[Many[Element], Tag("list")] | Annotated[dict[str, Any], Tag("object")],
    _one_of("text, a number, true or false, a list or an object"),
]


class GraphQL(Model):
    """A GraphQL query and its variables."""

    query: str
    """The query, sent as it stands; values belong into `variables`."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """Variables by name. Texts may be templates; one that is the whole value keeps its type.
    A cursor is put here with `cursorIn: body` and `cursorParam: variables.after`.
    """


class Body(Model):
    """A request body; exactly one of its keys."""

    json_: Any = Field(None, alias="json")
    """Sent as JSON. Texts in it may be templates; one that is the whole value keeps its
    type, so "{{limit}}" may be a number.
    """
    form: dict[str, Value] | None = None
    """Sent as a form (application/x-www-form-urlencoded); a list repeats the name."""
    text: Template | None = None
    """Sent as it is, in UTF-8; set a Content-Type in `headers`."""
    graphql: GraphQL | None = None
    """A GraphQL query. An answer with top-level `errors` fails even with status 200."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise fault("", "must hold exactly one of json, form, text, graphql")
        return self


class Requestable(Protocol):
    """What a request is made of: an endpoint, or the login of a session."""

    @property
    def method(self) -> str: ...
    @property
    def url(self) -> Template: ...
    @property
    def base_url(self) -> Template | None: ...
    @property
    def params(self) -> Mapping[str, Any]: ...
    @property
    def headers(self) -> Mapping[str, Template]: ...
    @property
    def body(self) -> Body | None: ...
