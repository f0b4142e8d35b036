"""`migrate`: documents of an older format in this build's format, their comments kept."""

from __future__ import annotations

import difflib
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connector_assets.cli import output
from connector_assets.cli.validate import PathsArgument, files_of
from connector_assets.errors import SpecError
from connector_assets.private import replaced

if TYPE_CHECKING:
    from connector_assets.spec.migrate import Migrated

CheckOption = Annotated[
    bool, typer.Option("--check", help="Change nothing; fail if a document is not up to date.")
]
WriteOption = Annotated[bool, typer.Option("--write", help="Rewrite the files in place.")]


def migrate(
    paths: PathsArgument, *, check: CheckOption = False, write: WriteOption = False
) -> None:
    """Bring specs and connections to the format of this build; comments stay.

    Without --write, the changes are shown as a diff and nothing is written.
    """
    if check and write:
        raise output.Misused("migrate: --check and --write exclude each other")
    failed = False
    for file in (file for path in paths for file in files_of(path)):
        try:
            old, done = _migrated(file)
        except SpecError as error:
            failed = True
            output.spec_error(SpecError(error.faults, source=str(file)))
            continue
        if not done.steps:
            output.write(f"{file}: up to date\n")
            continue
        failed = failed or check
        _tell(file, old, done, write=write)
    if failed:
        raise typer.Exit(1)


def _migrated(file: Path) -> tuple[str, Migrated]:
    from connector_assets.spec.migrate import migrate as run
    from connector_assets.spec.yaml.yaml_text import decode, read_file

    text = read_file(file)
    return decode(text, str(file)), run(text, source=str(file))


def _tell(file: Path, old: str, done: Migrated, *, write: bool) -> None:
    if write:
        _replace(file, done.text)
        output.write("".join(f"{file}: {step}\n" for step in done.steps))
        return
    before, after = (text.replace("\r\n", "\n").splitlines(True) for text in (old, done.text))
    output.write("".join(difflib.unified_diff(before, after, str(file), str(file))))


def _replace(file: Path, text: str) -> None:
    """All of it or nothing: a half-written spec would be a broken one."""
    replaced(file, text.encode(), stat.S_IMODE(file.stat().st_mode))
