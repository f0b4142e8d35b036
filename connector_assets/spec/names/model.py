"""The base of every model in a document: frozen, camelCase keys, unknown keys refused."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, Self, TypeVar

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
        # Most models are only ever part of another, and built with that.
        defer_build=True,
    )

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Itself, as nothing can change it.

        pydantic would copy a default that holds a mapping for each model that does not say
        otherwise: at 10,000 streams a third of what is kept of their documents.
        """
        del memo
        return self


def key_order(model: type[BaseModel]) -> tuple[str, ...]:
    """The keys of a model as documents write them: its own first, then those it inherits.

    A class that says `comes_first = True` goes before all of them.
    """
    fields = model.model_fields
    classes = sorted(model.__mro__, key=lambda cls: not vars(cls).get("comes_first", False))
    names = [name for cls in classes for name in inspect.get_annotations(cls)]
    return tuple(dict.fromkeys(fields[name].alias or name for name in names if name in fields))


def fault(at: str, message: str) -> PydanticCustomError:
    """Return an error at a key below the model being validated.

    `raise fault("cursorField", "is required")`; `at` is a dotted path of YAML keys, which
    `spec.document` appends to the model's own path.
    """
    return PydanticCustomError("fault", "{message}", {"at": at, "message": message})
