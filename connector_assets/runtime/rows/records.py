"""Streams that compute on their rows: `expand`, `where` and `fields`, a page at a time.

A row is opened one level deep. Only the fields that something reads or changes are decoded, and
only those that change are written anew: the rest of the row keeps its bytes, whatever is in it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from connector_assets.errors import ConnectorError, ResponseError
from connector_assets.runtime.rows.added import Added
from connector_assets.runtime.rows.convert import cast, mask
from connector_assets.runtime.rows.fields_by_path import Renames, Row, fields_at, find, put
from connector_assets.runtime.rows.record import Record, decoded, encoder, fields_of
from connector_assets.spec.names.field_paths import Keys, field_keys
from connector_assets.spec.names.paths import MISSING
from connector_assets.spec.stream.fields import Expand, Fields
from connector_assets.spec.stream.stream import Stream
from connector_assets.spec.templates.lets import by_time, with_lets
from connector_assets.spec.templates.template import render

MAX_ROWS = 1_000_000
"""Rows that `expand` may make of one page."""
MAX_BYTES = 128 << 20
"""Bytes that the rows of one page may come to."""

Change = Callable[[Row], None]


def transform_of(stream: Stream) -> Transform | None:
    """What `stream` computes of its rows, None where they stay as they are."""
    computes = stream.expansions or stream.where or stream.fields.model_fields_set
    return Transform(stream) if computes else None


class Transform:
    """Makes rows of rows; for one thread, as it notes which fields it has seen."""

    def __init__(self, stream: Stream) -> None:
        self._name, self._where = stream.name, stream.where
        self._lets = by_time(stream.let)[1]
        self._expansions = [(field_keys(one.path), one) for one in stream.expansions]
        self._scope: Mapping[str, Any] = {}
        self._unseen: dict[str, None] = {}
        self._saw_rows = False
        self._added = Added()
        self._changes = list(self._changes_of(stream.fields))

    def __call__(
        self, ndjson: bytes, scope: Mapping[str, Any], before: int = 0
    ) -> tuple[bytes, int]:
        """The rows that become of a page's rows, and how many they are.

        Templates read `record` and `scope`, but for its secrets. Raises ResponseError naming the
        row, counted from 1 in the page, of which `before` came already, and the field.
        """
        self._scope = {name: value for name, value in scope.items() if name != "secrets"}
        out, count = bytearray(), 0
        for number, line in enumerate(io.BytesIO(ndjson), before + 1):
            try:
                for row in self._rows(line):
                    encoder.encode_into(row, out, -1)
                    out += b"\n"
                    count += 1
                    _refuse_over(MAX_BYTES, len(out), "bytes")
            except ConnectorError as error:
                where = f"{self._name}, row {number} of a page"
                where += f", {error.where}" if error.where else ""
                raise ResponseError(error.what, where=where, fix=error.fix) from None
        return bytes(out), count

    @property
    def notes(self) -> list[str]:
        """What was to be changed but in no row so far, as where a name is misspelt."""
        return [f"{label}: no row has this field" for label in self._unseen if self._saw_rows]

    def hidden(self, line: bytes) -> bytes:
        """A row that is set aside as it came, but for what is masked or removed."""
        changes = [
            change
            for label, change in self._changes
            if label.startswith(("fields.mask", "fields.remove"))
        ]
        if not changes:
            return line
        row = fields_of(line)
        for change in changes:
            change(row)
        return encoder.encode(row) + b"\n"

    def _rows(self, line: bytes) -> Iterator[Row]:
        for made, row in enumerate(_expanded(fields_of(line), self._expansions), 1):
            _refuse_over(MAX_ROWS, made, "rows")
            label = "where"
            self._added = Added()
            try:
                if not self._is_wanted(row):
                    continue
                for label, change in self._changes:  # noqa: B007 - the error below says which
                    change(row)
            except ConnectorError as error:
                raise _labelled(error, label) from None
            self._saw_rows = True
            yield row

    def _is_wanted(self, row: Row) -> bool:
        if self._where is None:
            return True
        return bool(self._where.value(self._scope_of(row)))

    def _scope_of(self, row: Row) -> Mapping[str, Any]:
        return with_lets({**self._scope, "record": Record(row)}, self._lets)

    def _changes_of(self, fields: Fields) -> Iterator[tuple[str, Change]]:
        for path, tree in fields.add.items():
            yield f"fields.add.{path}", partial(self._add, field_keys(path), tree)
        for path, to in fields.cast.items():
            yield self._converting("cast", path, partial(cast, to=to))
        for path, how in fields.mask.items():
            yield self._converting("mask", path, partial(mask, how=how))
        for path in fields.rename:
            self._watched("rename", path)
        renames = Renames(fields, lambda path: self._seen(f"fields.rename.{path}"))
        yield "fields.rename", renames.take
        for path in fields.remove:
            label = self._watched("remove", path)
            yield label, partial(self._remove, label, field_keys(path))
        yield "fields.rename", renames.finish

    def _converting(self, what: str, path: str, work: Callable[[Any], Any]) -> tuple[str, Change]:
        label = self._watched(what, path)
        return label, partial(self._convert, label, field_keys(path), work)

    def _watched(self, what: str, path: str) -> str:
        self._unseen[f"fields.{what}.{path}"] = None
        return f"fields.{what}.{path}"

    def _seen(self, label: str) -> None:
        self._unseen.pop(label, None)

    def _add(self, keys: Keys, tree: Any, row: Row) -> None:
        value = render(tree, self._scope_of(row))
        self._added.take(value)
        put(row, keys, value)

    def _convert(self, label: str, keys: Keys, work: Callable[[Any], Any], row: Row) -> None:
        for node, at in fields_at(row, keys):
            node[at] = work(decoded(node[at]))
            self._seen(label)

    def _remove(self, label: str, keys: Keys, row: Row) -> None:
        for node, at in fields_at(row, keys):
            del node[at]
            self._seen(label)


def _expanded(row: Row, expansions: Sequence[tuple[Keys, Expand]]) -> Iterator[Row]:
    if not expansions:
        yield row
        return
    (keys, expand), *rest = expansions
    for element in _elements(row, keys, expand):
        one = dict(row)
        put(one, keys, element)
        yield from _expanded(one, rest)


def _elements(row: Row, keys: Keys, expand: Expand) -> Sequence[Any]:
    """What stands in the list; undecoded where it is a field of the row itself."""
    found = _raw_list(row, keys[0]) if len(keys) == 1 else None
    if found is None:
        found = find(row, keys)
    if found is MISSING and not expand.keep_empty:
        raise ResponseError(
            "the row has no such field",
            where=f"expand {expand.path}",
            fix="correct the path, or set keepEmpty if a row may lack it",
        )
    if found is MISSING or found is None or found == []:
        return (None,) if expand.keep_empty else ()
    return found if isinstance(found, list) else (found,)


_list = msgspec.json.Decoder(list[msgspec.Raw])


def _raw_list(row: Row, key: Any) -> list[Any] | None:
    raw = row.get(key)
    if isinstance(raw, msgspec.Raw) and bytes(raw)[:1] == b"[":
        elements: list[Any] = _list.decode(raw)
        return elements
    return None


def _refuse_over(most: int, count: int, what: str) -> None:
    if count > most:
        raise ResponseError(
            f"the rows of the page come to more than {most:,} {what}", fix="ask for smaller pages"
        )


def _labelled(error: ConnectorError, label: str) -> ConnectorError:
    what = f"{error.where}: {error.what}" if error.where else error.what
    return ResponseError(what, where=label, fix=error.fix)
