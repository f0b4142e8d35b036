"""Rows that say their key is gone: marked on the way, deleted by the merge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from connector_assets.spec.template import Template

TOMBSTONE = "_connector_assets_deleted"
"""The row key of the mark; no column comes of it."""

_MARK = b'"%b":true}' % TOMBSTONE.encode()


def marked(ndjson: bytes, deleted_when: Template, scope: Mapping[str, Any]) -> bytes:
    r"""Return the same rows, those marked for which `deleted_when` holds.

    >>> marked(b'{"id":1,"gone":true}\n', Template("{{record.gone}}"), {})
    b'{"id":1,"gone":true,"_connector_assets_deleted":true}\n'
    """
    return b"".join(
        (
            _mark(line)
            if deleted_when.value({**scope, "record": msgspec.json.decode(line)})
            else line
        )
        + b"\n"
        for line in ndjson.splitlines()
    )


def _mark(line: bytes) -> bytes:
    head = line.rstrip()[:-1].rstrip()
    return head + (_MARK if head.endswith(b"{") else b"," + _MARK)
