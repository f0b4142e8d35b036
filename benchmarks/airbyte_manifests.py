"""How much of a folder of low-code manifests becomes specs.

`python -m benchmarks.airbyte_manifests FOLDER`
Give it a copy of one's own, with a file for each connector. Every stream counts, those of manifests
that give nothing too. Prints shares, and the reasons of refusals by their number.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from connector_assets.authoring.imports.airbyte.airbyte_manifest import AirbyteManifest
from connector_assets.authoring.imports.draft import Outcome
from connector_assets.authoring.imports.importers import WantedDraft, import_spec
from connector_assets.authoring.imports.source import open_source
from connector_assets.errors import ConnectorError

_SHOWN = 40
_GOOD = ("same", "near")


def outcomes(path: Path) -> tuple[list[Outcome], bool]:
    """What became of each stream, and whether a valid draft was made of the manifest."""
    source = open_source(str(path))
    try:
        return import_spec("airbyte", source).outcomes, True
    except ConnectorError:
        pass
    try:
        return AirbyteManifest().draft(source, WantedDraft()).outcomes, False
    except ConnectorError:
        return [], False


def lines(found: dict[str, tuple[list[Outcome], bool]]) -> Iterator[str]:
    """The report."""
    streams = [one for listed, _ in found.values() for one in listed]
    states = Counter(one.state for one in streams)
    whole = sum(
        is_valid and bool(listed) and all(one.state in _GOOD for one in listed)
        for listed, is_valid in found.values()
    )
    good = sum(states[one] for one in _GOOD)
    counted = ", ".join(f"{count:,} {state}" for state, count in states.most_common())
    yield f"{len(streams):,} streams: {counted}; same or near {good / len(streams):.1%}"
    yield f"{len(found):,} manifests: {whole:,} whole, {whole / len(found):.1%}"
    reasons = Counter(
        one.why.rpartition("is refused: ")[2] for one in streams if one.state == "refused"
    )
    yield from (f"{count:5} {why[:150]}" for why, count in reasons.most_common(_SHOWN))
    yield from (f"      nothing of {name}" for name, (listed, _) in found.items() if not listed)


if __name__ == "__main__":
    files = sorted(Path(sys.argv[1]).glob("*.yaml"))
    for line in lines({path.name: outcomes(path) for path in files}):
        print(line)
