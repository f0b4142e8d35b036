"""Values of a model that may be written as templates, and are checked once they have been rendered.

`page_size: Annotated[int, Field(ge=1), Templated()]` takes 100 and "{{config.pageSize}}"; until
`rendered` has been asked, the attribute holds the Template.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from connector_assets.errors import ConfigError
from connector_assets.spec.templates.template import Scope, Template

Part = TypeVar("Part", bound=BaseModel)


class Templated:
    """Says of a field's type that a template may stand for its value."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        inner = handler(source)
        return core_schema.no_info_wrap_validator_function(
            _template_or,
            inner,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda value: value.source if isinstance(value, Template) else value
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        made = handler(schema["schema"])
        if made.get("type") == "string":
            return made
        return {"anyOf": [made, {"type": "string", "pattern": r"\{\{"}]}


def rendered(part: Part, scope: Scope, where: str) -> Part:
    """`part` with its own templates replaced by their values; null is as if it were not given.

    Raises ConfigError for a value that the field does not take.
    """
    values = {
        field.alias or name: value.value(scope)
        for name, field in type(part).model_fields.items()
        if isinstance(value := getattr(part, name), Template) and not value.is_literal
    }
    if not values:
        return part
    given = {**part.model_dump(by_alias=True, exclude_unset=True), **values}
    try:
        return type(part).model_validate(
            {name: value for name, value in given.items() if value is not None}, strict=False
        )
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = next((str(step) for step in first["loc"] if step in values), "")
        raise ConfigError(
            f"what its template gives does not fit: {first['msg']}", where=f"{where}.{name}"
        ) from None


def _template_or(value: Any, check: Callable[[Any], Any]) -> Any:
    if isinstance(value, Template):
        return value
    return Template(value) if isinstance(value, str) and "{{" in value else check(value)
