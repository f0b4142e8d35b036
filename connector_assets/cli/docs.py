"""`docs`: the reference, generated from what is validated and what is run."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from connector_assets.cli import output


class Subject(StrEnum):
    """What the reference is about."""

    SPEC = "spec"
    CLI = "cli"
    LINT = "lint"
    PYTHON = "python"
    LLMS = "llms"
    KAFKA = "kafka"
    CATALOGUE = "catalogue"


SubjectArgument = Annotated[
    Subject,
    typer.Argument(metavar="spec|cli|lint|python|llms|kafka|catalogue", help="Which reference."),
]


def docs(context: typer.Context, subject: SubjectArgument = Subject.SPEC) -> None:
    """Print the reference of the spec, the command line, lint or the Python API, as Markdown.

    llms is an index of the documentation in the folder docs, in the form of llms.txt; kafka is what
    a connection to Kafka takes; catalogue is a table of the connectors that come with the package.
    """
    from connector_assets.authoring import catalogue_page, llms_txt, spec_reference
    from connector_assets.cli import reference, reference_python

    root = context.find_root()
    made: dict[Subject, Callable[[], str]] = {
        Subject.SPEC: spec_reference.of_spec,
        Subject.CLI: lambda: reference.of_cli(root.info_name or "", root.command),
        Subject.LINT: spec_reference.of_lint,
        Subject.PYTHON: reference_python.of_python,
        Subject.KAFKA: lambda: spec_reference.of_plugin("kafka"),
        Subject.CATALOGUE: catalogue_page.of_catalogue,
        Subject.LLMS: lambda: llms_txt.llms_txt(Path("docs")),
    }
    output.write(made[subject]())
