"""The names and texts that documents are made of."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


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


ConnectorId = Annotated[
    str,
    _matching(
        r"[a-z][a-z0-9_]{0,62}",
        "a lower-case letter, then up to 62 lower-case letters, digits and underscores",
    ),
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
VariableName = Annotated[
    str, _matching(r"[A-Za-z_][A-Za-z0-9_]{0,62}", "a name of letters, digits and underscores")
]
Text = Annotated[str, AfterValidator(_printable), Field(max_length=200)]
Prose = Annotated[str, Field(max_length=10_000)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
