"""What a stream computes of its rows: which it keeps, and how it changes their fields.

A row goes through these in a fixed order, whatever the order in the document: `expand`, `where`,
then of `fields`: `add`, `cast`, `mask`, `remove`, and last `rename` and `keys`. So all but the
last two speak of the server's names, and what is renamed is what the table has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from connector_assets.spec.model import Many, Model, fault
from connector_assets.spec.paths import MAX_LENGTH
from connector_assets.spec.template import Template, TemplateError

Keys = tuple[str | None, ...]
"""The steps of a path; EACH stands for every element of a list."""
EACH = None

_KEY = r'(?:[A-Za-z_][A-Za-z0-9_]*|"(?:[^"\\]|\\.)+")'
_EACH = r"\[\*?\]"
_PATH = re.compile(rf"{_KEY}(?:{_EACH})*(?:\.{_KEY}(?:{_EACH})*)*")
_STEP = re.compile(rf"{_KEY}|{_EACH}")


@lru_cache(maxsize=4096)
def field_keys(path: str) -> Keys:
    """The steps of a field's path; ValueError where it is none.

    >>> field_keys('items[*]."@id"')
    ('items', None, '@id')
    """
    if len(path) > MAX_LENGTH or not _PATH.fullmatch(path):
        raise ValueError(
            "must be keys with dots between them, as address.city or items[*].sku; a key with "
            "other characters stands in its own double quotes"
        )
    return tuple(
        EACH if step[0] == "[" else re.sub(r"\\(.)", r"\1", step[1:-1]) if step[0] == '"' else step
        for step in _STEP.findall(path)
    )


def _any_field(path: str) -> str:
    field_keys(path)
    return path


def _named_field(path: str) -> str:
    if field_keys(path)[-1] is EACH:
        raise ValueError("must end with a key, not with [*]")
    return path


def _one_field(path: str) -> str:
    if EACH in field_keys(path):
        raise ValueError("must name one field, without [*]")
    return path


AnyField = Annotated[str, AfterValidator(_any_field)]
NamedField = Annotated[str, AfterValidator(_named_field)]
OneField = Annotated[str, AfterValidator(_one_field)]


def _one_expression(value: Template) -> Template:
    # With text around it, also a line's end, the result would be text and so always true.
    bare = Template(value.source.strip())
    if not bare.is_expression:
        raise ValueError("must be one expression and nothing else, as \"{{ record.x != 'y' }}\"")
    return bare


Condition = Annotated[Template, AfterValidator(_one_expression)]
"""A template that decides: one expression, of which null, false, 0 and what is empty mean no."""

CastType = Literal[
    "text", "integer", "decimal", "boolean", "date", "timestamp", "epoch", "epoch_ms", "json"
]
Mask = Literal["sha256", "last4", "redact", "nullify"]


DECIMAL = "decimal(38,9)"
"""The column of a field cast to decimal; `columns` may declare another."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[^\W_A-Z]+|[A-Z]")


def snake_case(key: str) -> str:
    """A key in lower case, its words parted by underscores; one without words stays as it is.

    >>> snake_case("HTTPStatus code")
    'http_status_code'
    """
    return "_".join(word.lower() for word in _WORDS.findall(key)) or key


STYLES: dict[str | None, Callable[[str], str]] = {
    None: str,
    "lower": str.lower,
    "snake_case": snake_case,
}


class Expand(Model):
    """One row per element of a list: the element takes the list's place, other fields are kept."""

    path: OneField
    """The list's path, as `items` or `order.lines`; a row without it is an error."""
    keep_empty: bool = False
    """Keep one row, with null, where the list is empty, null or absent."""


class Fields(Model):
    """What becomes of each row's fields; a path such as `items[*].sku` means every element's.

    `{"Id": 7, "amount": "1.10", "email": "a@b.example"}` with `rename: {Id: id}`,
    `cast: {amount: decimal}` and `mask: {email: sha256}` is stored as
    `{"id": 7, "amount": 1.10, "email": "fb98d44a…"}`.
    """

    add: dict[OneField, Any] = {}
    """Fields to set, from templates that may read `record`; a later one sees an earlier one."""
    cast: dict[AnyField, CastType] = {}
    """Types to convert to: exactly, or not at all."""
    mask: dict[AnyField, Mask] = {}
    """Values to hide before they are stored, also all values inside a list or an object."""
    remove: Many[NamedField] = ()
    """Fields to leave out."""
    rename: dict[NamedField, NamedField] = {}
    """New places for fields, as paths from the row's root: `{Id: id, address.city: city}`."""
    keys: Literal["lower", "snake_case"] | None = Field(None)
    """How to rewrite the row's own keys, but for those that `rename` names."""

    def sent_name(self, path: str) -> str:
        """What the server calls the field that rows then have at `path`."""
        return next((sent for sent, to in self.rename.items() if to == path), path)

    def own_name(self, path: str) -> str:
        """What rows then call the field that the server has at `path`."""
        one = len(field_keys(path)) == 1
        return self.rename.get(path) or (STYLES[self.keys](path) if one else path)

    @property
    def column_types(self) -> dict[str, str]:
        """Column types that follow from `cast`: a bare number would become a double."""
        names = [self.own_name(path) for path, to in self.cast.items() if to == "decimal"]
        return {name: DECIMAL for name in names if len(field_keys(name)) == 1}

    @field_validator("add")
    @classmethod
    def _templates_within(cls, value: dict[str, Any]) -> dict[str, Any]:
        return {path: _templated(item) for path, item in value.items()}

    @field_validator("rename")
    @classmethod
    def _one_field_for_each_name(cls, value: dict[str, str]) -> dict[str, str]:
        taken: dict[Keys, str] = {}
        for path, to in value.items():
            keys, target = field_keys(path), field_keys(to)
            if keys[:-1] != target[:-1] and EACH in (*keys, *target):
                raise fault(path, "must stay in its object, as [*] names many of them")
            if target in taken:
                raise fault(path, f'gives the same name as "{taken[target]}"')
            taken[target] = path
        return value


def _templated(tree: Any) -> Any:
    if isinstance(tree, str):
        try:
            return Template(tree)
        except TemplateError as error:
            raise ValueError(str(error)) from None
    if isinstance(tree, Mapping):
        return {key: _templated(item) for key, item in tree.items()}
    return [_templated(item) for item in tree] if isinstance(tree, list | tuple) else tree
