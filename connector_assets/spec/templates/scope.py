"""What a name in a template stands for: keys of plain data, below the mapping a caller passes.

A scope maps names to plain data: `config`, `secrets`, `item`, `response`, the bare names of config
and vars. `secrets` is read only as `secrets.name`, so no other name can come to mean a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connector_assets.errors import ConfigError

CLOCK = "now()"
"""The scope's key for the function that `now()` and `today()` ask; no template can name it."""

ALLOW_EMPTY = "secrets may be empty"
"""The scope's key under which an empty secret is a value; no template can name it."""

Scope = Mapping[str, Any]
Evaluate = Callable[[Scope], Any]
Key = str | int


class NoValue(ConfigError):
    """A name that nothing is bound to; `name` is it in full. The filter `default` catches this."""

    def __init__(self, name: str, what: str = "has no value") -> None:
        first, _, rest = name.partition(".")
        fix = f'set the secret "{rest}"' if first == "secrets" else "give one, or use default(...)"
        super().__init__(f'"{name}" {what}', fix=fix)
        self.name = name


def reading(keys: Sequence[Key], name: str) -> Evaluate:
    """A function that follows `keys` from the scope; `name` stands for them in an error."""
    if keys[0] == "secrets":
        return _secret(keys[1], name)
    if len(keys) == 1:
        return lambda scope: step(scope, name, name)

    def read(scope: Scope) -> Any:
        value: Any = scope
        for key in keys:
            value = step(value, key, name)
        return value

    return read


def step(value: Any, key: Any, name: str) -> Any:
    """The item of `value` at `key`: a mapping's key or a list's index, never an attribute."""
    if isinstance(value, Mapping):
        if isinstance(key, str) and key in value:
            return value[key]
    elif isinstance(value, list | tuple) and type(key) is int and -len(value) <= key < len(value):
        return value[key]
    raise NoValue(name)


def clock(scope: Scope) -> Callable[[], datetime]:
    """What tells the time in `scope`: the system, unless the caller passed another."""
    found: Callable[[], datetime] = scope.get(CLOCK, _system_time)
    return found


def _secret(secret: Key, name: str) -> Evaluate:
    def read(scope: Scope) -> Any:
        value = scope.get("secrets", {}).get(secret)
        if value is None:
            raise NoValue(name)
        if value == "" and ALLOW_EMPTY not in scope:
            raise NoValue(name, "is empty")
        return value

    return read


def _system_time() -> datetime:
    return datetime.now(UTC)
