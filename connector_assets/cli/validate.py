"""`validate`: every fault of every document, before anything runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from connector_assets.cli import output
from connector_assets.cli.options import JsonOption
from connector_assets.errors import Fault, SpecError

SUFFIXES = (".yaml", ".yml")

PathsArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH...",
        help="Specs and connections; of a folder, every YAML file in it and below.",
        show_default=False,
    ),
]


def validate(paths: PathsArgument, *, as_json: JsonOption = False) -> None:
    """Check specs and connections, and show every fault with its line.

    Nothing is sent and no value is needed. With --json, the output is a list of
    {file, path, message, line, column}, empty if all is well.
    """
    errors = []
    files = [file for path in paths for file in _files(path)]
    for file in files:
        try:
            _parse(file)
        except SpecError as error:
            errors.append(SpecError(error.faults, source=str(file)))
            if not as_json:
                output.spec_error(errors[-1])
        else:
            if not as_json:
                output.write(f"{file}: ok\n")
    if as_json:
        output.write(
            json.dumps(
                [_plain(error, fault) for error in errors for fault in error.faults], indent=2
            )
            + "\n"
        )
    if errors:
        raise typer.Exit(1)


def _files(path: Path) -> Iterator[Path]:
    """The file itself; of a folder its YAML files, but nothing hidden. None at all is a mistake."""
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise output.Misused(f"{path}: no such file or folder")
    found = sorted(
        file
        for file in path.rglob("*")
        if file.suffix in SUFFIXES
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    if not found:
        raise output.Misused(f"{path}: no YAML file in it")
    yield from found


def _parse(file: Path) -> None:
    """As what it says it is; raises SpecError."""
    from connector_assets.spec.document import parse_connection, parse_connector, read_file

    text = read_file(file)
    parse = parse_connection if _is_connection(text) else parse_connector
    parse(text, source=str(file))


def _is_connection(text: bytes) -> bool:
    if b"connection" not in text:
        return False
    from connector_assets.project import is_connection  # with it comes the HTTP client

    return is_connection(text)


def _plain(error: SpecError, fault: Fault) -> dict[str, str | int | None]:
    return {
        "file": error.source,
        "path": fault.path,
        "message": fault.message,
        "line": fault.line,
        "column": fault.column,
    }
