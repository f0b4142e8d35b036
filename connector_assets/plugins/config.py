"""A plugin's config: a pydantic model filled from the connection, with errors in our words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from pydantic import AliasChoices, AliasPath, BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from connector_assets.errors import ConfigError
from connector_assets.redact import Secrets
from connector_assets.spec.checks.model_faults import near
from connector_assets.spec.templates.template import Scope, render


@dataclass(frozen=True, slots=True)
class ConfigNames:
    """The names a model's values are given by; fields of type `SecretStr` are secrets."""

    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    optional_secrets: frozenset[str] = frozenset()


@cache
def config_names(schema: type[BaseModel] | None) -> ConfigNames:
    if schema is None:
        return ConfigNames()
    fields = [(_key(name, field), field) for name, field in schema.model_fields.items()]

    def chosen(*, secret: bool, required: bool) -> frozenset[str]:
        return frozenset(
            key
            for key, field in fields
            if _is_secret(field.annotation) is secret and field.is_required() is required
        )

    return ConfigNames(
        required=chosen(secret=False, required=True),
        optional=chosen(secret=False, required=False),
        secrets=chosen(secret=True, required=True),
        optional_secrets=chosen(secret=True, required=False),
    )


def read_config(
    schema: type[BaseModel] | None, given: Any, *, scope: Scope, secrets: Secrets, where: str
) -> Any:
    """`given` as the model; without a model, as it stands. ConfigError lists all that is wrong.

    Templates in it see `scope`. Text for a list or an object, as the environment gives it, is
    JSON, or items with commas.
    """
    if not isinstance(given, Mapping):
        return given
    values = render(given, scope)
    if schema is None:
        return values
    names = config_names(schema)
    open_ended = schema.model_config.get("extra") == "allow"
    wrong = [] if open_ended else list(_unknown(names, values))
    values = {name: _untangled(schema, name, value) for name, value in values.items()}
    values |= {name: secrets[name] for name in _secret_names(names) if name in secrets}
    try:
        model = schema.model_validate(values)
    except ValidationError as error:
        wrong += [secrets.mask(line) for line in _lines(error)]
    if wrong:
        raise ConfigError("; ".join(wrong), where=f"{where}: config")
    return model


def _lines(error: ValidationError) -> Iterator[str]:
    """Each error as `"topic" must be a whole number`; never with the value that was given."""
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        name = ".".join(str(part) for part in one["loc"])
        text = one["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        text = text.replace("Input should be", "must be").replace("Field required", "is required")
        yield f'"{name}" {text[:1].lower()}{text[1:]}' if name else text


def _unknown(names: ConfigNames, given: Mapping[str, Any]) -> Iterator[str]:
    known = sorted(names.required | names.optional)
    for name in given:
        if name in _secret_names(names):
            yield f'"{name}" is a secret; give it as one'
        elif name not in known:
            meant = near(name, known)
            hint = f'did you mean "{meant}"?' if meant else f"known are: {', '.join(known)}"
            yield f'"{name}" is not known; {hint}'


def _untangled(schema: type[BaseModel], name: str, value: Any) -> Any:
    kinds = _json_types(schema, name)
    if not isinstance(value, str) or not kinds & {"array", "object"} or "string" in kinds:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return [item.strip() for item in value.split(",") if item.strip()]


@cache
def _json_types(schema: type[BaseModel], name: str) -> frozenset[str]:
    """The JSON types a field takes; a nested model is an object."""
    whole = schema.model_json_schema(by_alias=True)
    field = whole.get("properties", {}).get(name, {})
    options = [field, *field.get("anyOf", ())]
    return frozenset("object" if "$ref" in one else one.get("type", "") for one in options)


def _key(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias or field.alias
    if isinstance(alias, AliasChoices):
        alias = next((one for one in alias.choices if isinstance(one, str)), None)
    return name if alias is None or isinstance(alias, AliasPath) else alias


def _is_secret(annotation: Any) -> bool:
    options = (annotation, *get_args(annotation))
    return any(one in (SecretStr, SecretBytes) for one in options)


def _secret_names(names: ConfigNames) -> frozenset[str]:
    return names.secrets | names.optional_secrets
