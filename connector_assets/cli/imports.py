"""`import`: a spec drafted from what people have, with a report of what was guessed."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector_assets.authoring.imports.kinds import KINDS, ImportKind
from connector_assets.cli import output
from connector_assets.cli.options import AllowPrivateOption, JsonOption

if TYPE_CHECKING:
    from connector_assets.authoring.imports.draft import Draft
    from connector_assets.authoring.imports.source import Fetch

_SHOWN = 40

imports = typer.Typer(
    help="Draft a spec from what you have: a document of the API, a config, a recorded request.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

SelectOption = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        metavar="PATTERN",
        help="Only lists whose name, path or operation matches, as 'orders*' or '/v1/*'; "
        "tag:NAME for a tag. May be repeated. What they need is drafted too.",
    ),
]
ListOption = Annotated[
    bool, typer.Option("--list", help="Only say what would be drafted; write nothing.")
]
IdOption = Annotated[
    str | None,
    typer.Option("--id", metavar="ID", help="The connector's id; default: made of the source's."),
]
OutOption = Annotated[
    str | None,
    typer.Option(
        "--out",
        metavar="FILE|-",
        help="Where the draft goes, - for stdout. Default: ID.yaml in the folder of specs.",
    ),
]
ReplaceOption = Annotated[
    bool, typer.Option("--replace", help="Put the draft in the place of a file that is there.")
]
RefsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--refs",
        metavar="FOLDER|URL",
        help="A further folder or URL prefix that $ref may read from; may be repeated. "
        "Default: only the document's own folder.",
    ),
]
AnswerOption = Annotated[
    Path | None,
    typer.Option(
        "--answer",
        metavar="FILE",
        help="A recorded answer (JSON): rows, key, columns and pagination are taken from it.",
    ),
]


def _add(kind: ImportKind) -> None:
    """The command of one importer, with the options it takes."""

    def command(source: str, **typed: Any) -> None:
        _run(kind, source, **typed)

    def signature(
        source: Annotated[
            str, typer.Argument(metavar="SOURCE", help=kind.reads, show_default=False)
        ],
        *,
        select: SelectOption = None,
        list_only: ListOption = False,
        id: IdOption = None,  # noqa: A002 - the option's name
        out: OutOption = None,
        replace: ReplaceOption = False,
        refs: RefsOption = None,
        answer: AnswerOption = None,
        allow_private: AllowPrivateOption = None,
        as_json: JsonOption = False,
    ) -> None: ...

    asked = inspect.signature(signature, locals={"kind": kind}, eval_str=True)
    optional = {"select", "refs", "answer"}
    kept = [p for n, p in asked.parameters.items() if n not in optional or n in kind.takes]
    command.__dict__["__signature__"] = asked.replace(parameters=kept)
    command.__annotations__ = {one.name: one.annotation for one in kept}
    command.__doc__ = kind.about
    command.__name__ = kind.name
    imports.command(kind.name)(command)


def _run(
    kind: ImportKind,
    given: str,
    *,
    select: list[str] | None = None,
    list_only: bool,
    id: str | None,  # noqa: A002 - the option's name
    out: str | None,
    replace: bool,
    refs: list[str] | None = None,
    answer: Path | None = None,
    allow_private: list[str] | None,
    as_json: bool,
) -> None:
    from connector_assets.authoring.imports.importers import WantedDraft, import_spec
    from connector_assets.authoring.imports.source import open_source

    with _fetch(allow_private or []) as fetch:
        source = open_source(given, refs=refs or (), fetch=fetch, takes_text=kind.text)
        recorded = open_source(str(answer)) if answer else None
        wanted = WantedDraft(tuple(select or ()), id, recorded)
        draft = import_spec(kind.name, source, wanted)
    written = None if list_only or out == "-" else _write(draft, out, replace=replace)
    if as_json:
        told = draft.plain() | {"file": written}
        output.write_json(told | ({"yaml": draft.text} if out == "-" else {}), indent=2)
        return
    if list_only:
        output.write("".join(f"{line}\n" for line in _listed(draft)))
        return
    if out == "-":
        output.write(draft.text)
    for line in _report(draft, written):
        output.say(line)


def _write(draft: Draft, out: str | None, *, replace: bool) -> str:
    from connector_assets.authoring.imports.write_draft import Existing, write_draft
    from connector_assets.project.settings import folders

    path = Path(out) if out else folders(os.environ)[0] / f"{draft.id}.yaml"
    try:
        write_draft(path, draft.text, replace=replace)
    except Existing as error:
        output.say(error.diff)
        raise
    return str(path)


@contextmanager
def _fetch(allow_private: list[str]) -> Iterator[Fetch]:
    """A way to fetch URLs, which loads what it needs for the first one."""
    from connector_assets.authoring.imports.source import fetched_by
    from connector_assets.project.settings import private_hosts

    opened: list[Any] = []

    def fetch(url: str) -> bytes:
        from connector_assets.runtime.runtime import HttpRuntime

        if not opened:
            opened.append(HttpRuntime(allow_private=(*private_hosts(os.environ), *allow_private)))
        return fetched_by(opened[0])(url)

    try:
        yield fetch
    finally:
        for one in opened:
            one.close()


def _report(draft: Draft, written: str | None) -> Iterator[str]:
    """What a person reads: the questions, what was left out, and how it goes on."""
    questions = [one for one in draft.remarks if one.kind == "question"]
    for one in questions[:_SHOWN]:
        where = f"{one.stream}.{one.field}" if one.stream else one.field
        yield draft.secrets.mask(f"question: {where}: {one.says}")
    if len(questions) > _SHOWN:
        yield f"and {len(questions) - _SHOWN:,} more questions; the draft and --json have them all"
    for out_ in [one for one in draft.outcomes if one.state in ("skipped", "refused")][:_SHOWN]:
        yield draft.secrets.mask(f"{out_.state}: {out_.source}: {out_.why}")
    if draft.variables:
        yield f"secrets: set {', '.join(draft.variables.values())}"
    yield draft.summary()
    if written:
        yield f"{written}: drafted; look at each TODO, then: connector-assets validate {written}"


def _listed(draft: Draft) -> Iterator[str]:
    for one in draft.outcomes:
        why = f": {one.why}" if one.why else ""
        yield draft.secrets.mask(f"{one.stream or '-'}  {one.source}  {one.state}{why}")
    yield draft.summary()


for _kind in KINDS:
    _add(_kind)
