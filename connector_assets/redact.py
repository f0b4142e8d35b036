"""Secret values never leave: a `Secrets` mapping shows names only, and masks its values in text.

Masking goes by value, not by field name: what a template, a server's echo or a library's log line
makes of a secret is found wherever it turns up, also percent-encoded, in base64 or JSON-escaped.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from urllib.parse import quote, quote_plus

# Shorter values would mask ordinary words and digits; they are masked only where they stand alone.
_SHORT = 4


class Secrets(Mapping[str, str]):
    """Secret values by name.

    >>> secrets = Secrets({"apiKey": "k-9f3a"})
    >>> secrets
    Secrets(apiKey)
    >>> secrets.mask("GET /v1?key=k-9f3a")
    'GET /v1?key=[secret:apiKey]'
    """

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = dict(values or {})
        self._learned: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(self._values))})"

    def learn(self, name: str, value: str) -> None:
        """Mask `value` too: a token that was obtained on the way, such as an access token."""
        if value and value not in self._learned:
            self._learned[value] = name
            for cached in ("_forms", "_pattern"):
                self.__dict__.pop(cached, None)

    def mask(self, text: str) -> str:
        """`text` with every form of every value replaced by `[secret:name]`."""
        if not self._pattern or not text:
            return text
        return self._pattern.sub(lambda found: f"[secret:{self._forms[found[0]]}]", text)

    def seal(self, text: str) -> str:
        """`text` fit to be stored: each value becomes a placeholder that `unseal` turns back.

        Forms other than the value itself and its percent-encoding cannot come back and are masked.
        """
        for name, value in self._values.items():
            for kind, form in _sealed_forms(value).items():
                text = (
                    text.replace(form, f"[sealed:{kind}:{name}]") if len(form) >= _SHORT else text
                )
        return self.mask(text)

    def unseal(self, text: str) -> str:
        """What `seal` was given, with the values of now."""
        for name, value in self._values.items():
            for kind, form in _sealed_forms(value).items():
                text = text.replace(f"[sealed:{kind}:{name}]", form)
        return text

    @cached_property
    def _forms(self) -> dict[str, str]:
        known = [*self._learned.items(), *((value, name) for name, value in self._values.items())]
        return {form: name for value, name in known for form in _forms(value)}

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        forms = sorted(self._forms, key=len, reverse=True)
        parts = [
            re.escape(form) if len(form) >= _SHORT else rf"(?<!\w){re.escape(form)}(?!\w)"
            for form in forms
        ]
        return re.compile("|".join(parts)) if parts else None


def _sealed_forms(value: str) -> dict[str, str]:
    """The forms that a server echoes into a URL or a cursor, as they stand in JSON."""
    return {"value": json.dumps(value)[1:-1], "percent": quote(value, safe="", errors="replace")}


def _forms(value: str) -> set[str]:
    if not value:
        return set()
    raw = value.encode("utf-8", "surrogatepass")
    percent = quote(raw, safe="")
    forms = {
        value,
        percent,
        re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), percent),
        quote_plus(raw),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
    }
    if len(raw) >= _SHORT:
        forms |= {form for offset in range(3) for form in _base64_forms(raw, offset)}
    return forms


def _base64_forms(raw: bytes, offset: int) -> set[str]:
    """The base64 of `raw` when it starts `offset` bytes into a text, as far as `raw` alone decides.

    The first and last character may mix in a neighbour's bits, so they are left out.
    """
    padded = base64.b64encode(b"\0" * offset + raw).decode()
    start = -(-offset * 8 // 6)
    stop = (offset + len(raw)) * 8 // 6
    core = padded[start:stop]
    return {core, core.translate(str.maketrans("+/", "-_"))} if len(core) >= _SHORT else set()
