"""Each message is loaded once, from the stored offsets to the ends that a load found."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from connector_assets.errors import ConfigError, RequestError, ResponseError
from tests.plugins.kafka.brokers import tansu, until
from tests.plugins.kafka.loads import Loads


def test_a_message_is_a_row_and_comes_once(broker, tmp_path):
    broker.topic("orders", 2)
    headers = [("who", b"me"), ("who", b"\xff"), ("none", None)]
    broker.send(
        "orders", (b"k1", b'{"id": 1}'), (None, None), headers=headers, timestamp=1_700_000_000_123
    )
    broker.send(
        "orders", ("kö".encode(), b'{"id": 2, "x": "y"}'), partition=1, timestamp=1_700_000_001_000
    )
    loads = Loads(broker, tmp_path, {"orders": {}})
    synced = loads.load("orders")
    assert (synced.loaded.received, synced.loaded.rows, synced.complete) == (3, 3, True)
    rows = loads.rows(
        'select topic, partition, "offset", epoch_ms("timestamp"), key, headers, value from events.orders order by all'
    )
    told = [
        {"key": "who", "value": "me"},
        {"key": "who", "base64": "/w=="},
        {"key": "none", "value": None},
    ]
    assert [row[:5] for row in rows] == [
        ("orders", 0, 0, 1_700_000_000_123, "k1"),
        ("orders", 0, 1, 1_700_000_000_123, None),
        ("orders", 1, 0, 1_700_000_001_000, "kö"),
    ]
    assert json.loads(rows[0][5]) == told
    assert [row[6] and json.loads(row[6]) for row in rows] == [{"id": 1}, None, {"id": 2, "x": "y"}]

    assert loads.load("orders").loaded.received == 0
    broker.send("orders", b"[3]")
    synced = loads.load("orders")
    assert (synced.loaded.received, synced.loaded.rows) == (1, 4)
    assert synced.stats.metadata["next_offsets"] == {"orders": {"0": 3, "1": 1}}
    assert synced.stats.metadata["lag"] == 0
    assert synced.stats.total == 1


def test_values_become_columns_and_tombstones_delete_their_key(broker, tmp_path):
    broker.topic("customers")
    broker.send(
        "customers",
        (b'{"id": 1}', b'{"id": 1, "name": "a"}'),
        (b'{"id": 2}', b' { "id": 2, "name": "b" }'),
        (b'{"id": 3}', b'{"id": 3, "name": "c"}'),
        (b'{"id": 2}', None),
        (b'{"id": 1}', b'{"id": 1, "name": "later"}'),
    )
    stream = {"rows": "value", "key": "json", "primaryKey": ["id"]}
    loads = Loads(broker, tmp_path, {"customers": stream})
    loads.load("customers")
    said = "select id, name, _kafka_offset, _kafka_topic from events.customers order by id"
    assert loads.rows(said) == [(1, "later", 4, "customers"), (3, "c", 2, "customers")]
    # What is deleted in a later load, and comes again after its tombstone.
    broker.send(
        "customers",
        (b'{"id": 1}', None),
        (b'{"id": 3}', None),
        (b'{"id": 3}', b'{"id":3,"name":"new"}'),
    )
    assert loads.load("customers").loaded.received == 3
    assert loads.rows(said) == [(3, "new", 7, "customers")]


def test_messages_are_merged_by_their_key(broker, tmp_path):
    broker.topic("prices")
    broker.send("prices", (b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"b", None))
    loads = Loads(broker, tmp_path, {"prices": {"primaryKey": ["key"]}})
    loads.load("prices")
    assert loads.rows('select key, value, "offset" from events.prices') == [("a", 3, 2)]


def test_a_tombstone_is_a_row_where_nothing_is_merged(broker, tmp_path):
    broker.topic("log")
    broker.send("log", (b"a", b'{"x":1}'), (b"a", None), (b"a", b"{}"))
    loads = Loads(broker, tmp_path, {"log": {"rows": "value"}})
    loads.load("log")
    assert loads.rows("select _kafka_offset, x from events.log order by 1") == [
        (0, 1),
        (1, None),
        (2, None),
    ]


def test_a_pattern_takes_topics_that_come_later_from_their_beginning(broker, tmp_path):
    broker.topic("eu.sales")
    broker.send(broker.topic("eu.salesman"), b"0")
    broker.send("eu.sales", b"1")
    loads = Loads(broker, tmp_path, {"sales": {"pattern": r"[a-z]+\.sales"}}, {"start": "latest"})
    loads.load("sales")
    broker.topic("us.sales")
    broker.send("us.sales", b"2")
    broker.send("eu.sales", b"3")
    loads.load("sales")
    assert loads.rows("select topic, value from events.sales order by all") == [
        ("eu.sales", 3),
        ("us.sales", 2),
    ]
    # One that is gone is remembered, should it come again under its name.
    broker.remove("us.sales")
    assert loads.load("sales").loaded.received == 0
    broker.topic("us.sales")
    with pytest.raises(ResponseError, match=r"us\.sales/0: was read up to 1 and ends at 0"):
        loads.load("sales")
    with pytest.raises(ConfigError, match="no topic is called as nothing"):
        Loads(broker, tmp_path, {"none": {"pattern": "nothing.*"}}).load("none")


def test_partitions_that_are_added_are_read_from_their_beginning(broker, tmp_path):
    broker.topic("grows")
    broker.send("grows", b"1")
    loads = Loads(broker, tmp_path, {"grows": {}})
    loads.load("grows")
    broker.grow("grows", 3)
    broker.send("grows", b"2", partition=2)
    assert loads.load("grows").loaded.received == 1
    assert sorted(loads.offsets("grows")) == [(0, 0), (2, 0)]


def test_what_is_not_committed_is_left_out_and_control_records_do_not_hold_up(broker, tmp_path):
    broker.topic("paid")
    broker.transaction("paid", "1", "2")
    broker.transaction("paid", "3", then="abort")
    loads = Loads(broker, tmp_path, {"paid": {}})
    # The end is behind the marker of the abort: no message is there.
    assert loads.load("paid").stats.metadata["next_offsets"] == {"paid": {"0": 5}}
    assert loads.offsets("paid") == [(0, 0), (0, 1)]
    open_one = broker.transaction("paid", "4", then="open")
    broker.send("paid", b"5")
    assert loads.load("paid").loaded.received == 0
    open_one.commit_transaction(30)
    loads.load("paid")
    assert sorted(loads.offsets("paid")) == [(0, 0), (0, 1), (0, 5), (0, 6)]
    dirty = Loads(broker, tmp_path, {"all": {"topic": "paid"}}, {"isolation": "read_uncommitted"})
    assert dirty.load("all").loaded.received == 5


def test_stored_offsets_beyond_the_oldest_open_transaction_are_not_gone(broker, tmp_path):
    broker.topic("half")
    open_one = broker.transaction("half", "1", then="open")
    dirty = Loads(broker, tmp_path, {"half": {}}, {"isolation": "read_uncommitted"})
    assert dirty.load("half").loaded.received == 1
    clean = Loads(broker, tmp_path, {"half": {}})
    assert clean.load("half").loaded.received == 0
    open_one.commit_transaction(30)
    assert clean.load("half").loaded.received == 0
    assert clean.offsets("half") == [(0, 0)]


def test_a_compacted_topic_ends_though_most_offsets_are_gone(broker, tmp_path):
    told = {"segment_ms": "100", "segment_bytes": "1024", "min_cleanable_dirty_ratio": "0.0"}
    broker.topic("state", cleanup_policy="compact", delete_retention_ms="100", **told)
    broker.send("state", *[(f"k{n % 5}".encode(), str(n).encode() * 5) for n in range(200)])
    loads = Loads(broker, tmp_path, {"state": {"value": "text", "primaryKey": ["key"]}})

    def compacted() -> bool:
        fresh = Loads(broker, tmp_path, {"seen": {"topic": "state", "value": "text"}})
        fresh.load("seen", full=True)
        return len(fresh.offsets("seen")) < 100

    until(compacted)
    synced = loads.load("state")
    assert synced.loaded.received < 100
    assert synced.stats.metadata["next_offsets"] == {"state": {"0": 200}}
    expected = [(f"k{n % 5}", str(n) * 5) for n in range(195, 200)]
    assert loads.rows("select key, value from events.state order by 1") == expected


def test_messages_that_were_removed_unread_are_an_error_or_said_to_be_missing(broker, tmp_path):
    broker.topic("short", 2)
    broker.send("short", *[b"1"] * 3)
    loads = Loads(broker, tmp_path, {"short": {}})
    loads.load("short")
    broker.send("short", *[b"2"] * 5)
    broker.cut("short", 0, 6)
    with pytest.raises(
        ResponseError, match="short/0: messages 3 to 5 were removed before they were read"
    ) as gone:
        loads.load("short")
    assert str(gone.value).startswith("events.short: ")
    assert "whenGone" in str(gone.value)
    assert sorted(loads.offsets("short")) == [(0, 0), (0, 1), (0, 2)]
    loads.config["whenGone"] = "earliest"
    synced = loads.load("short")
    assert (synced.loaded.received, synced.complete) == (2, False)
    assert synced.stats.lacks == ["short/0: messages 3 to 5 were removed before they were read"]
    assert loads.load("short").complete
    broker.send("short", *[b"3"] * 4)
    broker.cut("short", 0, 10)
    loads.config["whenGone"] = "latest"
    synced = loads.load("short")
    assert (synced.loaded.received, synced.complete) == (0, False)
    assert synced.stats.metadata["next_offsets"] == {"short": {"0": 12, "1": 0}}


def test_a_topic_that_was_made_anew_is_known_by_its_id(tmp_path):
    with tansu() as broker:
        broker.topic("anew")
        broker.send("anew", b"1", b"2")
        # Its last stable offset is not the one after the last message.
        loads = Loads(broker, tmp_path, {"anew": {}}, {"isolation": "read_uncommitted"})
        loads.load("anew")
        broker.remove("anew")
        broker.topic("anew")
        broker.send("anew", b"3", b"4", b"5")  # more than were read of the other
        with pytest.raises(ResponseError, match="anew/0: the topic was deleted and made anew"):
            loads.load("anew")
        loads.config["whenGone"] = "earliest"
        assert loads.load("anew").loaded.received == 3
        assert sorted(loads.rows("select value from events.anew")) == [(n,) for n in range(1, 6)]


def test_a_topic_that_was_made_anew_without_an_id_is_shorter_than_what_was_read(broker, tmp_path):
    broker.topic("again")
    broker.send("again", b"1", b"2")
    loads = Loads(broker, tmp_path, {"again": {}})
    loads.load("again")
    broker.remove("again")
    broker.topic("again")
    broker.send("again", b"3")
    with pytest.raises(ResponseError, match="was read up to 2 and ends at 1"):
        loads.load("again")


def test_a_run_takes_an_equal_share_of_each_partition_and_the_next_goes_on(broker, tmp_path):
    broker.topic("much", 3)
    broker.send("much", *[b"1"] * 7)
    broker.send("much", *[b"1"] * 2, partition=2)
    loads = Loads(broker, tmp_path, {"much": {}}, {"maxMessages": 6})
    synced = loads.load("much")
    assert (synced.loaded.received, synced.stats.metadata["lag"]) == (5, 4)
    assert loads.load("much").stats.metadata["lag"] == 0
    assert sorted(loads.offsets("much")) == [*((0, n) for n in range(7)), (2, 0), (2, 1)]


def test_a_table_that_is_replaced_is_the_topic_as_it_is_now(broker, tmp_path):
    broker.topic("whole")
    broker.send("whole", b"1", b"2")
    loads = Loads(broker, tmp_path, {"whole": {}}, streams={"whole": {"writeMode": "replace"}})
    loads.load("whole")
    broker.cut("whole", 0, 1)
    broker.send("whole", b"3")
    assert loads.load("whole").loaded.rows == 2
    assert sorted(loads.offsets("whole")) == [(0, 1), (0, 2)]


def day(text: str, hour: int = 0) -> int:
    return int(dt.datetime.fromisoformat(f"{text}T{hour:02}:00:00+00:00").timestamp() * 1000)


def test_days_are_partitions_of_the_table_and_each_message_is_in_one(broker, tmp_path):
    broker.topic("visits", 2)
    times = [
        day("2026-01-01", 5),
        day("2026-01-02"),
        day("2026-01-02", 23),
        day("2026-01-01", 23),
        day("2026-01-03"),
    ]
    for number, ms in enumerate(times):
        broker.send("visits", str(number).encode(), timestamp=ms)
    broker.send("visits", b"9", partition=1, timestamp=day("2026-01-02", 12))
    streams = {
        "visits": {"partitions": {"type": "daily", "start": "2026-01-01", "end": "2026-01-05"}}
    }
    loads = Loads(broker, tmp_path, {"visits": {}}, streams=streams)
    found = {}
    for key in ("2026-01-02", "2026-01-01", "2026-01-03", "2026-01-02"):
        synced = loads.load("visits", partition=key)
        found[key] = synced.loaded.received
    # The one that is late for its day stands among those of the next, and is loaded with them.
    assert found == {"2026-01-01": 1, "2026-01-02": 4, "2026-01-03": 1}
    assert sorted(loads.rows("select value from events.visits")) == [
        (n,) for n in (0, 1, 2, 3, 4, 9)
    ]
    assert synced.cursor_after is None


def test_the_first_run_begins_at_the_time_that_is_given(broker, tmp_path):
    broker.topic("since")
    for number, ms in enumerate([day("2026-01-01"), day("2026-02-01"), day("2026-03-01")]):
        broker.send("since", str(number).encode(), timestamp=ms)
    streams = {"since": {"incremental": {"start": "2026-01-15"}}}
    loads = Loads(broker, tmp_path, {"since": {}}, streams=streams)
    assert loads.load("since").loaded.received == 2
    broker.send("since", b"3", timestamp=day("2025-01-01"))
    assert loads.load("since").loaded.received == 1


def test_a_stretch_of_time_is_read_once_more_without_doubling_or_moving_on(broker, tmp_path):
    broker.topic("stretch")
    for number in range(3):
        broker.send("stretch", (b"a", str(number).encode()), timestamp=day("2026-01-01", number))
    broker.send("stretch", (b"a", None), timestamp=day("2026-01-01", 1))
    loads = Loads(broker, tmp_path, {"stretch": {}}, {"maxMessages": 3})
    stretch = ("2026-01-01T01:00:00Z", "2026-01-02T00:00:00Z")
    # What is not loaded yet is not the window's to load: it would be appended once more.
    assert loads.load("stretch", window=stretch).loaded.received == 0
    loads.load("stretch")
    synced = loads.load("stretch", window=stretch)
    assert (synced.loaded.received, synced.loaded.rows) == (2, 3)
    assert loads.load("stretch").loaded.received == 1
    assert sorted(loads.offsets("stretch")) == [(0, n) for n in range(4)]
    # A message without a value is a row here, and deletes none.
    assert loads.load("stretch", window=stretch).loaded.rows == 4


@pytest.mark.parametrize(
    ("config", "value", "reason"),
    [
        ({}, b"{", "its value is not JSON"),
        ({"value": "text"}, b"\xff", "its value is not UTF-8"),
        ({"rows": "value"}, b"[1]", "its value is no object"),
        ({"key": "integer"}, b"1", "its key has 1 bytes"),
    ],
)
def test_a_message_that_cannot_be_read_is_an_error_that_names_it(
    broker, tmp_path, config, value, reason
):
    if "key" in config:
        config, reason = {"key": "integer"}, "its key has 3 bytes"
    topic = broker.topic("bad" + "".join(c for c in reason if c.isalnum()))
    broker.send(topic, (None, b"{}"), (b"abc", value))
    with pytest.raises(ResponseError, match=f"{topic}/0 at offset 1: {reason}"):
        Loads(broker, tmp_path, {topic: {}}, config).load(topic)


def test_a_message_that_cannot_be_read_is_set_aside_where_the_stream_says_so(broker, tmp_path):
    broker.topic("mixed")
    broker.send("mixed", (b"a", b"1"), (b"b", b"\xff{"), (b"c", b"3"))
    loads = Loads(broker, tmp_path, {"mixed": {"schemaPolicy": "quarantine"}})
    assert loads.load("mixed").loaded.rejected == 1
    assert loads.offsets("mixed") == [(0, 0), (0, 2)]
    (aside,) = loads.rows("select * from events.mixed__rejected")
    assert any("mixed/0 at offset 1: its value is not UTF-8" in str(part) for part in aside)
    assert any("/3s=" in str(part) for part in aside)
    assert loads.load("mixed").loaded.received == 0


def test_a_value_cannot_delete_rows_or_take_the_place_of_a_columns_own(broker, tmp_path):
    broker.topic("forged")
    broker.send("forged", (b"a", b'{"x": 1, "_connector_assets_deleted": true}'))
    with pytest.raises(ResponseError, match="_connector_assets_deleted"):
        Loads(broker, tmp_path, {"forged": {"rows": "value", "primaryKey": ["_kafka_key"]}}).load(
            "forged"
        )


def test_a_topic_that_is_not_there_is_not_made(broker, tmp_path):
    with pytest.raises(RequestError, match='there is no topic "nothere"'):
        Loads(broker, tmp_path, {"nothere": {}}).load("nothere")
    assert "nothere" not in broker.admin.list_topics(timeout=10).topics
