"""`new`: a spec from a few answers, asked for or given as options."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from connector_assets.cli import output
from connector_assets.cli.imports import ReplaceOption

WhatArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="plugin NAME", help="Write a plugin.", show_default=False),
]
IdOption = Annotated[str | None, typer.Option("--id", metavar="ID", help="The connector's id.")]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="Where a list is, without any credential."),
]
NameOption = Annotated[
    str | None,
    typer.Option("--name", metavar="STREAM", help="The list's name; default: the URL's last part."),
]
RowsOption = Annotated[
    str | None,
    typer.Option("--rows", metavar="PATH", help="Where an answer holds the rows, as data.items."),
]
KeyOption = Annotated[
    list[str] | None,
    typer.Option("--key", metavar="FIELD", help="A field of the primary key; may be repeated."),
]
PaginationOption = Annotated[
    str | None,
    typer.Option(
        "--pagination",
        metavar="TYPE",
        help="none, cursor, next_url, link_header, offset or page; default none.",
    ),
]
FieldOption = Annotated[
    str | None,
    typer.Option(
        "--field", metavar="PATH", help="Where an answer holds the next cursor or the next URL."
    ),
]
ParamOption = Annotated[
    str | None,
    typer.Option(
        "--param", metavar="NAME", help="Name under which cursor, offset or page number is sent."
    ),
]
PageSizeOption = Annotated[
    int | None, typer.Option("--page-size", min=1, metavar="N", help="Rows to ask for in a page.")
]
SizeParamOption = Annotated[
    str | None,
    typer.Option("--size-param", metavar="NAME", help="Name under which the page size is sent."),
]
AuthOption = Annotated[
    str | None,
    typer.Option(
        "--auth", metavar="TYPE", help="none, bearer, basic or api_key; default none. No value."
    ),
]
HeaderOption = Annotated[
    str | None,
    typer.Option("--header", metavar="NAME", help="Header of the API key; default X-Api-Key."),
]
DescriptionOption = Annotated[
    str | None, typer.Option("--description", metavar="TEXT", help="What the API holds.")
]
DocsOption = Annotated[
    str | None, typer.Option("--docs-url", metavar="URL", help="Where the vendor documents it.")
]
RateOption = Annotated[
    float | None,
    typer.Option("--rate-limit", metavar="N", help="Requests that the vendor allows a second."),
]
OutOption = Annotated[
    str | None,
    typer.Option(
        "--out", metavar="FILE|-", help="Default: ID.yaml in the folder of specs; - for stdout."
    ),
]


def new(
    what: WhatArgument = None,
    *,
    id: IdOption = None,  # noqa: A002 - the option's name
    url: UrlOption = None,
    name: NameOption = None,
    rows: RowsOption = None,
    key: KeyOption = None,
    pagination: PaginationOption = None,
    field: FieldOption = None,
    param: ParamOption = None,
    page_size: PageSizeOption = None,
    size_param: SizeParamOption = None,
    auth: AuthOption = None,
    header: HeaderOption = None,
    description: DescriptionOption = None,
    docs_url: DocsOption = None,
    rate_limit: RateOption = None,
    out: OutOption = None,
    replace: ReplaceOption = False,
) -> None:
    """Write a spec for one list of an API, from options or, on a terminal, from answers.

    `new plugin NAME` writes the skeleton of a plugin instead, with a test that passes, into the
    folder NAME, or that of --out.

    Where --id and --url are not both given, a terminal is asked for all that is missing. What is
    written is valid; nothing is sent, and no secret is asked for: the spec names it.
    """
    if what:
        _new_plugin(what, out)
        return
    from connector_assets.authoring.new_spec import AUTHS, PAGINATIONS, Answers, new_spec

    said: dict[str, Any] = {
        "id": id,
        "url": url,
        "stream": name,
        "rows": rows,
        "key": key,
        "pagination": pagination,
        "field": field,
        "param": param,
        "page_size": page_size,
        "size_param": size_param,
        "auth": auth,
        "header": header,
        "description": description,
        "docs_url": docs_url,
        "per_second": rate_limit,
    }
    if not (id and url):
        _ask(said)
    said = {name: value for name, value in said.items() if value is not None}
    _one_of("--pagination", said.get("pagination", "none"), PAGINATIONS)
    _one_of("--auth", said.get("auth", "none"), AUTHS)
    answers = Answers(**said)
    text = new_spec(answers)
    if out == "-":
        output.write(text)
        return
    _write(answers.id, text, out, replace=replace)


def _new_plugin(what: list[str], out: str | None) -> None:
    if what[0] != "plugin" or len(what) != len(("plugin", "NAME")):
        raise output.Misused("new: takes nothing but options, or: plugin NAME")
    from connector_assets.authoring.new_plugin import new_plugin

    folder = Path(out or what[1])
    for path in new_plugin(what[1], folder):
        output.say(f"{path}: written")
    output.say(f"next: pip install -e '{folder}[test]' and pytest {folder}")


def _one_of(option: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise output.Misused(f"{option}: is none of {', '.join(known)}")


def _ask(said: dict[str, Any]) -> None:
    """Ask for what is missing, on stderr; each answer may be left empty but the first two."""
    if not sys.stdin.isatty():
        missing = [f"--{name}" for name in ("id", "url") if not said[name]]
        raise output.Misused(f"new: {', '.join(missing)}: give it; there is no terminal to ask")
    said["id"] = said["id"] or typer.prompt("Id of the connector, as shop", err=True)
    said["url"] = said["url"] or typer.prompt("URL of a list", err=True)
    _ask_for(said, "rows", "Where an answer holds the rows, as data.items (empty: the root)")
    if said["key"] is None:
        keys = typer.prompt("Fields of the primary key, with commas", default="", err=True)
        said["key"] = [one.strip() for one in keys.split(",") if one.strip()]
    _ask_for(said, "pagination", "Pages: none, cursor, next_url, link_header, offset, page", "none")
    if said["pagination"] in ("cursor", "next_url"):
        _ask_for(said, "field", "Where an answer holds the next cursor or URL")
    if said["pagination"] in ("cursor", "offset", "page"):
        _ask_for(said, "param", "Name under which it is sent (empty: the default)")
    _ask_for(said, "auth", "Auth: none, bearer, basic, api_key", "none")


def _ask_for(said: dict[str, Any], name: str, question: str, default: str = "") -> None:
    if said[name] is None:
        said[name] = typer.prompt(question, default=default, err=True) or None


def _write(connector: str, text: str, out: str | None, *, replace: bool) -> None:
    import os

    from connector_assets.authoring.imports.write_draft import Existing, write_draft
    from connector_assets.project.settings import folders

    path = Path(out) if out else folders(os.environ)[0] / f"{connector}.yaml"
    try:
        write_draft(path, text, replace=replace)
    except Existing as error:
        output.say(error.diff)
        raise
    output.say(f"{path}: written; next: connector-assets test {path}")
