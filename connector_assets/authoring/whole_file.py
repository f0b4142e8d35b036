"""A file appears whole or not at all, and only where it may."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


def write_whole(target: Path, raw: bytes, *, replace: bool) -> None:
    """Write `raw` to `target`, safely on disk before anyone sees it; makes its folder.

    Raises FileExistsError where there is one and not `replace`, also one that another process has
    made meanwhile: a link fails there, where a rename would replace it.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".tmp")
    file = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(raw)
            opened.flush()
            os.fsync(opened.fileno())
        file.chmod(0o644)
        if replace:
            file.replace(target)
        else:
            target.hardlink_to(file)
    finally:
        file.unlink(missing_ok=True)
