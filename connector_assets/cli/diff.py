"""`diff`: what the change of a spec does to rows, positions, columns and cost."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector_assets.cli import output
from connector_assets.cli.options import JsonOption

if TYPE_CHECKING:
    from connector_assets.authoring.changes import Comparison, SpecChange


class ChangeLevel(StrEnum):
    """How grave a change is."""

    INFO = "info"
    WARNING = "warning"
    BREAKING = "breaking"


OldArgument = Annotated[
    Path,
    typer.Argument(
        metavar="OLD",
        help="The spec or connection as it was: a file, or stripe@1 of the catalogue.",
        show_default=False,
    ),
]
NewArgument = Annotated[
    Path, typer.Argument(metavar="NEW", help="It as it is to be.", show_default=False)
]
LevelOption = Annotated[
    ChangeLevel,
    typer.Option(
        "--level", metavar="info|warning|breaking", help="Fail if a change is at least so grave."
    ),
]


def diff(
    old: OldArgument,
    new: NewArgument,
    *,
    level: LevelOption = ChangeLevel.BREAKING,
    as_json: JsonOption = False,
) -> None:
    """Say what the change of a spec, or of a connection, does to what is loaded already.

    Streams that come and go, keys, write modes, cursors and whether their positions hold, columns,
    requests and how long they take. Nothing is sent and no table is looked at. With --json, the
    output is {level, added, removed, rows, changes}, and each change {stream, path, affects, level,
    says, old, new}; affects is rows, state, columns, table, asset, cost,
    access or prose.
    """
    found = _compared(old, new)
    if as_json:
        output.write_json(found.plain(), indent=2)
    else:
        output.write("".join(f"{line}\n" for line in _lines(found)))
    if found.reaches(level.value):
        raise typer.Exit(1)


def _compared(old: Path, new: Path) -> Comparison:
    """Two specs, or two connections; a file, or a connector of the catalogue."""
    from connector_assets.catalogue.shelf import file_of
    from connector_assets.spec.document import (
        is_connection,
        load_connector,
        read_connection,
    )
    from connector_assets.spec.yaml.yaml_text import read_file

    old, new = (path if path.exists() else file_of(str(path)) or path for path in (old, new))
    texts = read_file(old), read_file(new)
    kinds = [b"connection" in text and is_connection(text) for text in texts]
    if kinds[0] != kinds[1]:
        raise output.Misused(
            f"{old}, {new}: one is a spec and one a connection; give two of a kind"
        )
    if not kinds[0]:
        from connector_assets.authoring.changes import compare

        return compare(load_connector(old), load_connector(new))
    from connector_assets.authoring.connection_changes import compare_connections

    before, after = (
        read_connection(text, source=str(path)).spec
        for path, text in zip((old, new), texts, strict=True)
    )
    return compare_connections(before, after)


def _lines(found: Comparison) -> Iterator[str]:
    yield from (_line(one) for one in found.changes)
    if not found.changes:
        yield "nothing differs"
    elif found.rows:
        yield f"rows may be others: {', '.join(found.rows)}; what is staged of them is read anew"
    else:
        yield "no row changes"


def _line(one: SpecChange) -> str:
    where = ".".join(part for part in (one.stream or "(connector)", one.path) if part)
    values = (
        "" if (one.old, one.new) == (None, None) else f" ({_shown(one.old)} → {_shown(one.new)})"
    )
    return f"{one.level}: {where}{values}: {one.says}"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict):
        return str(value.get("type") or "given")
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
