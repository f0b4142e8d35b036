"""`docs`: the reference, generated from what is validated and what is run."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from connector_assets.cli import output


class Subject(StrEnum):
    """What the reference is about."""

    SPEC = "spec"
    CLI = "cli"
    LINT = "lint"


SubjectArgument = Annotated[
    Subject, typer.Argument(metavar="spec|cli|lint", help="Which reference.")
]


def docs(subject: SubjectArgument = Subject.SPEC) -> None:
    """Print the reference of the spec format, or of this command line, or of lint, as Markdown."""
    from connector_assets.cli import reference

    made = {
        Subject.SPEC: reference.of_spec,
        Subject.CLI: reference.of_cli,
        Subject.LINT: reference.of_lint,
    }
    output.write(made[subject]())
