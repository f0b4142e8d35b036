"""The names and texts that documents are made of."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

# Marks of direction alone may be part of a name; what turns or hides the text around it may not.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def _matching(pattern: str, hint: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"must be {hint}")
        return value

    return AfterValidator(check)


def _printable(value: str) -> str:
    if not value.strip() or _CONTROL.search(value):
        raise ValueError("must be one line of text, and not empty")
    return value


RESERVED_IDS = frozenset(
    (
        # dlt's own configuration: DESTINATION__POSTGRES__CREDENTIALS__PASSWORD
        *("credentials", "dashboard", "data_writer", "datasets", "dbt_cloud", "dbt_package_runner"),
        *("destination", "destinations", "dlt", "dlthub", "extract", "load", "normalize"),
        *("pipeline", "pipelines", "providers", "runtime", "schema", "source", "sources"),
        *("workspace",),
        # what else may stand beside it in one environment: AIRFLOW__CORE__SQL_ALCHEMY_CONN
        *("airflow", "connector_assets", "dagster", "meltano", "openlineage", "prefect"),
        *("pyiceberg_catalog", "sqlmesh"),
        # .NET programs: CONNECTIONSTRINGS__DEFAULT
        *("connectionstrings", "kestrel", "logging", "serilog"),
    )
)
"""Ids whose variables (`<ID>__…`) belong to other tools, so that no spec may be called so."""


def _words(value: str) -> str:
    if "__" in value:
        raise ValueError('must not hold "__", which ends the id in <ID>__<NAME>')
    if value.endswith("_") or value.startswith("_"):
        raise ValueError('must not begin or end with "_", as <ID>__<NAME> would be unclear')
    return value


def _not_reserved(value: str) -> str:
    if value in RESERVED_IDS:
        raise ValueError(
            f'"{value}" is reserved: other tools read {value.upper()}__…; choose another, as '
            f"{value}_api"
        )
    return value


def variable_names(connection_id: str, name: str) -> tuple[str, ...]:
    """The environment variables a value may stand in, the one to tell people first.

    >>> variable_names("salesforce_rest", "accessToken")
    ('SALESFORCE_REST__ACCESS_TOKEN', 'SALESFORCE_REST__ACCESSTOKEN')
    """
    prefix = connection_id.upper()
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()
    return tuple(dict.fromkeys(f"{prefix}__{form}" for form in (spaced, name.upper())))


ConnectorId = Annotated[
    str,
    _matching(
        r"[a-z][a-z0-9_]{0,62}",
        "a lower-case letter, then up to 62 lower-case letters, digits and underscores",
    ),
    AfterValidator(_words),
    AfterValidator(_not_reserved),
]
EndpointId = Annotated[
    str,
    _matching(
        r"[A-Za-z][A-Za-z0-9_-]{0,62}",
        "a letter, then up to 62 letters, digits, underscores and hyphens",
    ),
]
StreamName = Annotated[
    str, _matching(r"[A-Za-z0-9_.-]{1,120}", "1 to 120 letters, digits, '_', '.' and '-'")
]
TableName = Annotated[
    str, _matching(r"[A-Za-z_][A-Za-z0-9_]{0,119}", "a name of letters, digits and underscores")
]
VariableName = Annotated[
    str, _matching(r"[A-Za-z_][A-Za-z0-9_]{0,62}", "a name of letters, digits and underscores")
]
ValueName = Annotated[VariableName, AfterValidator(_words)]
"""The name of a secret or a config value, which is the last part of an environment variable."""
Text = Annotated[str, AfterValidator(_printable), Field(max_length=200)]
Prose = Annotated[str, Field(max_length=10_000)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
