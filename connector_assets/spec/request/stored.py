"""The stored form of what a run must remember: JSON that holds our own things beside foreign ones.

An object or a text is one that came. All else is an array that begins with what it is, so nothing
that a server, a row or a spec says can be taken for something of ours:

    ["list", 1, 2]                        a list that came
    ["decimal", "1.10"]                   a number whose digits a float may lose
    ["template", "{{secrets.apiKey}}"]    what is rendered when the request is sent
    ["sealed", "/a?k=", ["value", "apiKey"], "&p=2"]   a text, and the secret that stood in it
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

Part = str | tuple[str, str]
"""Text as it came, or the form and the name of a secret that stood there."""


class Unstorable(ValueError):
    """A value holds a secret that could not be put back."""


class Seals(Protocol):
    """What takes secrets out of texts, and puts them back."""

    def parts(self, text: str) -> Sequence[Part]:
        """`text` without its secrets; Unstorable where one could not come back."""
        ...

    def joined(self, parts: Sequence[Part]) -> str:
        """The text that `parts` were; ValueError for a secret that is not to be had."""
        ...

    def allows(self, template: str) -> bool:
        """Whether a stored template reads no secret but those that may be sent."""
        ...

    def finds(self, text: str) -> bool:
        """Whether `text` may hold a secret in any form."""
        ...


class NoSecrets:
    """Seals where there is nothing to take out; no template is taken back."""

    def parts(self, text: str) -> Sequence[Part]:
        return [text]

    def joined(self, parts: Sequence[Part]) -> str:
        if not all(isinstance(part, str) for part in parts):
            raise ValueError("there are no secrets")
        return "".join(map(str, parts))

    def allows(self, template: str) -> bool:  # noqa: ARG002
        return True

    def finds(self, text: str) -> bool:  # noqa: ARG002
        return False


@dataclass(frozen=True, slots=True)
class Deferred:
    """A template that reads secrets or the page: it stays source until the request is sent."""

    source: str


def dumps(value: Any, seals: Seals = NoSecrets()) -> str:  # noqa: B008 - it has no state
    """The stored form of plain data, of templates, and of structs that hold such; else TypeError.

    Raises Unstorable where a secret is in it that `seals` could not put back.
    """
    if _is_plain(value):
        # The same text in a fraction of the time.
        text = _plain.encode(value).decode()
        if not seals.finds(text):
            return text
    return _encoder.encode(_stored(value, seals))


def loads(text: str, seals: Seals = NoSecrets()) -> Any:  # noqa: B008 - it has no state
    """What `dumps` was given, structs as mappings; ValueError for what it never writes."""
    try:
        return _restored(json.loads(text), seals)
    except (TypeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"it is not of the stored form ({type(error).__name__})") from None


def _is_plain(value: Any) -> bool:
    """Whether JSON has all of it, and both encoders write it alike."""
    if isinstance(value, str):
        return value.isascii() and value.isprintable()
    if isinstance(value, Struct):
        return all(_is_plain(getattr(value, name)) for name in value.__struct_fields__)
    if isinstance(value, dict):
        return all(isinstance(k, str) and _is_plain(k) and _is_plain(v) for k, v in value.items())
    return value is None or isinstance(value, int)


def _stored(value: Any, seals: Seals) -> Any:
    if isinstance(value, Struct):
        return {name: _stored(item, seals) for name, item in asdict(value).items()}
    if isinstance(value, Mapping):
        return {_shown(name, seals): _stored(item, seals) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return ["list", *(_stored(item, seals) for item in value)]
    return _scalar(value, seals)


def _scalar(value: Any, seals: Seals) -> Any:
    if isinstance(value, str):
        parts = seals.parts(value)
        return value if list(parts) == [value] else ["sealed", *parts]
    if isinstance(value, Deferred):
        return ["template", value.source]
    if isinstance(value, Decimal):
        return ["decimal", _shown(str(value), seals)]
    if value is None or isinstance(value, int | float):
        _shown(str(value), seals)
        return value
    raise TypeError(f"a call cannot hold a {type(value).__name__}")


def _shown(text: Any, seals: Seals) -> str:
    """A key, or a number, of which no part can be replaced."""
    if list(seals.parts(text)) != [text]:
        raise Unstorable("a key or a number is a secret")
    return str(text)


def _restored(value: Any, seals: Seals) -> Any:
    if isinstance(value, dict):
        return {name: _restored(item, seals) for name, item in value.items()}
    if not isinstance(value, list):
        return value
    kind, *rest = value or [None]
    if kind == "list":
        return [_restored(item, seals) for item in rest]
    return _KINDS[kind](rest, seals) if kind in _KINDS else _unknown(kind)


def _decimal(rest: list[Any], seals: Seals) -> Decimal:  # noqa: ARG001 - one of a table
    (text,) = rest
    return Decimal(text)


def _template(rest: list[Any], seals: Seals) -> Deferred:
    (source,) = rest
    if not isinstance(source, str) or not seals.allows(source):
        raise ValueError("a template reads what this request does not")
    return Deferred(source)


def _sealed(rest: list[Any], seals: Seals) -> str:
    return seals.joined([part if isinstance(part, str) else _reference(*part) for part in rest])


def _reference(form: str, name: str) -> tuple[str, str]:
    return form, name


def _unknown(kind: Any) -> Any:
    raise ValueError(f"{str(kind)[:20]!r} is no kind of value")


_KINDS: dict[Any, Callable[[list[Any], Seals], Any]] = {
    "decimal": _decimal,
    "template": _template,
    "sealed": _sealed,
}
_encoder = json.JSONEncoder(separators=(",", ":"))
_plain = msgspec.json.Encoder()
