"""The catalogue as a page: what there is, and what was proven of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from connector_assets.catalogue.entries import Entry, entries
from connector_assets.catalogue.proofs import HOWS

_ABOUT = """\
# The catalogue

{count} connectors come with the package; [how they are used](../how-to/catalogue.md). The table is
made of the specs themselves.

**simulated**: `connector-assets test` held on that day, against a fake made from the spec:
complete, resumed after a kill, token renewed, limit kept. It cannot find that a spec is wrong
about its vendor. **compared**: on that day somebody who did not write the spec held it against
the vendor's pages. **server**: it was read from a server that somebody else wrote. A spec that
has changed since has no such day. Where it is not said, nothing was read from the vendor's own
servers.
"""


def of_catalogue() -> str:
    """The page in Markdown, one table for each category."""
    known = sorted(entries(), key=lambda one: (one.category, one.id))
    lines = [_ABOUT.format(count=len(known))]
    for category, those in groupby(known, key=lambda one: one.category):
        lines += [f"## {_title(category)}", "", *_table(those), ""]
    return "\n".join(lines)


def _title(category: str) -> str:
    """`crm` and `hr` as they are written."""
    return category.upper() if category in ("crm", "hr") else category.capitalize()


def _table(those: Iterator[Entry]) -> Iterator[str]:
    yield "| connector | streams | simulated | compared | server |"
    yield "|---|---|---|---|---|"
    for entry in those:
        name = entry.display_name.replace("|", "\\|")
        linked = f"[{name}]({entry.docs_url})" if entry.docs_url else name
        streams = ", ".join(entry.streams) or "what the API lists"
        proven = (_last(entry, how) for how in HOWS)
        yield f"| {linked} `{entry.id}` | {streams} | {' | '.join(proven)} |"


def _last(entry: Entry, how: str) -> str:
    """The last day it was proven so, and by what."""
    found = [one for one in entry.proofs if one.how == how]
    return f"{found[-1].on}{' ' if found[-1].says else ''}{found[-1].says}" if found else ""
