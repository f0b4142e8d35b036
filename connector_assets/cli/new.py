"""`new`: a spec from a few answers, asked for or given as options."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector_assets.cli import output
from connector_assets.cli.imports import ReplaceOption
from connector_assets.cli.options import AllowPrivateOption, Given, SecretOption, SecretsFileOption

if TYPE_CHECKING:
    from connector_assets.authoring.new_spec import Answers

WhatArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="plugin NAME", help="Write a plugin.", show_default=False),
]
IdOption = Annotated[str | None, typer.Option("--id", metavar="ID", help="The connector's id.")]
UrlOption = Annotated[
    list[str] | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Where a list is, without any credential; repeated for several lists.",
    ),
]
NameOption = Annotated[
    list[str] | None,
    typer.Option(
        "--name",
        metavar="STREAM",
        help="The list's name; default: the URL's last part. Repeated in the order of the URLs.",
    ),
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
        "--auth",
        metavar="TYPE",
        help="none, bearer, basic, digest, api_key, oauth2 or aws_sigv4; default none. No value.",
    ),
]
HeaderOption = Annotated[
    str | None,
    typer.Option("--header", metavar="NAME", help="Header of the API key; default X-Api-Key."),
]
KeyParamOption = Annotated[
    str | None,
    typer.Option("--key-param", metavar="NAME", help="Parameter of the API key, in place of it."),
]
TokenUrlOption = Annotated[
    str | None, typer.Option("--token-url", metavar="URL", help="Where OAuth gives tokens.")
]
GrantOption = Annotated[
    str | None,
    typer.Option(
        "--grant",
        metavar="NAME",
        help="client_credentials, refresh_token or password; default client_credentials.",
    ),
]
ScopeOption = Annotated[
    list[str] | None,
    typer.Option("--scope", metavar="NAME", help="A scope to ask for; may be repeated."),
]
RegionOption = Annotated[
    str | None, typer.Option("--region", metavar="NAME", help="The region of AWS.")
]
ServiceOption = Annotated[
    str | None, typer.Option("--service", metavar="NAME", help="The service of AWS.")
]
CursorOption = Annotated[
    str | None,
    typer.Option("--cursor", metavar="FIELD", help="A field of the rows that tells what is new."),
]
SinceOption = Annotated[
    str | None,
    typer.Option("--since-param", metavar="NAME", help="The parameter that is sent its value."),
]
AskOption = Annotated[
    bool,
    typer.Option(
        "--ask",
        help="Send one request for each list, and propose what is not said from the answers.",
    ),
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
    key_param: KeyParamOption = None,
    token_url: TokenUrlOption = None,
    grant: GrantOption = None,
    scope: ScopeOption = None,
    region: RegionOption = None,
    service: ServiceOption = None,
    description: DescriptionOption = None,
    docs_url: DocsOption = None,
    rate_limit: RateOption = None,
    cursor: CursorOption = None,
    since_param: SinceOption = None,
    ask: AskOption = False,
    secret: SecretOption = None,
    secrets_file: SecretsFileOption = None,
    allow_private: AllowPrivateOption = None,
    out: OutOption = None,
    replace: ReplaceOption = False,
) -> None:
    """Write a spec for lists of an API, from options or, on a terminal, from answers.

    `new plugin NAME` writes the skeleton of a plugin instead, with a test that passes, into the
    folder NAME, or that of --out.

    Where --id and --url are not both given, a terminal is asked for all that is missing. With --ask
    each list is asked for once, and rows, key, columns, pagination and cursor are proposed from
    what came, each with its reason; what is said goes first. Secrets are read as by `read`, and the
    spec only names them. What is written is valid; without --ask nothing is sent.
    """
    if what:
        _new_plugin(what, out)
        return
    from connector_assets.authoring.new_auth import AUTHS, GRANTS, SaidAuth
    from connector_assets.authoring.new_spec import PAGINATIONS, Answers, new_spec

    about_auth: dict[str, Any] = {
        "kind": auth,
        "header": header,
        "param": key_param,
        "token_url": token_url,
        "grant": grant,
        "scopes": scope,
        "region": region,
        "service": service,
    }
    said: dict[str, Any] = {
        "id": id,
        "urls": url,
        "streams": name,
        "rows": rows,
        "key": key,
        "pagination": pagination,
        "field": field,
        "param": param,
        "page_size": page_size,
        "size_param": size_param,
        "description": description,
        "docs_url": docs_url,
        "per_second": rate_limit,
        "cursor": cursor,
        "since_param": since_param,
    }
    is_asked = not (id and url)
    if is_asked:
        ask = _begin(said, about_auth, ask=ask)
    _one_of("--pagination", said["pagination"], PAGINATIONS)
    _one_of("--auth", about_auth["kind"], AUTHS)
    _one_of("--grant", about_auth["grant"], GRANTS)

    def answers() -> Answers:
        return Answers(**_known(said), auth=SaidAuth(**_known(about_auth)))

    if ask:
        given = Given.of(secret=secret, secrets_file=secrets_file, allow_private=allow_private)
        text = _proposed(answers, said, given, is_asked=is_asked)
    else:
        text = new_spec(answers())
    if out == "-":
        output.write(text)
        return
    _write(str(said["id"]), text, out, replace=replace)


def _new_plugin(what: list[str], out: str | None) -> None:
    if what[0] != "plugin" or len(what) != len(("plugin", "NAME")):
        raise output.Misused("new: takes nothing but options, or: plugin NAME")
    from connector_assets.authoring.new_plugin import new_plugin

    folder = Path(out or what[1])
    for path in new_plugin(what[1], folder):
        output.say(f"{path}: written")
    output.say(f"next: pip install -e '{folder}[test]' and pytest {folder}")


def _known(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}


def _proposed(
    answers: Callable[[], Answers], said: dict[str, Any], given: Given, *, is_asked: bool
) -> str:
    """The text that the answers of the API suggest; on a terminal somebody may say otherwise."""
    from connector_assets.authoring.proposed_spec import asked, proposed, told

    with given:
        seen = asked(answers(), given.runtime, secrets=given.secrets, environ=given.environ)
    draft = proposed(answers(), seen)
    for line in told(draft):
        output.say(line)
    if is_asked and not typer.confirm("Write it so?", default=True, err=True):
        _ask_of_list(said)
        draft = proposed(answers(), seen)
    return draft.text


def _one_of(option: str, given: str | None, known: tuple[str, ...]) -> None:
    if given is not None and given not in known:
        raise output.Misused(f"{option}: is none of {', '.join(known)}")


def _begin(said: dict[str, Any], auth: dict[str, Any], *, ask: bool) -> bool:
    """Ask for what is missing, on stderr, and whether the API is to be asked.

    Each answer may be left empty but the first two.
    """
    if not sys.stdin.isatty():
        missing = [f"--{name}" for name, key in (("id", "id"), ("url", "urls")) if not said[key]]
        raise output.Misused(f"new: {', '.join(missing)}: give it; there is no terminal to ask")
    said["id"] = said["id"] or typer.prompt("Id of the connector, as shop", err=True)
    said["urls"] = said["urls"] or typer.prompt("URLs of lists, with blanks", err=True).split()
    _ask_for(auth, "kind", f"Auth: {', '.join(_auths())}", "none")
    for name, question in _OF_AUTH.get(auth["kind"] or "", ()):
        _ask_for(auth, name, question)
    ask = ask or typer.confirm(
        "Send one request for each, and propose the rest?", default=True, err=True
    )
    if not ask:
        _ask_of_list(said)
    return ask


_OF_AUTH = {
    "api_key": (("header", "Header of the key (empty: X-Api-Key)"),),
    "oauth2": (
        ("token_url", "Where it gives tokens"),
        ("grant", "Grant (empty: client_credentials)"),
    ),
    "aws_sigv4": (("region", "Region"), ("service", "Service, as execute-api")),
}


def _auths() -> tuple[str, ...]:
    from connector_assets.authoring.new_auth import AUTHS

    return AUTHS


def _ask_of_list(said: dict[str, Any]) -> None:
    """Ask how the lists are read, as far as it is not said."""
    _ask_for(said, "rows", "Where an answer holds the rows, as data.items (empty: the root)")
    if said["key"] is None:
        keys = typer.prompt("Fields of the primary key, with commas", default="", err=True)
        said["key"] = [one.strip() for one in keys.split(",") if one.strip()]
    _ask_for(said, "pagination", "Pages: none, cursor, next_url, link_header, offset, page", "none")
    if said["pagination"] in ("cursor", "next_url"):
        _ask_for(said, "field", "Where an answer holds the next cursor or URL")
    if said["pagination"] in ("cursor", "offset", "page"):
        _ask_for(said, "param", "Name under which it is sent (empty: the default)")


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
