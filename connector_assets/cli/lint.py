"""`lint`: what is valid and still likely to be wrong, with a suggested fix each."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connector_assets.cli import output
from connector_assets.cli.options import JsonOption
from connector_assets.cli.validate import PathsArgument, files_of
from connector_assets.errors import SpecError

if TYPE_CHECKING:
    from connector_assets.spec.lint.lint import Lint


class Level(StrEnum):
    """How grave a finding is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


LevelOption = Annotated[
    Level,
    typer.Option(
        "--level", metavar="info|warning|error", help="Fail if a finding is at least so grave."
    ),
]


def lint(
    paths: PathsArgument, *, level: LevelOption = Level.WARNING, as_json: JsonOption = False
) -> None:
    """Look for what is valid in documents and still likely to be wrong, and suggest a fix.

    With --json, the output is a list of {file, rule, level, path, message, fix, line, column}; a
    fault that validate finds has the rule "invalid".
    A comment "# lint: allow RULE" on a line, above it, or before the first key allows a finding.
    """
    from connector_assets.spec.lint.lint import at_or_above

    found = {file: _found(file) for path in paths for file in files_of(path)}
    if as_json:
        told = [
            {"file": str(file), **asdict(one)}
            for file, findings in found.items()
            for one in findings
        ]
        output.write_json(told, indent=2)
    else:
        for file, findings in found.items():
            _tell(file, findings)
    if any(at_or_above(one, level.value) for one in found.values()):
        raise typer.Exit(1)


def _found(file: Path) -> list[Lint]:
    """The findings in one file: its faults; if it has none, what the rules find."""
    from connector_assets.spec.document import is_connection, read_connection, read_connector
    from connector_assets.spec.lint.lint import invalid, lint_connection
    from connector_assets.spec.lint.lint import lint as find
    from connector_assets.spec.yaml.yaml_text import read_file

    try:
        text = read_file(file)
        if not is_connection(text):
            return find(read_connector(text, source=str(file)))
        return lint_connection(read_connection(text, source=str(file)))
    except SpecError as error:
        return [invalid(fault) for fault in error.faults]


def _tell(file: Path, found: list[Lint]) -> None:
    if not found:
        output.write(f"{file}: ok\n")
        return
    output.spec_error(SpecError([one.fault for one in found], source=str(file)))
