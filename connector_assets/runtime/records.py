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
from connector_assets.runtime.convert import cast, mask
from connector_assets.runtime.places import Renames, Row, find, places, put
from connector_assets.runtime.record import Record, decoded, encoder, fields_of
from connector_assets.spec.fields import Expand, Fields, Keys, field_keys
from connector_assets.spec.paths import MISSING
from connector_assets.spec.stream import Stream
from connector_assets.spec.template import render

MAX_ROWS = 1_000_000
"""Rows that `expand` may make of one page."""
MAX_BYTES = 256 << 20
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
        self._expansions = [(field_keys(one.path), one) for one in stream.expansions]
        self._scope: Mapping[str, Any] = {}
        self._unseen: dict[str, None] = {}
        self._saw_rows = False
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
                    if self._expansions:
                        _refuse_over(MAX_BYTES, len(out), "bytes")
            except ConnectorError as error:
                where = f"{self._name}, row {number} of a page"
                where += f", {error.where}" if error.where else ""
                raise ResponseError(error.what, where=where, fix=error.fix) from None
        return bytes(out), count

    @property
    def notes(self) -> list[str]:
        """What was to be changed but in no row so far, as where a name is misspelt."""
        return [f"{place}: no row has this field" for place in self._unseen if self._saw_rows]

    def _rows(self, line: bytes) -> Iterator[Row]:
        for made, row in enumerate(_expanded(fields_of(line), self._expansions), 1):
            _refuse_over(MAX_ROWS, made, "rows")
            place = "where"
            try:
                if not self._is_wanted(row):
                    continue
                for place, change in self._changes:  # noqa: B007 - the error below says which
                    change(row)
            except ConnectorError as error:
                raise _placed(error, place) from None
            self._saw_rows = True
            yield row

    def _is_wanted(self, row: Row) -> bool:
        if self._where is None:
            return True
        return bool(self._where.value({**self._scope, "record": Record(row)}))

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
            place = self._watched("remove", path)
            yield place, partial(self._remove, place, field_keys(path))
        yield "fields.rename", renames.finish

    def _converting(self, what: str, path: str, work: Callable[[Any], Any]) -> tuple[str, Change]:
        place = self._watched(what, path)
        return place, partial(self._convert, place, field_keys(path), work)

    def _watched(self, what: str, path: str) -> str:
        self._unseen[f"fields.{what}.{path}"] = None
        return f"fields.{what}.{path}"

    def _seen(self, place: str) -> None:
        self._unseen.pop(place, None)

    def _add(self, keys: Keys, tree: Any, row: Row) -> None:
        put(row, keys, render(tree, {**self._scope, "record": Record(row)}))

    def _convert(self, place: str, keys: Keys, work: Callable[[Any], Any], row: Row) -> None:
        for node, at in places(row, keys):
            node[at] = work(decoded(node[at]))
            self._seen(place)

    def _remove(self, place: str, keys: Keys, row: Row) -> None:
        for node, at in places(row, keys):
            del node[at]
            self._seen(place)


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


def _placed(error: ConnectorError, place: str) -> ConnectorError:
    what = f"{error.where}: {error.what}" if error.where else error.what
    return ResponseError(what, where=place, fix=error.fix)
