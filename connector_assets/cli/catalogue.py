"""`search` and `add`: connectors that come with this package."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector_assets.cli import output
from connector_assets.cli.imports import ReplaceOption
from connector_assets.cli.options import JsonOption

if TYPE_CHECKING:
    from connector_assets.authoring.added_connection import AddedConnection
    from connector_assets.catalogue.entries import Entry

WordsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="WORD...",
        help="Part of a name, a category, a stream or a description.",
        show_default=False,
    ),
]
NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A connector of the catalogue, as stripe.", show_default=False
    ),
]
IdOption = Annotated[
    str | None,
    typer.Option("--id", metavar="ID", help="The connection's id. Default: the connector's."),
]
StreamOption = Annotated[
    list[str] | None,
    typer.Option("--stream", metavar="STREAM", help="Only this one; may be repeated."),
]


def search(words: WordsArgument, *, as_json: JsonOption = False) -> None:
    """Look for connectors of the catalogue by words that all have to fit.

    They come with this package; `add` uses one. Exit code 1 where none fits.
    """
    from connector_assets.catalogue.entries import search as found_by

    found = found_by(words)
    show(found, as_json=as_json)
    if not found:
        output.say(f"no connector of the catalogue has {' and '.join(words)}")
        raise typer.Exit(1)


def show(entries: Iterable[Entry], *, as_json: bool) -> None:
    """Connectors of the catalogue to stdout."""
    if as_json:
        output.write_json([one.plain() for one in entries], indent=2)
        return
    for one in entries:
        first = one.description.partition("\n")[0]
        output.write(
            f"{one.id}  {one.display_name}  ({one.category}, {len(one.streams)} streams)\n"
            f"  {first}\n"
        )


def add(
    name: NameArgument,
    *,
    id: IdOption = None,  # noqa: A002 - the option's name
    stream: StreamOption = None,
    replace: ReplaceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write the connection of a connector of the catalogue, and say which values it needs.

    The file goes into the project's folder of connections, and names the connector's release: a
    later build changes nothing of it by itself. `diff NAME@1 NAME` tells what a later one does.
    """
    import os

    from connector_assets.authoring.added_connection import added
    from connector_assets.authoring.whole_file import write_whole
    from connector_assets.project.settings import folders

    made = added(name, connection_id=id or "", streams=stream or ())
    target = folders(os.environ)[1] / f"{made.id}.yaml"
    try:
        write_whole(target, made.text.encode(), replace=replace)
    except FileExistsError:
        raise output.Misused(f"{target}: is there already; give --id or --replace") from None
    if as_json:
        output.write_json(_told(made, target), indent=2)
        return
    output.write(f"{target}: written\n")
    for line in made.text.splitlines():
        if line.startswith("#"):
            output.say(line.removeprefix("# "))
    output.say(f"next: connector-assets check {made.id}, then connector-assets load {made.id}")


def _told(made: AddedConnection, target: Path) -> dict[str, Any]:
    return {
        "id": made.id,
        "path": str(target),
        "secrets": [[one.variable for one in way] for way in made.ways],
        "config": [one.variable for one in made.config],
    }
