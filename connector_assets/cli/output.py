"""What goes to stdout (the result) and to stderr (everything else), and errors in one form.

No other module of the command line writes to either: what others say passes here, and is cleaned.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import IO, Any

import typer

from connector_assets.errors import ConnectorError, SpecError
from connector_assets.legible import escaped, legible, message

Mask = Callable[[str], str]
_mask: Mask | None = None


CommandError: type[Any] = typer.BadParameter.__mro__[2]
"""What every wrong use of a command is. Its name and home changed twice: it is click's before typer
0.26, `typer.TyperException` only since 0.28. Its heir has one name in all of them.
"""


class Misused(typer.BadParameter):
    """The command was asked for what cannot be; the message reads as any error."""


class ReaderGone(Exception):
    """Whoever read our stdout has had enough, as in `connector-assets read ... | head`."""


def write(text: str) -> None:
    """Text to stdout, less what a terminal would obey; raises ReaderGone once nobody reads it."""
    _write(legible(text).encode())


def write_lines(lines: Iterable[bytes]) -> None:
    """JSON to stdout, a value a line; what a terminal would obey is escaped as JSON does."""
    _write(escaped(b"".join([line + b"\n" for line in lines])))


def write_json(value: Any, indent: int | None = None) -> None:
    """A value to stdout as JSON."""
    _write(escaped(json.dumps(value, indent=indent, default=str).encode()) + b"\n")


def write_csv(text: str) -> None:
    """CSV to stdout: into a file or a pipe every value as it is, on a terminal without escapes."""
    _write((legible(text) if on_terminal() else text).encode("utf-8", "backslashreplace"))


def _write(raw: bytes) -> None:
    try:
        _binary(sys.stdout).write(raw)
        _binary(sys.stdout).flush()
    except BrokenPipeError:
        _discard_stdout()
        raise ReaderGone from None


def on_terminal() -> bool:
    """Whether stdout is a terminal, and no file or pipe."""
    return sys.stdout.isatty()


def flush() -> None:
    """What is still to be written, now: at exit, Python would complain about a closed pipe."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_stdout()


def say(text: str) -> None:
    """Lines to stderr, without what a terminal would obey, and none longer than anyone reads."""
    sys.stderr.write(f"{message(text)}\n")


def failure(error: Exception) -> None:
    """An error to stderr: its own line, the faults of a document with their source lines."""
    if isinstance(error, SpecError):
        spec_error(error)
    elif isinstance(error, ConnectorError):
        say(str(error))
    else:
        _bug(error)


def spec_error(error: SpecError) -> None:
    """Every fault as `file:line:column: path: message`, with the source line and a caret."""
    from connector_assets.cli.faults import render

    say(render(error))


def usage(error: Any) -> None:
    """How a command was used wrongly, and where to read how it is used."""
    if isinstance(error, Misused):
        say(error.message)
        return
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "connector-assets"
    text = error.format_message().rstrip(".")
    say(f"{command}: {text[:1].lower()}{text[1:]}; see {command} --help")


def verbose(mask: Mask) -> None:
    """Show our own log on stderr from now on, and tracebacks of bugs, both without secrets."""
    global _mask  # noqa: PLW0603 - one process is one command
    _mask = mask
    handler = _OnStderr()
    handler.setFormatter(_Masking("%(levelname)s %(name)s: %(message)s"))
    log = logging.getLogger("connector_assets")
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)


class _OnStderr(logging.StreamHandler[Any]):
    """Writes to what stderr is at the moment: a progress bar stands in for it while it is drawn."""

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, value: Any) -> None:
        """It is looked up each time."""


class _Masking(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return message(_mask(text) if _mask else text)


def _bug(error: Exception) -> None:
    """An exception that is no ConnectorError: its message may hold anything, so it is not shown."""
    if _mask is not None:
        say(_mask("".join(traceback.format_exception(error))))
    else:
        say(str(bug(error).at("connector-assets")))


def bug(error: Exception) -> ConnectorError:
    """What may be told of a bug; with -v all of it is."""
    if _mask is not None:
        return ConnectorError(_mask("".join(traceback.format_exception(error))))
    frame = traceback.extract_tb(error.__traceback__)[-1]
    located = f"{os.path.basename(frame.filename)}:{frame.lineno}"  # noqa: PTH119 - no Path needed
    what = f"{type(error).__name__} at {located}"
    return ConnectorError(what, fix="this is a bug, -v shows all of it")


def _binary(stream: Any) -> IO[Any]:
    """The bytes below a text stream: a row is written as the server sent it."""
    binary: IO[Any] = stream.buffer
    return binary


def _discard_stdout() -> None:
    """From the Python manual, on SIGPIPE: the interpreter flushes stdout once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
