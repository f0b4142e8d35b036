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
Compared = Callable[[Parent], Sequence[str]]
"""The fields of a parent's rows that tell whether they have changed."""


@dataclass(frozen=True, slots=True)
class Item:
    """One of what a stream is read for; `key` names it in stored state, "" where there is one.

    `compared` are the values of its parents' rows that tell whether it has changed.
    """

    key: str = ""
    bindings: Mapping[str, Any] = field(default_factory=dict)
    compared: tuple[Any, ...] = ()

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
    compared: Compared = lambda _: (),
) -> Iterator[Slice]:
    """The slices of a stream; `state` holds each item's stored position, `now` ends the windows.

    With `only`, that window is read of each item instead, whatever is stored.
    Raises ConfigError for a list or a window that cannot be made.
    """
    numbers = itertools.count()
    for item in items(stream.for_each, scope, parent_rows, compared):
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
    dimensions: Sequence[ForEach],
    scope: Mapping[str, Any],
    parent_rows: ParentRows,
    compared: Compared = lambda _: (),
) -> Iterator[Item]:
    """The product of `dimensions`, the last varying fastest; parents are streamed."""
    if not dimensions:
        yield Item()
        return

    def values(dimension: ForEach) -> Iterator[_Value]:
        if dimension.parent is None:
            return (_Value(value) for value in dimension.listed(scope))
        return _parents(dimension.parent, parent_rows, compared(dimension.parent))

    yield from _product(dimensions, values, {}, _Value(None))


@dataclass(frozen=True, slots=True)
class _Value:
    """One value of a dimension, with what is read and what is compared of the parent's row."""

    value: Any
    fields: Mapping[str, Any] = field(default_factory=dict)
    compared: tuple[Any, ...] = ()


def _product(
    dimensions: Sequence[ForEach],
    values: Callable[[ForEach], Iterator[_Value]],
    item: dict[str, Any],
    above: _Value,
) -> Iterator[Item]:
    if not dimensions:
        key = json.dumps(list(item.values()), separators=(",", ":"), ensure_ascii=False)
        yield Item(key, {**item, "item": item, "parent": above.fields}, above.compared)
        return
    head, *rest = dimensions
    for one in values(head):
        both = _Value(None, {**above.fields, **one.fields}, (*above.compared, *one.compared))
        yield from _product(rest, values, {**item, head.bound: one.value}, both)


def _parents(parent: Parent, rows: ParentRows, compared: Sequence[str]) -> Iterator[_Value]:
    names = [parent.field, *parent.include]
    for row in rows(parent.stream, [*names, *compared]):
        if row[0] is None:
            raise ConfigError(
                f'a row of "{parent.stream}" has no "{parent.field}"',
                where="forEach.parent",
                fix="choose a field that every parent has",
            )
        read, seen = row[: len(names)], row[len(names) :]
        yield _Value(row[0], _nested(zip(names, read, strict=True)), tuple(seen))


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


def with_last(found: Iterator[Slice]) -> Iterator[tuple[Slice, bool]]:
    """Each slice, and whether it is the last."""
    held = next(found, None)
    for one in found:
        assert held is not None
        yield held, False
        held = one
    if held is not None:
        yield held, True
