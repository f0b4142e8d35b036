"""`validate`: every fault of every document, before anything runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connector_assets.cli import output
from connector_assets.cli.options import JsonOption
from connector_assets.errors import Fault, SpecError

if TYPE_CHECKING:
    from connector_assets.spec.connector import ConnectorSpec
    from connector_assets.spec.document import Document

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

    Two connectors of one id in this project's folder are both at fault.

    Nothing is sent and no value is needed. With --json, the output is a list of
    {file, path, message, line, column}, empty if all is well.
    """
    files = [file for path in paths for file in files_of(path)]
    neighbours = _Neighbours()
    errors = [error for file in files if (error := _error(file, neighbours, as_json=as_json))]
    if as_json:
        told = [_plain(error, fault) for error in errors for fault in error.faults]
        output.write_json(told, indent=2)
    if errors:
        raise typer.Exit(1)


def _error(file: Path, neighbours: _Neighbours, *, as_json: bool) -> SpecError | None:
    """What is wrong with one file; said at once, if not for machines."""
    try:
        _check(file, neighbours)
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


class _Neighbours:
    """The files of this project's folder of specs, read once for all that are validated."""

    @cached_property
    def folder(self) -> Path:
        from connector_assets.project.settings import folders

        return folders(os.environ)[0]

    @cached_property
    def written(self) -> dict[str, list[Path]]:
        from connector_assets.project.spec_files import written_ids

        return written_ids(self.folder)

    def refuse_shared_id(self, document: Document[ConnectorSpec], file: Path) -> None:
        from connector_assets.project.spec_files import refuse_shared_id

        if file.resolve().parent == self.folder.resolve():
            refuse_shared_id(document, file, self.written)


def _check(file: Path, neighbours: _Neighbours) -> None:
    """As what the file says it is; raises SpecError."""
    from connector_assets.spec.component import attributes_of, is_component, read_component
    from connector_assets.spec.document import is_connection, read_connection, read_connector
    from connector_assets.spec.yaml.yaml_text import read_file

    text = read_file(file)
    if is_component(text):
        attributes = attributes_of(text, source=str(file))
        read_component(attributes.data, attributes, source=str(file))
    elif not is_connection(text):
        neighbours.refuse_shared_id(read_connector(text, source=str(file)), file)
        return
    else:
        read_connection(text, source=str(file))
    faults = _unfit(file)
    if faults:
        raise SpecError(faults, source=str(file))


def _unfit(file: Path) -> Sequence[Fault]:
    """Where a connection does not fit its connector, if this project has a folder of them."""
    from connector_assets.project.settings import folders

    if not folders(os.environ)[0].is_dir():
        return ()
    from connector_assets.cli.project import find
    from connector_assets.runtime.runtime import HttpRuntime

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
