"""Pieces of a draft that several importers make: the document's head, secrets, auth, parents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connector_assets.authoring.imports.commented import bare
from connector_assets.authoring.imports.draft import (
    Draft,
    DraftRemark,
    Outcome,
    Said,
    connector_id,
    template_name,
)
from connector_assets.redact import Secrets
from connector_assets.spec.names.names import variable_names

FIRST_LINE = (
    "Drafted from {source}. What stands behind a value is what it was guessed from; TODO marks what"
)
SECOND_LINE = "only a person knows. Look at both, then run: connector-assets validate, check, read."


_WORD = re.compile(r"[a-z]{1,8}")
"""A value that is a plain word, as a user name may be: it stands in other words too."""


@dataclass
class Parts:
    """What an importer gathers on the way to a draft."""

    kind: str
    source: str
    secrets: dict[str, str] = field(default_factory=dict)
    """The secrets that templates read, with what each is."""
    held: dict[str, str] = field(default_factory=dict, repr=False)
    """Values of theirs that the source held; they are never written."""
    config: dict[str, dict[str, Any]] = field(default_factory=dict)
    auth: list[Any] = field(default_factory=list)
    endpoints: list[Any] = field(default_factory=list)
    streams: list[Any] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    remarks: list[DraftRemark] = field(default_factory=list)
    _spelled: dict[str, str] = field(default_factory=dict, repr=False)

    def say(self, kind: Said, stream: str, where: str, says: str, *alternatives: Any) -> None:
        """Add a remark."""
        self.remarks.append(DraftRemark(stream, where, kind, says, alternatives))

    def spelled(self, name: str) -> str:
        """The name that templates have: the first spelling of those that are one variable."""
        name = template_name(name)
        variables = variable_names("x", name)
        known = next((self._spelled[one] for one in variables if one in self._spelled), name)
        self._spelled |= dict.fromkeys(variables, known)
        return known

    def value(self, name: str, field: Mapping[str, Any]) -> str:
        """The name of a config value, which is there from then on."""
        name = self.spelled(name)
        self.config.setdefault(name, dict(field))
        return name

    def secret(self, name: str, about: str, value: Any = None) -> str:
        """A template that reads a secret; the value that stood there is kept out of the draft.

        Another value under the same name gets a name of its own.
        """
        if isinstance(value, str) and value:
            number, base = 1, name
            while self.held.get(name, value) != value:
                number += 1
                name = f"{base}{number}"
            self.held[name] = value
        self.secrets.setdefault(name, about)
        return f"{{{{secrets.{name}}}}}"

    def draft(self, title: str, wanted_id: str | None, **more: Any) -> Draft:
        """The draft of all parts; `more` are further keys of the document, None leaves one out."""
        title = " ".join(one_line(title).split())[:120] or "API"
        body: dict[str, Any] = {
            "config": self.config or None,
            "secrets": {n: {"description": about} for n, about in self.secrets.items()} or None,
            "auth": self.auth or None,
            **more,
            "endpoints": self.endpoints,
            "read": {"streams": self.streams},
        }
        auth = body.pop("auth")
        first = ("description", "docsUrl", "config", "secrets")
        ordered: dict[str, Any] = {
            "kind": "connector",
            "version": "1.0",
            "id": connector_id(wanted_id or title),
            "displayName": title,
        }
        ordered |= {key: body.pop(key) for key in first if key in body}
        ordered |= {"auth": auth, **body}
        data = {key: value for key, value in ordered.items() if bare(value) is not None}
        head = (FIRST_LINE.format(source=self.source), SECOND_LINE)
        held = Secrets({n: v for n, v in self.held.items() if not _WORD.fullmatch(v)})
        return Draft(self.kind, self.source, data, self.outcomes, self.remarks, held, head)


def one_line(text: str) -> str:
    """A text without what cannot stand in a name that people see."""
    return "".join(one if one.isprintable() else " " for one in text)


def less(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping without what is None or empty."""
    return {key: value for key, value in mapping.items() if value not in (None, "", {}, [], ())}
