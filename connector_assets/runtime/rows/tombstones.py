"""Rows that say their key is gone: marked on the way, deleted by the merge."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import msgspec

from connector_assets.errors import ConnectorError, ResponseError
from connector_assets.runtime.rows.record import Record, fields_of
from connector_assets.spec.templates.lets import Lets, with_lets
from connector_assets.spec.templates.template import Template

TOMBSTONE = "_connector_assets_deleted"
"""The row key of the mark; no column comes of it."""

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MARK = b'"%b":true}' % TOMBSTONE.encode()


def marked(
    ndjson: bytes,
    deleted_when: Template,
    scope: Mapping[str, Any],
    before: int = 0,
    lets: Lets = MappingProxyType({}),
) -> bytes:
    r"""Return the same rows, those marked for which `deleted_when` holds.

    Raises ResponseError naming the row, counted from 1 in the page, of which `before` came already.

    >>> marked(b'{"id":1,"gone":true}\n', Template("{{record.gone}}"), {})
    b'{"id":1,"gone":true,"_connector_assets_deleted":true}\n'
    """
    lines = []
    for number, line in enumerate(ndjson.splitlines(), before + 1):
        try:
            is_gone = deleted_when.value(with_lets({**scope, "record": _record(line)}, lets))
        except ConnectorError as error:
            raise error.at(f"deletedWhen, row {number} of a page") from None
        lines.append(_mark(line) if is_gone else line)
    return b"\n".join([*lines, b""])


def as_deleted(ndjson: bytes) -> bytes:
    r"""Return the same rows, each marked.

    >>> as_deleted(b'{"id":1}\n')
    b'{"id":1,"_connector_assets_deleted":true}\n'
    """
    return b"".join(_mark(line) + b"\n" for line in ndjson.splitlines())


def require_unmarked(ndjson: bytes) -> None:
    """Raise ResponseError where a row has the mark already: its source could delete rows.

    Rows are opened only where the name, or an escape that may spell it, is anywhere in them.
    """
    if TOMBSTONE.encode() in ndjson or b"\\u00" in ndjson:
        for line in ndjson.splitlines():
            with suppress(msgspec.MsgspecError, UnicodeDecodeError):  # which staging tells
                require_no_mark(_FIELDS.decode(line))


def require_no_mark(names: Collection[str]) -> None:
    """Raise ResponseError where one of these names of columns is the mark."""
    if TOMBSTONE in names:
        raise ResponseError(
            f'a row has a field "{TOMBSTONE}", which is our own mark', fix="yield ctx.deleted(row)"
        )


def _record(line: bytes) -> Record:
    """The row; a server that could set our mark could delete rows."""
    fields = fields_of(line)
    # In any case, since `fields.keys` may lower it.
    if TOMBSTONE in map(str.lower, fields):
        raise ResponseError(
            f'the row has a field "{TOMBSTONE}", which is our own mark',
            fix="have the field renamed or removed at the source, or leave out deletedWhen",
        )
    return Record(fields)


def _mark(line: bytes) -> bytes:
    head = line.rstrip()[:-1].rstrip()
    return head + (_MARK if head.endswith(b"{") else b"," + _MARK)
