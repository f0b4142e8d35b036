"""`agent`: what coding agents are told of a project."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from connector_assets.cli import output
from connector_assets.cli.options import JsonOption

agent = typer.Typer(
    help="Files for coding agents: a skill, its references, and lines in their own files.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

FolderArgument = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="The project. Default: the working directory.")
]
ForOption = Annotated[
    list[str] | None,
    typer.Option(
        "--for",
        metavar="AGENT",
        help="agents (AGENTS.md and .agents/skills), claude, cursor or copilot; may be repeated. "
        "Default: all.",
    ),
]
ReplaceOption = Annotated[
    bool, typer.Option("--replace", help="Write over a text of ours that somebody changed.")
]


@agent.callback()
def _agent() -> None:
    """Keep `init` a command of its own, for there will be others."""


@agent.command("init")
def init(
    folder: FolderArgument = Path(),
    *,
    agents: ForOption = None,
    replace: ReplaceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write what coding agents read of a project: how a connector is written, step by step.

    Files that are there keep their text; ours is a marked block in them. Run again, it brings its
    own text up to date. What somebody changed or wrote is not touched without --replace, and then
    nothing is written at all.
    """
    from connector_assets.authoring.agent import agent_files

    written = agent_files.init(folder, agents or (), replace=replace)
    if as_json:
        output.write_json([asdict(one) for one in written], indent=2)
        return
    output.write("".join(f"{one.path}: {one.state}\n" for one in written))
