"""Rows that the reader cannot place: marked on the way, set aside by the load (`quarantine`)."""

from __future__ import annotations

import msgspec

REJECT = "_connector_assets_reject"
"""The row key of the mark, whose value is the reason; no column comes of it."""


def rejected(ndjson: bytes, reason: str) -> bytes:
    r"""Return the same rows, each marked with `reason`.

    >>> rejected(b'{"id":1}\n', "no time")
    b'{"id":1,"_connector_assets_reject":"no time"}\n'
    """
    mark = b'"%b":%b}' % (REJECT.encode(), msgspec.json.encode(reason))
    lines = []
    for line in ndjson.splitlines():
        head = line.rstrip()[:-1].rstrip()
        lines.append(head + (mark if head.endswith(b"{") else b"," + mark))
    return b"\n".join([*lines, b""]) if lines else b""
