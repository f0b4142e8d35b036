"""`validate`: every fault of every document, before anything runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from connector_assets.cli import output
from connector_assets.cli.options import JsonOption
from connector_assets.errors import Fault, SpecError

SUFFIXES = (".yaml", ".yml")
LOCK_SUFFIX = ".lock.yaml"

PathsArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH...",
        help="Specs and connections; of a folder, every YAML file in it and below.",
        show_default=False,
    ),
]


def validate(paths: PathsArgument, *, as_json: JsonOption = False) -> None:
    """Check specs and connections, each by itself, and show every fault with its line.

    Nothing is sent and no value is needed. With --json, the output is a list of
    {file, path, message, line, column}, empty if all is well.
    """
    files = [file for path in paths for file in files_of(path)]
    errors = [error for file in files if (error := _error(file, as_json=as_json))]
    if as_json:
        told = [_plain(error, fault) for error in errors for fault in error.faults]
        output.write(json.dumps(told, indent=2) + "\n")
    if errors:
        raise typer.Exit(1)


def _error(file: Path, *, as_json: bool) -> SpecError | None:
    """What is wrong with one file; said at once, if not for machines."""
    try:
        _check(file)
    except SpecError as error:
        wrong = SpecError(error.faults, source=str(file))
        if not as_json:
            output.spec_error(wrong)
        return wrong
    if not as_json:
        output.write(f"{file}: ok\n")
    return None


def files_of(path: Path) -> Iterator[Path]:
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
        and not file.name.endswith(LOCK_SUFFIX)
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    if not found:
        raise output.Misused(f"{path}: no YAML file in it")
    yield from found


def _check(file: Path) -> None:
    """As what the file says it is; raises SpecError."""
    from connector_assets.spec.component import attributes_of, is_component, read_component
    from connector_assets.spec.document import (
        is_connection,
        read_connection,
        read_connector,
        read_file,
    )

    text = read_file(file)
    if is_component(text):
        attributes = attributes_of(text, source=str(file))
        read_component(attributes.data, attributes, source=str(file))
    elif not is_connection(text):
        read_connector(text, source=str(file))
        return
    else:
        read_connection(text, source=str(file))
    faults = _unfit(file)
    if faults:
        raise SpecError(faults, source=str(file))


def _unfit(file: Path) -> Sequence[Fault]:
    """Where a connection does not fit its connector, if this project has a folder of them."""
    from connector_assets.cli.project import find, folders
    from connector_assets.runtime.runtime import HttpRuntime

    if not folders(os.environ)[0].is_dir():
        return ()
    try:
        with HttpRuntime() as runtime:
            find(str(file), runtime=runtime, environ=os.environ)
    except SpecError as error:
        # What is wrong in the connector's own file is told there.
        return error.faults if error.source == str(file) else ()
    return ()


def _plain(error: SpecError, fault: Fault) -> dict[str, str | int | None]:
    return {
        "file": error.source,
        "path": fault.path,
        "message": fault.message,
        "line": fault.line,
        "column": fault.column,
    }
