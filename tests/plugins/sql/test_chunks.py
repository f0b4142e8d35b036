"""A table is cut so that each row is in one chunk, and rows in order only between two values."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_assets.errors import ConfigError
from connector_assets.plugins.sql.bounds import earlier
from connector_assets.plugins.sql.chunks import Chunks
from connector_assets.plugins.sql.source import Stretch
from connector_assets.plugins.sql.ties import Ties


def holds(stretch, value):
    if stretch.nulls or value is None:
        return stretch.nulls and value is None
    low = stretch.low is None or int(stretch.low) < value
    return low and (stretch.high is None or value <= int(stretch.high))


def cutter(keys, size):
    """As a database cuts: the key of the last of so many rows."""

    def cut(rest):
        inside = sorted(key for key in keys if holds(rest, key))
        return str(inside[size - 1]) if len(inside) >= size else None

    return cut


@given(
    st.lists(st.integers(0, 50), max_size=40), st.integers(1, 7), st.randoms(use_true_random=False)
)
def test_each_row_is_read_once_also_by_a_run_that_goes_on(keys, size, chance):
    read, left = [], [Stretch(nulls=True), Stretch()]
    for steps in (chance.randint(1, 9), chance.randint(1, 9), 1000):  # and then it is killed
        chunks = Chunks(cutter(keys, size), left)
        begun = []
        for _ in range(steps):
            taken = chunks.take() if not begun or chance.random() < 0.5 else None
            if taken is not None:
                begun.append(taken)
            elif begun:
                done = begun.pop(chance.randrange(len(begun)))
                read += [key for key in [*keys, None] if holds(done, key)]
                chunks.done(done)
        left = [Stretch.of(one) for one in chunks.left()]
        if not left:
            break
    assert not left
    assert sorted(read, key=lambda key: -1 if key is None else key) == [None, *sorted(keys)]


@given(st.lists(st.integers(0, 6), max_size=40), st.integers(1, 9), st.integers(1, 12))
def test_batches_in_order_end_between_two_values(values, size, most):
    table = pa.table({"at": pa.array(sorted(values), pa.int64())})
    batches = (table.slice(n, size) for n in range(0, len(values), size))
    found = list(Ties(batches, "at", most))
    assert [one for rows, _ in found for one in rows["at"].to_pylist()] == sorted(values)
    rest = sorted(values)
    for rows, last in found:
        rest = rest[rows.num_rows :]
        if last is not None:
            assert last.as_py() not in rest


def test_a_position_goes_back_by_a_duration_or_a_number():
    assert earlier("2024-03-01 00:00:00+00", "P1D", "") == "2024-02-29 00:00:00+00:00"
    assert earlier("9007199254740993", "1", "") == "9007199254740992"
    with pytest.raises(ConfigError, match="lookback does not fit the cursor"):
        earlier("abc", "PT1H", "shop.orders")
