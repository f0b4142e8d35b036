"""What goes to stdout (the result) and to stderr (everything else), and errors in one form."""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from collections.abc import Callable
from typing import IO, Any

import typer

from connector_assets.errors import ConnectorError, SpecError

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

Mask = Callable[[str], str]
_mask: Mask | None = None


class Misused(typer.TyperException):
    """The command was asked for what cannot be; the message reads as any error."""

    exit_code = 2


class ReaderGone(Exception):
    """Whoever read our stdout has had enough, as in `connector-assets read ... | head`."""


def write(data: str | bytes) -> None:
    """To stdout; raises ReaderGone once nobody reads it."""
    raw = data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
    try:
        _binary(sys.stdout).write(raw)
        _binary(sys.stdout).flush()
    except BrokenPipeError:
        _discard_stdout()
        raise ReaderGone from None


def flush() -> None:
    """What is still to be written, now: at exit, Python would complain about a closed pipe."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_stdout()


def say(text: str) -> None:
    """One line to stderr, without the control characters that servers put into their words."""
    sys.stderr.write(f"{_clean(text)}\n")


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


def usage(error: typer.TyperException) -> None:
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
    handler = logging.StreamHandler()
    handler.setFormatter(_Masking("%(levelname)s %(name)s: %(message)s"))
    log = logging.getLogger("connector_assets")
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)


class _Masking(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return _clean(_mask(text) if _mask else text)


def _bug(error: Exception) -> None:
    """An exception that is no ConnectorError: its message may hold anything, so it is not shown."""
    if _mask is not None:
        say(_mask("".join(traceback.format_exception(error))))
        return
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(frame.filename)}:{frame.lineno}"  # noqa: PTH119 - no Path needed
    say(f"connector-assets: {type(error).__name__} at {place}; this is a bug, -v shows all of it")


def _clean(text: str) -> str:
    """Without terminal escapes and direction marks, which would change what a person sees."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _binary(stream: Any) -> IO[Any]:
    """The bytes below a text stream: a row is written as the server sent it."""
    binary: IO[Any] = stream.buffer
    return binary


def _discard_stdout() -> None:
    """From the Python manual, on SIGPIPE: the interpreter flushes stdout once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
