"""What was proven of each spec of the catalogue, as long as the spec says what it said then."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector_assets.catalogue.shelf import folder

FILE = "proofs.json"
HOWS = ("simulated", "compared", "server")
"""Held against a fake made from the spec; against the vendor's pages; by a server of others."""


@dataclass(frozen=True)
class Proof:
    """One way in which a spec was tried: `how`, the day, and by what."""

    how: str
    on: str
    says: str = ""

    def __str__(self) -> str:
        return f"{self.how} {self.on}"


def digest(data: Any) -> str:
    """What a document means, without its comments and its order of keys."""
    meaning = json.dumps(data, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(meaning.encode()).hexdigest()[:16]


def written() -> dict[str, list[dict[str, str]]]:
    """Everything that was ever proven, by the connector's id."""
    path = folder() / FILE
    found: dict[str, list[dict[str, str]]] = json.loads(path.read_text()) if path.is_file() else {}
    return found


def holding(
    data: Any, found: Sequence[Mapping[str, str]], hows: Sequence[str] = HOWS
) -> tuple[Proof, ...]:
    """Those proofs that are of this very document, in the order of `HOWS`."""
    now = digest(data)
    proofs = [
        Proof(one["how"], one["on"], one.get("says", ""))
        for one in found
        if one["digest"] == now and one["how"] in hows
    ]
    return tuple(sorted(proofs, key=lambda one: (hows.index(one.how), one.on)))
