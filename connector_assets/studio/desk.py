"""All that the studio does, over one project: pages and API call the same things."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from connector_assets.authoring.workbench import Workbench
from connector_assets.studio.documents import Documents
from connector_assets.studio.previews import Previews
from connector_assets.studio.shelves import Shelves
from connector_assets.studio.usage import Usage


@dataclass(frozen=True)
class Desk:
    """One project at hand."""

    bench: Workbench

    @cached_property
    def documents(self) -> Documents:
        """Documents that are being written."""
        return Documents(self.bench)

    @cached_property
    def previews(self) -> Previews:
        """Reads that are open."""
        return Previews(self.bench)

    @cached_property
    def shelves(self) -> Shelves:
        """What the catalogue shows."""
        return Shelves(self.bench)

    @cached_property
    def usage(self) -> Usage:
        """Connectors of the catalogue, put to use."""
        return Usage(self.bench)
