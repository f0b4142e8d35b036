"""`fmt`: specs and connections in one form, their comments kept."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Annotated

import typer

from connector_assets.cli import output
from connector_assets.cli.validate import PathsArgument, files_of
from connector_assets.errors import SpecError
from connector_assets.private import replaced

CheckOption = Annotated[
    bool, typer.Option("--check", help="Change nothing; fail if a file is not in its form.")
]


def fmt(paths: PathsArgument, *, check: CheckOption = False) -> None:
    """Rewrite specs and connections in one form: what they say stays, and so do comments.

    Keys are in the order of the reference, those of a mapping itself before those it inherits;
    quotes are double, and only where they are needed; no trailing spaces, and one empty line at
    most. A document that is not valid is not touched. Components of Dagster are passed over.
    """
    failed = False
    for file in (file for path in paths for file in files_of(path)):
        try:
            failed = _formatted(file, check=check) or failed
        except SpecError as error:
            failed = True
            output.spec_error(SpecError(error.faults, source=str(file)))
    if failed:
        raise typer.Exit(1)


def _formatted(file: Path, *, check: bool) -> bool:
    """Whether the file still has to be rewritten."""
    from connector_assets.authoring.formatted import formatted
    from connector_assets.spec.component import is_component
    from connector_assets.spec.yaml.yaml_text import read_file

    before = read_file(file)
    if is_component(before):
        output.write(f"{file}: passed over, a component of Dagster\n")
        return False
    after = formatted(before, source=str(file)).encode()
    if after == before:
        output.write(f"{file}: ok\n")
        return False
    if check:
        output.write(f"{file}: would be rewritten\n")
        return True
    replaced(file, after, stat.S_IMODE(file.stat().st_mode))
    output.write(f"{file}: rewritten\n")
    return False
