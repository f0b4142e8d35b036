"""What a stream is read in: one slice for each item and window, in an order that never changes."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector_assets.errors import ConfigError
from connector_assets.spec.call import Call
from connector_assets.spec.for_each import ForEach, Parent
from connector_assets.spec.incremental import Incremental, Window, higher
from connector_assets.spec.stream import Stream

_OPEN = Window()
State = Mapping[str, Mapping[str, Any]]
ParentRows = Callable[[str, Sequence[str]], Iterator[Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class Item:
    """One of what a stream is read for; `key` names it in stored state, "" where there is one."""

    key: str = ""
    bindings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The item as an error shows it: `account_id=17`."""
        values: Mapping[str, Any] = self.bindings.get("item", {})
        return ", ".join(f"{name}={value}" for name, value in values.items())


@dataclass(frozen=True, slots=True)
class Slice:
    """One item in one window.

    `first` is the configured start, `raw` the stored cursor value. `exact` is the value behind the
    window's start as it was written or received, None where the start was computed.
    """

    number: int
    item: Item
    window: Window = _OPEN
    first: Any = None
    raw: Any = None
    exact: Any = None
    ends_item: bool = True

    def bindings(self, incremental: Incremental | None) -> dict[str, Any]:
        """The names that this slice gives templates, beside the stream's own."""
        bound = dict(self.item.bindings)
        if incremental:
            ends = {"start": self.window.start, "end": self.window.end}
            bound["window"] = {
                name: None if end is None else incremental.sent(end) for name, end in ends.items()
            }
            bound["cursor"] = self.raw
        return bound

    def adjust(self, call: Call, incremental: Incremental | None) -> Call:
        """The first call of this slice, asking for its window."""
        if incremental is None:
            return call
        return incremental.apply(call, self.window, self.exact, last=self.ends_item)


def slices(
    stream: Stream,
    scope: Mapping[str, Any],
    state: State,
    now: dt.datetime,
    parent_rows: ParentRows,
    *,
    only: Window | None = None,
) -> Iterator[Slice]:
    """The slices of a stream; `state` holds each item's stored position, `now` ends the windows.

    With `only`, that window is read of each item instead, whatever is stored.
    Raises ConfigError for a list or a window that cannot be made.
    """
    numbers = itertools.count()
    for item in items(stream.for_each, scope, parent_rows):
        incremental = stream.incremental
        if incremental is None:
            yield Slice(next(numbers), item)
            continue
        if only is not None:
            windows = list(incremental.cut(only))
            for window in windows:
                yield Slice(next(numbers), item, window, ends_item=window is windows[-1])
            continue
        first = incremental.first({**scope, **item.bindings})
        stored = position_of(incremental, state.get(item.key), first)
        windows = list(incremental.windows(stored, first, now))
        unmoved = first if stored is None else None if incremental.lookback else stored
        for window in windows:
            exact = unmoved if window is windows[0] else None
            last = window is windows[-1]
            yield Slice(next(numbers), item, window, first, stored, exact, last)


def position_of(incremental: Incremental, stored: Mapping[str, Any] | None, first: Any) -> Any:
    """The stored cursor value, None if there is none or the configured start was moved back."""
    if not stored or "value" not in stored:
        return None
    before = stored.get("start")
    # The gap between an earlier start and the old one was never read.
    if before is not None and first is not None and _is_earlier(incremental, first, before):
        return None
    return stored["value"]


def _is_earlier(incremental: Incremental, first: Any, before: Any) -> bool:
    return higher(incremental.position(before), incremental.position(first))


def items(
    dimensions: Sequence[ForEach], scope: Mapping[str, Any], parent_rows: ParentRows
) -> Iterator[Item]:
    """The product of `dimensions`, the last varying fastest; parents are streamed."""
    if not dimensions:
        yield Item()
        return
    yield from _product(dimensions, scope, parent_rows, {}, {})


def _product(
    dimensions: Sequence[ForEach],
    scope: Mapping[str, Any],
    parent_rows: ParentRows,
    item: dict[str, Any],
    parent: dict[str, Any],
) -> Iterator[Item]:
    if not dimensions:
        key = json.dumps(list(item.values()), separators=(",", ":"), ensure_ascii=False)
        yield Item(key, {**item, "item": item, "parent": parent})
        return
    head, *rest = dimensions
    for value, fields in _values(head, scope, parent_rows):
        bound = {**item, head.bound: value}
        yield from _product(rest, scope, parent_rows, bound, {**parent, **fields})


def _values(
    dimension: ForEach, scope: Mapping[str, Any], parent_rows: ParentRows
) -> Iterator[tuple[Any, dict[str, Any]]]:
    if dimension.parent is None:
        yield from ((value, {}) for value in dimension.listed(scope))
        return
    yield from _parents(dimension.parent, parent_rows)


def _parents(parent: Parent, rows: ParentRows) -> Iterator[tuple[Any, dict[str, Any]]]:
    names = [parent.field, *parent.include]
    for row in rows(parent.stream, names):
        if row[0] is None:
            raise ConfigError(
                f'a row of "{parent.stream}" has no "{parent.field}"',
                where="forEach.parent",
                fix="choose a field that every parent has",
            )
        yield row[0], _nested(zip(names, row, strict=True))


def _nested(values: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Dotted names as templates read them: `owner.id` is `{"owner": {"id": …}}`."""
    tree: dict[str, Any] = {}
    for name, value in values:
        *above, last = name.split(".")
        node = tree
        for key in above:
            node = node.setdefault(key, {})
        node[last] = value
    return tree
