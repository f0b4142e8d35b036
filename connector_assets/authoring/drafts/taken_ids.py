"""The ids that a draft must not get: with one of them it would be given that one's secrets."""

from __future__ import annotations

from collections.abc import Mapping

from connector_assets.project.settings import folders


def taken_ids(environ: Mapping[str, str]) -> frozenset[str]:
    """The names of all files of specs and connections, and of variables that hold secrets."""
    found = {
        path.stem.lower()
        for folder in folders(environ)
        if folder.is_dir()
        for path in folder.rglob("*.y*ml")
    }
    named = {name.partition("__")[0].lower() for name in environ if "__" in name[1:]}
    return frozenset(found | named)
