"""What a stream computes of its rows: which it keeps, and how it changes their fields.

A row goes through these in a fixed order, whatever the order in the document: `expand`, `where`,
then of `fields`: `add`, `cast`, `mask`, `remove`, `flatten`, and last `rename` and `keys`. So all
but the last two speak of the server's names, and what is renamed is what the table has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from connector_assets.spec.names.field_paths import EACH, Glob, Keys, field_keys
from connector_assets.spec.names.model import Many, Model, fault
from connector_assets.spec.templates.template import Template, TemplateError


def _any_field(path: str) -> str:
    field_keys(path)
    return path


def _named_field(path: str) -> str:
    if field_keys(path)[-1] is EACH:
        raise ValueError("must end with a key, not with [*]")
    return path


def _one_field(path: str) -> str:
    if any(key is EACH or isinstance(key, Glob) for key in field_keys(path)):
        raise ValueError("must name one field, without * and [*]")
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
Levels = Annotated[int, Field(ge=1, le=20, strict=True)]
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
    """What becomes of each row's fields.

    A path such as `items[*].sku` means every element's; a `*` in a key stands for any characters,
    as in `mask: {"*_email": sha256}`.

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
    """Fields to leave out, as `[meta.raw, "_*"]`."""
    flatten: Levels | Literal[True] | Many[OneField] = ()
    """Objects whose fields move up, at any depth: {"address": {"city": "x"}} becomes
    {"address_city": "x"}. true: all objects of a row; lists stay. A number: so many levels of all
    objects, with two underscores, as `address__city`; what lies deeper stays an object. A name that
    is there already is an error.
    """
    rename: dict[NamedField, NamedField] = {}
    """New places for fields, as paths from the row's root: `{Id: id, address.city: city}`. A
    pattern renames in place, with one * on both sides: `{"custom_*": "*"}`.
    """
    keys: Literal["lower", "snake_case"] | None = Field(None)
    """How to rewrite the row's own keys, but for those that `rename` names."""

    def sent_name(self, path: str) -> str:
        """What the server calls the field that rows then have at `path`."""
        exact = (sent for sent, to in self.rename.items() if to == path)
        by_pattern = (_by_pattern(to, sent, path) for sent, to in self.rename.items())
        return next(exact, None) or next(filter(None, by_pattern), None) or path

    def own_name(self, path: str) -> str:
        """What rows then call the field that the server has at `path`."""
        keys = field_keys(path)
        if self.levels and len(keys) > 1 and path not in self.rename:
            up, below = keys[: self.levels + 1], keys[self.levels + 1 :]
            path = ".".join(["__".join(map(str, up)), *map(str, below)])
            keys = (path,)
        elif len(keys) > 1 and path not in self.rename and self._flattens(path):
            path = "_".join(str(key) for key in keys)
            keys = (path,)
        by_pattern = (_by_pattern(sent, to, path) for sent, to in self.rename.items())
        renamed = self.rename.get(path) or next(filter(None, by_pattern), None)
        if renamed:
            return renamed
        return STYLES[self.keys](path) if len(keys) == 1 else path

    @property
    def levels(self) -> int:
        """How many levels of objects `flatten` moves up by a number; 0 where it says none."""
        # true is a number to Python, and here it means all levels.
        if isinstance(self.flatten, int) and not isinstance(self.flatten, bool):
            return self.flatten
        return 0

    def _flattens(self, path: str) -> bool:
        listed = self.flatten if isinstance(self.flatten, tuple) else ()
        above = map(field_keys, listed)
        keys = field_keys(path)
        return self.flatten is True or any(keys[: len(one)] == one for one in above)

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
            many = [key for key in (*keys, *target) if key is EACH or isinstance(key, Glob)]
            if keys[:-1] != target[:-1] and many:
                raise fault(path, "must stay in its object, as * and [*] name many of them")
            if [_stars(keys[-1]), _stars(target[-1])] not in ([0, 0], [1, 1]):
                raise fault(path, "must have one * on both sides, or none")
            if target in taken:
                raise fault(path, f'gives the same name as "{taken[target]}"')
            taken[target] = path
        return value


def _stars(key: str | Glob | None) -> int:
    return key.stars if isinstance(key, Glob) else 0


def _by_pattern(sent: str, to: str, path: str) -> str | None:
    """What a rename by pattern makes of a row's own key."""
    one, other, name = field_keys(sent), field_keys(to), field_keys(path)
    if len(one) > 1 or len(name) > 1 or not isinstance(name[0], str):
        return None
    if isinstance(one[0], Glob) and isinstance(other[0], Glob):
        return one[0].renamed(name[0], other[0])
    return None


def _templated(tree: Any) -> Any:
    if isinstance(tree, str):
        try:
            return Template(tree)
        except TemplateError as error:
            raise ValueError(str(error)) from None
    if isinstance(tree, Mapping):
        return {key: _templated(item) for key, item in tree.items()}
    return [_templated(item) for item in tree] if isinstance(tree, list | tuple) else tree
