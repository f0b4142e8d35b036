"""The base of every model in a document: frozen, camelCase keys, unknown keys refused."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

Item = TypeVar("Item")
Many = Annotated[tuple[Item, ...], Field(strict=False)]
"""A tuple that YAML writes as a list."""


class Model(BaseModel):
    """A validated part of a document; attributes are snake_case, YAML keys camelCase."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=False,
        validate_by_alias=True,
        extra="forbid",
        frozen=True,
        strict=True,
        hide_input_in_errors=True,
    )


def fault(at: str, message: str) -> PydanticCustomError:
    """Return an error at a key below the model being validated.

    `raise fault("cursorField", "is required")`; `at` is a dotted path of YAML keys, which
    `spec.document` appends to the model's own path.
    """
    return PydanticCustomError("fault", "{message}", {"at": at, "message": message})
