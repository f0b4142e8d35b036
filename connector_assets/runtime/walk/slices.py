"""What a stream is read in: one slice for each item and window, in an order that never changes."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector_assets.errors import ConfigError
from connector_assets.spec.request.call import Call
from connector_assets.spec.stream.cursor import higher
from connector_assets.spec.stream.for_each import ForEach, Parent
from connector_assets.spec.stream.incremental import Incremental, Window
from connector_assets.spec.stream.partitions import Partition
from connector_assets.spec.stream.stream import Stream
from connector_assets.spec.templates.templated import rendered

_OPEN = Window()
_LONGEST_KEY = 1_000
_SHOWN = 60
State = Mapping[str, Mapping[str, Any]]
ParentRows = Callable[[str, Sequence[str]], Iterator[Sequence[Any]]]
Compared = Callable[[Parent], Sequence[str]]
"""The fields of a parent's rows that tell whether they have changed."""
OnNull = Callable[[ConfigError], None]


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
        named = [(name, value) for name, value in values.items() if name != "values"]
        return ", ".join(f"{name}={_shown(value)}" for name, value in named or values.items())


def _shown(value: Any) -> str:
    if not isinstance(value, list | dict):
        return str(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


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

    def label(self, incremental: Incremental | None) -> str:
        """The item and the window as messages show them: `account_id=17, 2024-01-01 to 2024-02-01`.

        The window stands there only where a run reads several.
        """
        window = ""
        if incremental and incremental.window:
            ends = (self.window.start, self.window.end)
            window = " to ".join(str(incremental.sent(end)) for end in ends if end is not None)
        return ", ".join(filter(None, (self.item.label, window)))

    def bindings(self, incremental: Incremental | None) -> dict[str, Any]:
        """The names that this slice gives templates, beside the stream's own."""
        bound = dict(self.item.bindings)
        if incremental:
            start, end = incremental.bounds(self.window, self.exact, last=self.ends_item)
            bound["window"] = {"start": start, "end": end}
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
    only: Partition | None = None,
    compared: Compared = lambda _: (),
    reads_end: bool = False,
    on_null: OnNull | None = None,
) -> Iterator[Slice]:
    """The slices of a stream; `state` holds each item's stored position, `now` ends the windows.

    `reads_end` says that templates of the request read `window.end`. With `only`, its items are
    read alone, and of each its window, whatever is stored. `on_null` is told of parents without a
    key. Raises ConfigError for a list or a window that cannot be made.
    """
    numbers = itertools.count()
    found = items(stream.for_each, scope, parent_rows, compared, on_null)
    for item in _covered(found, only) if only and only.of else found:
        if stream.incremental is None:
            yield Slice(next(numbers), item)
            continue
        own = {**scope, **item.bindings}
        incremental = rendered(stream.incremental, own, "incremental")
        if incremental.kind == "token":
            token = (state.get(item.key) or {}).get("token")
            yield Slice(next(numbers), item, raw=token, exact=token)
            continue
        if only is not None and only.window is not None:
            windows = list(incremental.cut(only.window))
            for window in windows:
                yield Slice(next(numbers), item, window, ends_item=window is windows[-1])
            continue
        first = incremental.first(own)
        stored = position_of(incremental, state.get(item.key), first)
        windows = list(incremental.windows(stored, first, now, reads_end=reads_end))
        unmoved = first if stored is None else None if incremental.lookback else stored
        for window in windows:
            exact = unmoved if window is windows[0] else None
            last = window is windows[-1]
            yield Slice(next(numbers), item, window, first, stored, exact, last)


def _covered(found: Iterable[Item], only: Partition) -> Iterator[Item]:
    """The items of a partition; ConfigError where there is none."""
    any_ = False
    for item in found:
        if only.covers(item.bindings["item"]):
            any_ = True
            yield item
    if not any_:
        raise ConfigError(
            f'there is no {only.of} "{only.key}" (any more)',
            fix="load the stream whose rows they are, or choose another partition",
        )


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
    return higher(incremental.start_position(before), incremental.start_position(first))


def items(
    dimensions: Sequence[ForEach],
    scope: Mapping[str, Any],
    parent_rows: ParentRows,
    compared: Compared = lambda _: (),
    on_null: OnNull | None = None,
) -> Iterator[Item]:
    """The product of `dimensions`, the last varying fastest; parents are streamed.

    Each item comes once, however often its key does; the first of its rows counts.
    """
    if not dimensions:
        yield Item()
        return

    def values(dimension: ForEach) -> Iterator[_Value]:
        if not dimension.parents:
            return (_Value(value) for value in dimension.listed(scope))
        return itertools.chain.from_iterable(
            _parents(parent, parent_rows, compared(parent), on_null) for parent in dimension.parents
        )

    yield from _product(dimensions, values, {}, _Value(None))


@dataclass(frozen=True, slots=True)
class _Value:
    """One value of a dimension, with what is read and what is compared of the parent's row."""

    value: Any
    fields: Mapping[str, Any] = field(default_factory=dict)
    compared: tuple[Any, ...] = ()
    batch: Mapping[str, Any] = field(default_factory=dict)


def _batches(found: Iterator[_Value], size: int) -> Iterator[_Value]:
    """So many values as one, which is their list."""
    while some := [one.value for one in itertools.islice(found, size)]:
        yield _Value(some, batch={"values": some})


def _key_of(item: Mapping[str, Any]) -> str:
    key = json.dumps(list(item.values()), separators=(",", ":"), ensure_ascii=False)
    if len(key) <= _LONGEST_KEY:
        return key
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _product(
    dimensions: Sequence[ForEach],
    values: Callable[[ForEach], Iterator[_Value]],
    item: dict[str, Any],
    above: _Value,
) -> Iterator[Item]:
    if not dimensions:
        bound = {**item, "item": {**item, **above.batch}, "parent": above.fields}
        yield Item(_key_of(item), bound, above.compared)
        return
    head, *rest = dimensions
    found = _once(values(head))
    for one in _batches(found, head.batch) if head.batch else found:
        fields = {**above.fields, **one.fields}
        batch = {**above.batch, **one.batch}
        both = _Value(None, fields, (*above.compared, *one.compared), batch)
        yield from _product(rest, values, {**item, head.bound: one.value}, both)


def _once(found: Iterator[_Value]) -> Iterator[_Value]:
    """Each value once; what is remembered of one are eight bytes."""
    seen: set[int] = set()
    for one in found:
        key = _hash(one.value)
        if key not in seen:
            seen.add(key)
            yield one


def _hash(value: Any) -> int:
    return hash(json.dumps(value, default=str))


def _parents(
    parent: Parent, rows: ParentRows, compared: Sequence[str], on_null: OnNull | None
) -> Iterator[_Value]:
    names = [parent.field, *parent.include]
    repeated = _repeated(parent, rows, compared) if compared else {}
    for row in rows(parent.stream, [*names, *compared]):
        if row[0] is None:
            error = ConfigError(
                f'a row of "{parent.stream}" has no "{parent.field}"',
                where="forEach.parent",
                fix="choose a field that every parent has, or set onItemError: skip",
            )
            if on_null is None:
                raise error
            on_null(error)
            continue
        read, seen = row[: len(names)], tuple(row[len(names) :])
        seen = repeated.get(_hash(row[0]), seen)
        yield _Value(row[0], _nested(zip(names, read, strict=True)), seen)


def _repeated(
    parent: Parent, rows: ParentRows, compared: Sequence[str]
) -> Mapping[int, tuple[Any, ...]]:
    """What is compared of all rows of a key together, for keys that come more than once."""
    once, again = set[int](), set[int]()
    for (key,) in rows(parent.stream, [parent.field]):
        at = _hash(key)
        (again if at in once else once).add(at)
    found: dict[int, set[str | None]] = {at: set() for at in again}
    for key, *values in rows(parent.stream, [parent.field, *compared]) if again else ():
        if (at := _hash(key)) in found:
            found[at].add(None if None in values else json.dumps(values, default=str))
    return {at: tuple(sorted(told, key=str)) for at, told in found.items()}


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
