"""What the catalogue tells of each spec; none is validated for that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector_assets.catalogue.proofs import Proof, holding, written
from connector_assets.catalogue.shelf import files
from connector_assets.spec.yaml.yaml_source import read_yaml
from connector_assets.spec.yaml.yaml_text import read_file


@dataclass(frozen=True)
class Entry:
    """A connector of the catalogue, as people look for it."""

    id: str
    display_name: str
    category: str
    description: str
    docs_url: str
    release: int
    streams: tuple[str, ...]
    path: Path
    proofs: tuple[Proof, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "id": self.id,
            "displayName": self.display_name,
            "category": self.category,
            "description": self.description,
            "docsUrl": self.docs_url,
            "release": self.release,
            "streams": list(self.streams),
            "proven": [str(one) for one in self.proofs],
        }

    def says(self, word: str) -> int:
        """How well it answers to `word`: 0 not at all, more where its name does.

        >>> entry = Entry("stripe", "Stripe", "payments", "Charges.", "", 1, ("payouts",), Path())
        >>> [entry.says(word) for word in ("STRIPE", "strip", "payments", "payout", "crm")]
        [4, 3, 2, 1, 0]
        """
        asked = word.casefold()
        names = {self.id.casefold(), self.display_name.casefold()}
        if asked in names:
            return 4
        if any(asked in name for name in names):
            return 3
        if asked in self.category.casefold():
            return 2
        return int(any(asked in text.casefold() for text in (self.description, *self.streams)))


def entries() -> Iterator[Entry]:
    """Every connector of the catalogue, in order of their ids."""
    proven = written()
    for path in files():
        data = read_yaml(read_file(path)).data
        yield Entry(
            str(data["id"]),
            str(data["displayName"]),
            str(data.get("category", "other")),
            str(data.get("description", "")),
            str(data.get("docsUrl", "")),
            int(data.get("release", 1)),
            tuple(_streams(data["read"])),
            path,
            holding(data, proven.get(str(data["id"]), ())),
        )


def search(words: Sequence[str]) -> list[Entry]:
    """The connectors that answer to each of `words`, best first; all where there is none."""
    found = [(min(map(entry.says, words), default=1), entry) for entry in entries()]
    answering = [one for one in found if one[0]]
    return [entry for _, entry in sorted(answering, key=lambda one: (-one[0], one[1].id))]


def _streams(read: Mapping[str, Any]) -> Iterator[str]:
    yield from map(str, read.get("resourceTypes", ()))
    yield from (str(stream["name"]) for stream in read.get("streams", ()))
