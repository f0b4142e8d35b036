"""`llms.txt`: the documentation as a list of links, for models that look for it by that name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from connector_assets.authoring.spec_reference import topics
from connector_assets.errors import ConfigError

_FOLDERS = {
    "": "Start",
    "how-to": "How to",
    "catalogue": "Catalogue",
    "reference": "Reference",
    "explanation": "Explanation",
}


def llms_txt(docs: Path) -> str:
    """The pages below the folder `docs`, each with its title; ConfigError where there are none."""
    if not (docs / "index.md").is_file():
        raise ConfigError("has no index.md", where=str(docs), fix="run it in a checkout")
    lines = ["# Connector Assets", "", _ABOUT, ""]
    for folder, title in _FOLDERS.items():
        lines += [f"## {title}", "", *_links(docs, folder), ""]
    asked = ", ".join(f"`{one}`" for one in topics())
    lines += ["## For models", "", _TOOLS, "", f"Topics of the reference: {asked}.", ""]
    return "\n".join(lines)


def _links(docs: Path, folder: str) -> Iterator[str]:
    for path in sorted((docs / folder).glob("*.md")):
        found = re.search(r"^# (.+)$", path.read_text("utf-8"), re.MULTILINE)
        yield f"- [{found[1] if found else path.stem}]({path.relative_to(docs).as_posix()})"
    for path in sorted((docs / folder).glob("*.schema.json")):
        yield f"- [JSON Schema: {path.name}]({path.relative_to(docs).as_posix()})"


_ABOUT = """\
> One validated YAML document says what an HTTP API is: endpoints, authentication, pagination,
> streams. It becomes Dagster assets and resources; rows are read page by page, in bounded memory,
> into DuckDB, PostgreSQL, Parquet and other stores."""

_TOOLS = """\
`connector-assets mcp` serves tools that draft, validate, try and create connectors;
`connector-assets agent init` writes a skill for coding agents. `connector-assets docs spec` prints
the whole reference of the format, the tool `get_spec_reference` one topic."""
