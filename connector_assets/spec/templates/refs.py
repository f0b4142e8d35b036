"""Fields that refer to secrets instead of holding them, and what templates in a model read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from connector_assets.spec.names.model import Model, fault
from connector_assets.spec.templates.template import Template, TemplateError


def _reads_secrets(value: Template) -> Template:
    if not value.uses_secrets:
        raise ValueError("must be a template that reads secrets, like {{secrets.apiKey}}")
    return value


def _not_literal(value: Template) -> Template:
    if value.is_literal and value.source:
        raise ValueError(
            "must be a template that reads secrets or config, like {{secrets.username}}"
        )
    return value


def _https(value: Template) -> Template:
    """What begins with a template is judged when it is rendered."""
    head = value.source
    if not head.startswith("{{") and not re.match(r"https://[^/?#\s]", head, re.IGNORECASE):
        raise ValueError("must be https://")
    value.check_url()
    return value


def _one_line(value: str) -> str:
    if not value.isprintable() or not value.isascii():
        raise ValueError("must be one line of ASCII")
    return value


SecretRef = Annotated[Template, AfterValidator(_reads_secrets)]
NameRef = Annotated[Template, AfterValidator(_not_literal)]
HttpsUrl = Annotated[Template, AfterValidator(_https)]
Line = Annotated[str, AfterValidator(_one_line), Field(max_length=200)]
Lifetime = Annotated[float, Field(gt=0, le=366 * 86_400, allow_inf_nan=False)]
Leeway = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]


def secret_names(*templates: Template | None) -> frozenset[str]:
    """The secrets that must be given for `templates` to render, without `secrets.`."""
    return _secrets(name for template in templates if template for name in template.required)


def read_secrets(*templates: Template | None) -> frozenset[str]:
    """The secrets that `templates` may read, without `secrets.`."""
    return _secrets(name for template in templates if template for name in template.names)


def _secrets(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.split(".")[1] for name in names if name.startswith("secrets."))


def templates_in(value: Any) -> Iterator[Template]:
    if isinstance(value, Template):
        yield value
    elif isinstance(value, Model):
        for name in type(value).model_fields:
            yield from templates_in(getattr(value, name))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from templates_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from templates_in(item)
    elif isinstance(value, str) and "{{" in value:  # in a JSON body, whose texts stay texts
        yield Template(value)


def templated(tree: Any, at: str) -> Any:
    """`tree` with each text in it a Template, and a fault where one is wrong."""
    if isinstance(tree, Mapping):
        return {key: templated(item, f"{at}.{key}") for key, item in tree.items()}
    if isinstance(tree, tuple):
        return tuple(templated(item, f"{at}.{number}") for number, item in enumerate(tree))
    if isinstance(tree, list):
        return [templated(item, f"{at}.{number}") for number, item in enumerate(tree)]
    try:
        return Template(tree) if isinstance(tree, str) else tree
    except TemplateError as error:
        raise fault(at, str(error)) from None


def sources(tree: Any) -> Any:
    """`tree` with the source of each Template in it, as it was written."""
    if isinstance(tree, Mapping):
        return {key: sources(item) for key, item in tree.items()}
    if isinstance(tree, list | tuple):
        return [sources(item) for item in tree]
    return tree.source if isinstance(tree, Template) else tree
