"""The reference of the command line as Markdown, from its commands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connector_assets.authoring.spec_reference import GENERATED, cell


def of_cli(program: str, group: Any) -> str:
    """Every command of `group` with its arguments and options."""
    lines = [GENERATED.format("cli"), "# The command line", "", group.help, "", group.epilog, ""]
    for name, command in _commands(program, group):
        lines += _command(name, command)
    return "\n".join(lines)


def _commands(name: str, group: Any) -> Iterator[tuple[str, Any]]:
    """The commands of a group and of the groups in it, each with all of its name."""
    for own, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(f"{name} {own}", command)
        else:
            yield f"{name} {own}", command


def _command(name: str, command: Any) -> Iterator[str]:
    shown = [param for param in command.params if param.name != "help"]
    arguments = [param for param in shown if param.param_type_name == "argument"]
    usage = " ".join([name, *(_argument(param) for param in arguments), "[OPTIONS]"])
    yield from (f"## {name}", "", "```console", f"$ {usage}", "```", "", command.help, "")
    yield from ("| argument or option | |", "|---|---|")
    for param in shown:
        takes = "" if param.param_type_name == "argument" else _value(param)
        names = _argument(param) if param in arguments else ", ".join(param.opts)
        yield f"| `{cell(names)}{cell(takes)}` | {cell(_about(param))} |"
    yield ""


def _argument(param: Any) -> str:
    return str(param.metavar) if param.required else f"[{param.metavar}]"


def _value(param: Any) -> str:
    return "" if param.is_flag else f" {param.metavar}"


def _about(param: Any) -> str:
    text: str = param.help or ""  # typer before 0.26 loses that of arguments with click 8.4
    if param.show_default and param.default not in (None, False):
        text += f" Default: `{param.default}`."
    return f"{text} Environment: `{param.envvar}`." if param.envvar else text
