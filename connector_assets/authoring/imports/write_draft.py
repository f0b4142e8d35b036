"""A draft becomes a file, and never in silence over another one."""

from __future__ import annotations

import difflib
from pathlib import Path

from connector_assets.authoring.whole_file import write_whole
from connector_assets.errors import ConfigError


class Existing(ConfigError):
    """The file is there and says something else; `diff` is what the draft would change."""

    diff: str = ""


def write_draft(path: Path, text: str, *, replace: bool = False) -> bool:
    """Whether `path` was written; False where it says the same already.

    Raises Existing where it says something else and not `replace`, ConfigError where it cannot be
    written.
    """
    try:
        before = path.read_bytes() if path.exists() else None
        if before == text.encode():
            return False
        write_whole(path, text.encode(), replace=replace)
    except FileExistsError:
        raise _existing(path, path.read_bytes(), text) from None
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ConfigError(f"cannot be written: {reason}", where=str(path)) from None
    return True


def _existing(path: Path, before: bytes, text: str) -> Existing:
    old, new = before.decode("utf-8", "replace").splitlines(True), text.splitlines(True)
    error = Existing(
        "is there already, and says something else",
        where=str(path),
        fix="pass --replace to put the draft in its place, or --out FILE for another",
    )
    error.diff = "".join(difflib.unified_diff(old, new, str(path), "the draft"))
    return error
