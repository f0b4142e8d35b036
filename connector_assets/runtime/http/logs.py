"""Log lines of the HTTP libraries, without secrets, query strings or header values.

httpx logs whole URLs at INFO, httpcore answers' headers at DEBUG. A filter on `httpcore` would not
see what its leaves log (filters are not inherited), so one hangs on each leaf.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextvars import ContextVar

from connector_assets.legible import message

LEAVES = (
    "connector_assets.http",
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
)

_mask: ContextVar[Callable[[str], str] | None] = ContextVar("mask", default=None)
_label: ContextVar[str] = ContextVar("label", default="")

_QUERY = re.compile(r"\?[^\s'\"<>)\]]*")
_BYTES = r"b(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
_HEADER = re.compile(rf"\(({_BYTES}), {_BYTES}\)")


class MaskFilter(logging.Filter):
    """Rewrites a record's message; never drops one."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = mask_line(record.getMessage()), None
        return True


def mask_line(text: str) -> str:
    """`text` without known secrets, and without the places where unknown ones stand.

    What is read at the moment stands before it.

    >>> mask_line("HTTP Request: GET https://api.example.com/v1?key=k")
    'HTTP Request: GET https://api.example.com/v1?…'
    """
    mask = _mask.get()
    text = mask(text) if mask else text
    label = _label.get()
    text = f"{label}: {text}" if label else text
    return message(_QUERY.sub("?…", _HEADER.sub(r"(\1, …)", text)))


class masked_logs:  # noqa: N801 - used as a function; a generator would take three times as long
    """Within this block (and this thread) library log lines also pass through `mask`.

    They begin with `label`, which names what is read.
    """

    __slots__ = ("_label", "_mask", "_tokens")

    def __init__(self, mask: Callable[[str], str], label: str = "") -> None:
        self._mask, self._label = mask, label

    def __enter__(self) -> None:
        self._tokens = _mask.set(self._mask), _label.set(self._label)

    def __exit__(self, *_: object) -> None:
        _mask.reset(self._tokens[0])
        _label.reset(self._tokens[1])


def install() -> None:
    """Hang the filter on every leaf logger, once."""
    for name in LEAVES:
        logger = logging.getLogger(name)
        if not any(isinstance(known, MaskFilter) for known in logger.filters):
            logger.addFilter(MaskFilter())
