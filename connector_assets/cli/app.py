"""The commands gathered, and how every one of them ends.

Each command is in a module of its own, which imports what it works with inside the function: so
`validate` starts without DuckDB, and none of them loads Dagster.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

import typer

from connector_assets.cli import output
from connector_assets.cli.agent import agent
from connector_assets.cli.catalogue import add, search
from connector_assets.cli.check import check
from connector_assets.cli.diff import diff
from connector_assets.cli.discover import discover
from connector_assets.cli.docs import docs
from connector_assets.cli.fmt import fmt
from connector_assets.cli.imports import imports
from connector_assets.cli.lint import lint
from connector_assets.cli.list import list_connectors
from connector_assets.cli.load import load
from connector_assets.cli.mcp import mcp
from connector_assets.cli.migrate import migrate
from connector_assets.cli.new import new
from connector_assets.cli.plan import plan
from connector_assets.cli.query import preview, query
from connector_assets.cli.read import read
from connector_assets.cli.record import record, replay
from connector_assets.cli.schema import schema
from connector_assets.cli.simulate import simulate, try_out
from connector_assets.cli.state import state
from connector_assets.cli.studio import studio
from connector_assets.cli.validate import validate

PROGRAM = "connector-assets"
INTERRUPTED = 130
_OBJECTS_BETWEEN_LOOKS = 50_000

app = typer.Typer(
    name=PROGRAM,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog="Exit code: 0 done, 1 the work failed, 2 the command was used wrongly.",
)
app.command()(validate)
app.command()(lint)
app.command()(read)
app.command()(load)
app.command()(plan)
app.command()(simulate)
app.command("test")(try_out)
app.command()(record)
app.command()(replay)
app.command()(preview)
app.command()(query)
app.command()(check)
app.command()(discover)
app.add_typer(state, name="state")
app.command("list")(list_connectors)
app.command()(search)
app.command()(add)
app.command()(schema)
app.command()(docs)
app.add_typer(imports, name="import")
app.command()(new)
app.command()(migrate)
app.command()(fmt)
app.command()(diff)
app.command()(mcp)
app.command()(studio)
app.add_typer(agent, name="agent")


@app.callback(invoke_without_command=True)
def about(
    *,
    version: bool = typer.Option(False, "--version", help="Show the version and exit."),
) -> None:
    """Read HTTP APIs that YAML specs describe, and load them into tables."""
    if version:
        from importlib.metadata import version as installed

        output.write(f"{PROGRAM} {installed(PROGRAM)}\n")
        raise typer.Exit


def main(args: Sequence[str] | None = None) -> None:
    """Run one command and exit the process; `args` defaults to those of the process."""
    # Imports make objects that stay: to look for cycles in them again and again takes a tenth of
    # the start. Cycles of some megabytes may wait.
    gc.set_threshold(_OBJECTS_BETWEEN_LOOKS)
    code = run(args)
    output.flush()
    gc.freeze()  # or a tenth of a second goes into looking for cycles in what ends anyway
    sys.exit(code)


def run(args: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. No exception leaves, whatever happens."""
    try:
        code = app(args=args, prog_name=PROGRAM, standalone_mode=False)
    except output.CommandError as error:
        output.usage(error)
        return int(error.exit_code)
    except output.ReaderGone:
        return 0
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the outermost place: a traceback helps no user
        output.failure(error)
        return 1
    if code == INTERRUPTED:
        output.say("interrupted")
    return code if isinstance(code, int) else 0
