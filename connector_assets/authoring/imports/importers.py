"""A source → a validated draft, by whichever importer reads its kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from connector_assets.authoring.imports.draft import Draft, finished
from connector_assets.authoring.imports.kinds import KINDS
from connector_assets.authoring.imports.source import Source
from connector_assets.errors import ConfigError

_HERE = "connector_assets.authoring.imports"


@dataclass(frozen=True)
class WantedDraft:
    """What is asked of an import.

    `select` are patterns of the lists to take; empty: all that an importer takes by itself. `id` is
    the connector's; default: made of what the source is called. `answer` is a recorded answer.
    """

    select: Sequence[str] = ()
    id: str | None = None
    answer: Source | None = None


class Importer(Protocol):
    """Makes a draft of one kind of source."""

    def draft(self, source: Source, wanted: WantedDraft) -> Draft:
        """The draft, not yet validated; raises a ConnectorError for a source it cannot read."""
        ...


def import_spec(kind: str, source: Source, wanted: WantedDraft | None = None) -> Draft:
    """The draft of `source`, validated; raises a ConnectorError for one that cannot be used.

    >>> draft = import_spec("openapi", open_source("petstore.yaml"), Wanted(select=["pets*"]))
    >>> print(draft.text, draft.summary())
    """
    draft = _importer(kind).draft(source, wanted or WantedDraft())
    if not draft.data.get("endpoints"):
        lost = [one.says for one in draft.remarks if one.field == "$ref"]
        told = [*(one.why for one in draft.outcomes if one.why), *lost]
        why = "; ".join(dict.fromkeys(told)) or "none found"
        raise ConfigError(f"has no list to draft: {why[:300]}", where=draft.source)
    return finished(draft)


def _importer(kind: str) -> Importer:
    """The importer of this name; its module is loaded here and not before."""
    for one in KINDS:
        if one.name == kind:
            module, _, name = one.home.partition(":")
            made: Any = getattr(import_module(f"{_HERE}.{module}"), name)()
            importer: Importer = made
            return importer
    known = ", ".join(one.name for one in KINDS)
    raise ConfigError(f'"{kind}" is no importer', fix=f"use one of {known}")
