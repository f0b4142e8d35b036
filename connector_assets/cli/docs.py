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


SubjectArgument = Annotated[Subject, typer.Argument(metavar="spec|cli", help="Which reference.")]


def docs(subject: SubjectArgument = Subject.SPEC) -> None:
    """Print the reference of the spec format, or of this command line, as Markdown."""
    from connector_assets.cli import reference

    make = reference.of_cli if subject is Subject.CLI else reference.of_spec
    output.write(make())
