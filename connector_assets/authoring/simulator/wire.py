"""What the simulator is asked and what it answers, as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote


class CannotSimulate(Exception):
    """Something of a spec that the simulator has no meaning for; the text says what and where."""


@dataclass(frozen=True)
class ApiRequest:
    """One request. `origin` is the number of the port it came to, `at_s` when, in seconds."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    origin: int = 0
    at_s: float = 0.0

    def param(self, name: str) -> str | None:
        """The first value of a query parameter."""
        return next((value for one, value in self.query if one == name), None)

    @cached_property
    def segments(self) -> str:
        """The path with its percent signs undone."""
        return unquote(self.path)

    @cached_property
    def json(self) -> Any:
        """The body as JSON, None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @cached_property
    def form(self) -> tuple[tuple[str, str], ...]:
        """The body as a form."""
        return tuple(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @cached_property
    def cookies(self) -> dict[str, str]:
        """The cookies of the request by name."""
        pairs = (one.partition("=") for one in self.headers.get("cookie", "").split(";"))
        return {name.strip(): value.strip() for name, _, value in pairs}


@dataclass(frozen=True)
class ApiReply:
    """One answer; `is_cut` says that the connection ends before its last byte."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False


def refused(status: int, message: str) -> ApiReply:
    """An answer that says what is wrong with the request."""
    return ApiReply(status, json.dumps({"error": message}).encode(), _JSON)


_JSON = {"content-type": "application/json"}
