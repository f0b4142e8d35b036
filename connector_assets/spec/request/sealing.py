"""Secrets taken out of what is stored, and put back where the same request reads them again."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from urllib.parse import quote, quote_plus

from connector_assets.redact import SHORT, Secrets
from connector_assets.spec.request.stored import Part, Unstorable
from connector_assets.spec.templates.template import Template


class Sealing:
    """Takes secrets out of texts that are stored, and puts back those called `names`.

    A server may repeat a secret in a link or a cursor. What stands there then is stored as a form
    and a name; with another secret, or in a form that cannot come back, nothing is.

    >>> sealing = Sealing(Secrets({"apiKey": "k-9f3a"}), {"apiKey"})
    >>> sealing.parts("/items?key=k-9f3a&page=2")
    ['/items?key=', ('value', 'apiKey'), '&page=2']
    """

    def __init__(self, secrets: Secrets, names: Collection[str]) -> None:
        self._secrets = secrets
        forms = [
            (form, kind, name)
            for name in sorted(secrets.keys() & set(names))
            for kind, form in _restorable(secrets[name]).items()
            if len(secrets[name]) >= SHORT
        ]
        forms.sort(key=lambda one: -len(one[0]))  # one may begin as another does
        self._names = frozenset(names)
        self._by_form = {form: (kind, name) for form, kind, name in reversed(forms)}
        self._by_reference = {(kind, name): form for form, kind, name in forms}
        found = "|".join(re.escape(form) for form, _, _ in forms)
        self._forms = re.compile(f"({found})") if forms else None

    def finds(self, text: str) -> bool:
        return self._secrets.finds(text)

    def parts(self, text: str) -> list[Part]:
        """`text` in parts; Unstorable for a secret that could not be put back."""
        pieces = self._forms.split(text) if self._forms else [text]
        for literal in pieces[::2]:
            if self._secrets.holds(literal):
                raise Unstorable("a secret stands in it that cannot be put back")
        parts = [self._by_form[one] if at % 2 else one for at, one in enumerate(pieces)]
        return [part for part in parts if part] or [""]

    def joined(self, parts: Sequence[Part]) -> str:
        """The text that `parts` were, with the values of now; ValueError for other secrets."""
        known = self._by_reference
        if not all(isinstance(part, str) or part in known for part in parts):
            raise ValueError("it refers to a secret that this request does not read")
        return "".join(part if isinstance(part, str) else known[part] for part in parts)

    def allows(self, template: str) -> bool:
        """Whether `template` reads no secrets but those called `names`."""
        read = (name.split(".") for name in Template(template).names)
        return all(name[1] in self._names for name in read if name[0] == "secrets")


def _restorable(value: str) -> dict[str, str]:
    """The forms in which a server repeats a value in a URL or a cursor."""
    percent = quote(value, safe="", errors="replace")
    plus = quote_plus(value, errors="replace")
    return {
        "value": value,
        "percent": percent,
        "path": quote(value, errors="replace"),
        "form": plus,
    }
