"""What `read(ctx)` is given, and what becomes of what it yields, to the table and back."""

from __future__ import annotations

import datetime as dt
import logging
import signal
import subprocess
import sys
import textwrap

import polars as pl
import pyarrow as pa
import pytest
from pydantic import BaseModel

from connector_assets.errors import ConfigError, ResponseError
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.plugins.define import define_connector
from connector_assets.project.connection import Connection
from connector_assets.sync import Run, sync

SECRET = "pw-8f2c11"
MERGED = {"name": "t", "primaryKey": ["id"], "writeMode": "merge"}


class Config(BaseModel):
    n: int = 3


@pytest.fixture
def load(tmp_path):
    """Loads a plugin's only stream, and gives its rows and the run."""
    store = DuckDBDestination(tmp_path / "data.duckdb")

    def load(read, stream="t", **run):
        plugin = define_connector(
            id="own", display_name="Own", read=read, config_schema=Config, streams=[stream]
        )
        connection = Connection("own", plugin, environ={})
        came = sync(connection, "t", store, Run(tmp_path / "staging", **run))
        rows = store.query("select * from own.t order by all")[1] if came.loaded.columns else []
        return rows, came

    return load


def read_all(read, **given):
    """The batches of a plugin, and its reading."""
    stream = given.pop("stream", "own")
    plugin = define_connector(id="own", display_name="Own", read=read, streams=[stream], **given)
    name = plugin.streams()[0].name
    reading = Connection("own", plugin, environ={"OWN__TOKEN": SECRET}).open(name)
    return list(plugin.read(reading)), reading


def test_a_checkpoint_covers_what_was_yielded_before_it():
    def read(ctx):
        yield {"n": 1}
        ctx.position = {"seen": 1}
        ctx.checkpoint({"page": 2})
        ctx.position = {"seen": 2}
        yield {"n": 2}
        ctx.checkpoint(3)

    batches, _ = read_all(read)
    assert [(batch.count, batch.checkpoint, batch.cursor) for batch in batches] == [
        (1, '{"page": 2}', {"": {"value": {"seen": 1}}}),
        (1, None, {"": {"value": {"seen": 2}}}),
    ]
    assert [batch.complete for batch in batches] == [False, True]


def test_kinds_of_rows_may_follow_each_other_and_stay_in_order():
    def read(ctx):
        yield {"n": 1}
        yield b'{"n":2}\n{"n":3}'
        yield b""
        yield pa.table({"n": [4, 5]})
        yield pl.DataFrame({"n": [6]})
        yield pa.record_batch({"n": [7]})
        yield {"n": 8}

    batches, reading = read_all(read)
    assert [batch.count for batch in batches] == [1, 2, 4, 1]
    assert batches[1].rows == b'{"n":2}\n{"n":3}\n'
    assert batches[2].rows.column("n").to_pylist() == [4, 5, 6, 7]
    assert reading.stats.rows == 8


def test_a_long_stream_of_arrow_is_taken_a_piece_at_a_time():
    alive = []

    def batches():
        schema = pa.schema([("text", pa.string())])
        yield schema
        for number in range(40):
            alive.append(number)
            yield pa.record_batch({"text": ["x" * 4_000_000]}, schema)

    def read(ctx):
        source = batches()
        yield pa.RecordBatchReader.from_batches(next(source), source)

    plugin = define_connector(id="own", display_name="Own", read=read)
    taken = plugin.read(Connection("own", plugin, environ={}).open("own"))
    first = next(taken)
    assert first.count < 12
    assert len(alive) < 12
    assert first.count + sum(batch.count for batch in taken) == 40


def test_long_texts_make_small_batches():
    batches, _ = read_all(lambda ctx: ({"text": "x" * 600_000} for _ in range(4)))
    assert [batch.count for batch in batches] == [2, 2, 0]


@pytest.mark.parametrize(
    "item", [pa.array([1, 2]), pl.Series([1]), pa.chunked_array([[1]]), "text", 7, None, [{"a": 1}]]
)
def test_what_is_no_row_is_refused(item):
    with pytest.raises(ResponseError, match=r"own\.own: .*; yield "):
        read_all(lambda ctx: [item])


def test_the_position_is_stored_with_the_rows_and_comes_again(load):
    seen = []

    def read(ctx):
        seen.append((ctx.cursor, ctx.position))
        for n in range(ctx.cursor or 0, (ctx.cursor or 0) + ctx.config.n):
            yield {"n": n}
            ctx.position = n + 1

    stream = {"name": "t", "writeMode": "append"}
    for _ in range(2):
        rows, came = load(read, stream)
    assert [n for (n,) in rows] == [0, 1, 2, 3, 4, 5]
    assert seen == [(None, None), (3, 3)]
    assert (came.cursor_before, came.cursor_after) == (3, 6)
    load(read, stream, full=True)
    assert seen[-1] == (None, None)


def test_a_run_with_a_limit_moves_no_position(load):
    def read(ctx):
        for n in range(3000):
            yield {"n": n}
            ctx.position = n

    stream = {"name": "t", "writeMode": "append"}
    assert load(read, stream, limit=10)[1].cursor_after is None
    assert load(read, stream)[1].cursor_before is None


def test_a_configured_start_is_the_first_cursor(load):
    seen = []

    def read(ctx):
        seen.append(ctx.cursor)
        yield {"id": 1}
        ctx.position = "2025"

    stream = {**MERGED, "incremental": {"cursorField": "at", "start": "2024-01-01"}}
    load(read, stream)
    load(read, stream)
    load(read, stream, start="2023-01-01")
    assert seen == ["2024-01-01", "2025", "2023-01-01"]


def test_a_window_is_given_and_leaves_the_position(load):
    seen = []

    def read(ctx):
        seen.append(ctx.window)
        yield {"id": 1}
        ctx.position = 1

    stream = {**MERGED, "incremental": {"cursorField": "at"}}
    _, came = load(read, stream, window=("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"))
    assert seen[0].start == dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    assert seen[0].end == dt.datetime(2024, 1, 2, tzinfo=dt.UTC)
    assert came.cursor_after is None


@pytest.mark.parametrize(
    "rows",
    [
        lambda ctx: [{"id": 1}],
        lambda ctx: b'{"id":1}\n',
        lambda ctx: pa.table({"id": [1], "v": ["gone"]}),
    ],
)
def test_rows_that_are_deleted_are_gone_from_a_merged_table(load, rows):
    load(lambda ctx: [{"id": n, "v": "a"} for n in (1, 2)], MERGED)

    def read(ctx):
        gone = rows(ctx)
        for one in gone if isinstance(gone, list) else [gone]:
            yield ctx.deleted(one)
        yield {"id": 3, "v": "b"}

    assert load(read, MERGED)[0] == [(2, "a"), (3, "b")]


def test_only_a_merge_deletes():
    with pytest.raises(ConfigError, match=r"only a merge can delete rows; give the stream primar"):
        read_all(lambda ctx: [ctx.deleted({"id": 1})])


@pytest.mark.parametrize(
    "row",
    [
        {"id": 2, "_connector_assets_deleted": True},
        b'{"id":2,"_connector_assets_deleted":true}\n',
        b'{"id":2,"_connector_assets_delete\\u0064":true}\n',
        pa.table({"id": [2], "_connector_assets_deleted": [True]}),
    ],
)
def test_a_source_cannot_delete_rows_by_a_mark_of_ours(load, row):
    load(lambda ctx: [{"id": 2}], MERGED)
    with pytest.raises(ResponseError, match=r"which is our own mark; yield ctx.deleted"):
        load(lambda ctx: [row], MERGED)
    nested = {"id": 3, "inner": {"_connector_assets_deleted": True}}
    assert len(load(lambda ctx: [nested], MERGED)[0]) == 2


@pytest.mark.parametrize("keep", ["checkpoint", "position"])
@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        (dt.date(2024, 1, 1), "is no JSON value: Object of type date is not JSON serializable"),
        (float("nan"), "is no JSON value: "),
        ({"token": SECRET}, "holds a secret; it is kept on disk: leave the secret out"),
    ],
)
def test_what_cannot_be_kept_is_refused(keep, value, wrong):
    def read(ctx):
        yield {"n": 1}
        if keep == "checkpoint":
            ctx.checkpoint(value)
        else:
            ctx.position = value

    with pytest.raises(ResponseError) as raised:
        read_all(read, secrets=["token"])
    assert str(raised.value).startswith(f"own.own: {keep} {wrong}")
    assert SECRET not in str(raised.value)


def test_what_it_says_is_masked_and_waits_for_who_watches():
    def read(ctx):
        ctx.log.info("token %s", ctx.secrets["token"])
        ctx.log.warning("100% sure")
        ctx.progress(total=4, part="shelf 2")
        ctx.metadata(lag=7, note=f"by {SECRET}", shelves=["a"])
        yield {"n": 1}

    _, reading = read_all(read, secrets=["token"])
    stats = reading.stats
    assert stats.said() == [
        (logging.INFO, "token [secret:token]"),
        (logging.WARNING, "100% sure"),
    ]
    assert stats.said() == []
    assert (stats.done, stats.part) == ("1 of 4 rows", "shelf 2")
    assert stats.metadata == {"lag": 7, "note": "by [secret:token]", "shelves": ["a"]}


def test_of_too_many_lines_the_rest_is_counted():
    def read(ctx):
        for number in range(1500):
            ctx.log.info("line %s", number)
        yield {"n": 1}

    said = read_all(read)[1].stats.said()
    assert len(said) == 1001
    assert said[-1] == (logging.WARNING, "500 further lines left out")


def test_http_takes_a_base():
    with pytest.raises(ConfigError, match=r"own.own: the plugin does not say where it sends"):
        read_all(lambda ctx: ctx.http.get("/x"))


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from connector_assets import Connection, define_connector, destination_from_url
    from connector_assets.sync import Run, sync

    def read(ctx):
        for page in range(ctx.resume or 0, 5):
            if page == int(sys.argv[1]) and not ctx.resume:
                os.kill(os.getpid(), signal.SIGKILL)
            yield from ({"page": page, "n": n} for n in range(700))
            ctx.position = page
            yield ctx.checkpoint(page + 1)

    plugin = define_connector(id="own", display_name="Own", read=read)
    store = destination_from_url("duckdb:///data.duckdb")
    came = sync(Connection("own", plugin, environ={}), "own", store, Run(Path("staging")))
    print(came.resumed_rows, came.loaded.rows, came.cursor_after)
"""


def test_a_killed_run_goes_on_after_its_last_checkpoint(tmp_path):
    def run(kill_at):
        program = [sys.executable, "-c", textwrap.dedent(KILLED), str(kill_at)]
        return subprocess.run(program, cwd=tmp_path, capture_output=True, text=True)

    assert run(3).returncode == -signal.SIGKILL
    assert run(9).stdout == "2100 3500 4\n"


def test_a_checkpoint_that_is_yielded_is_written_at_once():
    def read(ctx):
        yield {"n": 1}
        yield ctx.checkpoint("one")
        written.append(True)
        yield {"n": 2}

    written = []
    plugin = define_connector(id="own", display_name="Own", read=read)
    taken = plugin.read(Connection("own", plugin, environ={}).open("own"))
    assert next(taken).checkpoint == '"one"'
    assert not written
    assert [batch.count for batch in taken] == [1]
