"""`draft`: a spec drafted from documentation, each line with what it rests on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from connector_assets.cli import output
from connector_assets.cli.options import AllowPrivateOption, JsonOption
from connector_assets.errors import ConfigError

_ROUNDS, _TOKENS = 4, 100_000
_SHOWN = 40

UrlArgument = Annotated[
    str | None,
    typer.Argument(metavar="[URL]", help="Where the documentation begins.", show_default=False),
]
TextOption = Annotated[
    Path | None,
    typer.Option("--text", metavar="FILE", help="A text or page in place of the URL; - is stdin."),
]
WishOption = Annotated[
    str, typer.Option("--wish", metavar="WORDS", help="What is wanted, as 'orders and customers'.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="FILE", help="Default: stdout.")
]
ReplaceOption = Annotated[
    bool, typer.Option("--replace", help="Put the draft in the place of a file that is there.")
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="PROVIDER:MODEL",
        help="The model that drafts; default CONNECTOR_ASSETS_AI_MODEL, and rules without it.",
    ),
]
RoundsOption = Annotated[
    int, typer.Option("--rounds", metavar="N", min=1, max=20, help="Answers of the model at most.")
]
TokensOption = Annotated[
    int, typer.Option("--max-tokens", metavar="N", min=1_000, help="Tokens at most, in all rounds.")
]
TestOption = Annotated[
    bool, typer.Option("--test/--no-test", help="Try the draft on the simulator.")
]


def draft(
    url: UrlArgument = None,
    *,
    text: TextOption = None,
    wish: WishOption = "",
    out: OutOption = None,
    replace: ReplaceOption = False,
    model: ModelOption = None,
    rounds: RoundsOption = _ROUNDS,
    max_tokens: TokensOption = _TOKENS,
    test: TestOption = True,
    allow_private: AllowPrivateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draft a spec from an API's documentation, by rules or by a model, with its sources.

    Pages of one origin are read, in bounds; an OpenAPI or Postman document that they link is
    imported instead. Nothing is registered or loaded: the draft is for you to look at.
    """
    from connector_assets.authoring.drafts.bounds import Bounds, Spent
    from connector_assets.authoring.drafts.drafting import Wanted, draft_from_docs, fetch_in_bounds
    from connector_assets.authoring.drafts.taken_ids import taken_ids
    from connector_assets.project.settings import private_hosts, setting
    from connector_assets.runtime.runtime import HttpRuntime

    given = setting("AI_MODEL") if model is None else model
    wanted = Wanted(url or "", _text(text), wish, given, taken_ids(os.environ), test)
    spent = Spent(Bounds(rounds=rounds, tokens=max_tokens), output.say)
    runtime = HttpRuntime(allow_private=(*private_hosts(os.environ), *(allow_private or ())))
    try:
        told = draft_from_docs(wanted, fetch_in_bounds(runtime, spent), spent)
    finally:
        runtime.close()
    if out is not None:
        _write(out, told["yaml"], replace=replace)
    if as_json:
        output.write_json(told, indent=2)
        return
    if out is None:
        output.write(told["yaml"])
    _report(told)


def _text(path: Path | None) -> str:
    from connector_assets.authoring.imports.source import open_source

    return open_source(str(path)).raw.decode("utf-8", "replace") if path else ""


def _write(path: Path, text: str, *, replace: bool) -> None:
    from connector_assets.authoring.imports.write_draft import Existing, write_draft

    try:
        write_draft(path, text, replace=replace)
    except Existing as error:
        output.say(error.diff)
        fix = "pass --replace, or another -o"
        raise ConfigError(error.what, where=error.where, fix=fix) from None


def _report(told: Mapping[str, Any]) -> None:
    """The questions, what it cost, and how it was made."""
    questions, usage = told["open_questions"], told["usage"]
    for one in questions[:_SHOWN]:
        output.say(f"question: {one}")
    if len(questions) > _SHOWN:
        output.say(f"and {len(questions) - _SHOWN} more questions; --json has them all")
    sourced = sum(one["sentence"] is not None for one in told["provenance"])
    output.say(f"{sourced} of {len(told['provenance'])} values have a sentence of the pages")
    by = f"by {usage['model']}" if usage["model"] else "by rules, without a model"
    spent = f"{usage['inputTokens'] + usage['outputTokens']:,} of {usage['maxTokens']:,} tokens"
    price = f", ${usage['costUsd']}" if usage["costUsd"] else ""
    cost = f"; {usage['rounds']} rounds, {spent}{price}" if usage["model"] else ""
    output.say(f"drafted {by}; {usage['pages']} pages{cost}; trial: {usage['trial'] or 'not run'}")
