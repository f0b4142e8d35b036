"""What the operating system or a store's driver refuses, as an error that says what to do."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from connector_assets.errors import ConnectorError, LoadError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_CHECK = "check the path, and that this user may read and write there"


@contextmanager
def as_load_errors(
    where: str, *, kinds: type[Exception] = OSError, check: str = _CHECK
) -> Iterator[None]:
    """Errors of these kinds leave as LoadError at `where`, without the words that came with them.

    Drivers quote addresses, answers and whatever else in theirs.
    """
    try:
        yield
    except ConnectorError:
        raise
    except kinds as error:
        full = isinstance(error, OSError) and error.errno in _FULL
        fix = "make room on the disk" if full else check
        raise LoadError(_words(error), where=where, fix=fix) from error


def _words(error: Exception) -> str:
    """`NoCredentialsError` is "no credentials error"."""
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
