"""Files for agents, written into a project where people have texts of their own.

What is written carries a mark with a digest of itself. So it is known again: as it was written, it
may be brought up to date; changed by a person, or written by one, it is theirs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from connector_assets.authoring.whole_file import write_whole
from connector_assets.errors import ConfigError

State = Literal["written", "updated", "unchanged", "added"]
_NAME = "connector-assets agent init"
_END = f"<!-- {_NAME}: end -->"
_BLOCK = re.compile(
    rf"<!-- {_NAME}: begin (?P<digest>[0-9a-f]{{16}}) -->\r?\n(?P<body>.*?){re.escape(_END)}",
    re.DOTALL,
)
_LAST = re.compile(rf"(?P<body>.*)<!-- {_NAME}: (?P<digest>[0-9a-f]{{16}}) -->\n", re.DOTALL)
_LARGEST = 1 << 20


@dataclass(frozen=True)
class AgentFile:
    """A text for agents at `path`; with `is_block`, a part of a file that is a person's."""

    path: str
    text: str
    is_block: bool = False


@dataclass(frozen=True)
class Written:
    """What became of a file."""

    path: str
    state: State


def write_files(root: Path, files: Iterable[AgentFile], *, replace: bool = False) -> list[Written]:
    """Write the files below `root`; what says the same already is left alone.

    Raises ConfigError, and writes nothing, where a person's text would be written over and not
    `replace`, and where a file is not to be written: a folder, a link that leads out.
    """
    planned = list(_planned(root.resolve(), files, replace=replace))
    theirs = [file.path for file, _, after, _ in planned if after is None]
    if theirs:
        raise ConfigError(
            f"{', '.join(theirs)}: changed or written by somebody, so nothing was written",
            fix="pass --replace to write over it",
        )
    for _, target, text, state in planned:
        if text is not None and state != "unchanged":
            _write(target, text)
    return [Written(file.path, state) for file, _, _, state in planned]


def _planned(
    root: Path, files: Iterable[AgentFile], *, replace: bool
) -> Iterator[tuple[AgentFile, Path, str | None, State]]:
    """Each file with where it goes and its text, None where it is a person's.

    Two names of one file (CLAUDE.md is a link to AGENTS.md) are written once.
    """
    seen: set[Path] = set()
    for file in files:
        target = _target(root, file.path)
        if target in seen:
            continue
        seen.add(target)
        before = _read(target, file.path)
        made = _with_block(before, file.text, replace) if file.is_block else file_text(file.text)
        if before is None:
            yield file, target, made, "written"
        elif made is not None and _unix(made) == _unix(before):
            yield file, target, made, "unchanged"
        elif file.is_block:
            is_new = made is not None and not _BLOCK.search(before)
            yield file, target, made, "added" if is_new else "updated"
        else:
            mine = _is_mine(_LAST.fullmatch(_unix(before)))
            yield file, target, made if mine or replace else None, "updated"


def file_text(text: str) -> str:
    """A file that is all ours, with its mark at the end."""
    return f"{text}<!-- {_NAME}: {_digest(text)} -->\n"


def _with_block(before: str | None, text: str, replace: bool) -> str | None:
    """A person's file with our block in it; None where they have changed the block."""
    block = f"<!-- {_NAME}: begin {_digest(text)} -->\n{text}{_END}"
    if not before:
        return f"{block}\n"
    found = _BLOCK.search(before)
    if found is not None and _unix(found[0]) == block:
        return before
    if found is not None and not (replace or _is_mine(found)):
        return None
    line = "\r\n" if "\r\n" in before else "\n"
    written = block.replace("\n", line)
    if found is not None:
        return before[: found.start()] + written + before[found.end() :]
    gap = line if before.endswith("\n") else line * 2
    return f"{before}{gap}{written}{line}"


def _is_mine(found: re.Match[str] | None) -> bool:
    """Whether a marked text is as it was written."""
    return found is not None and found["digest"] == _digest(_unix(found["body"]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")


def _target(root: Path, name: str) -> Path:
    """Where a file really is, as far as that is within the project."""
    try:
        target = (root / name).resolve()
    except (OSError, RuntimeError):
        raise ConfigError("is a link that leads nowhere", where=name) from None
    if not target.is_relative_to(root):
        raise ConfigError("is a link that leads out of the project", where=name, fix="remove it")
    return target


def _read(target: Path, name: str) -> str | None:
    try:
        with target.open("rb") as file:
            raw = file.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise ConfigError("is larger than 1 MiB", where=name)
        return raw.decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise ConfigError("is no text in UTF-8", where=name) from None
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ConfigError(f"cannot be read: {reason}", where=name) from None


def _write(target: Path, text: str) -> None:
    try:
        write_whole(target, text.encode(), replace=True)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ConfigError(f"cannot be written: {reason}", where=str(target)) from None
