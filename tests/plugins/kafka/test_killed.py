"""A load goes on where it was killed, also where brokers went away or lost messages meanwhile."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest
from confluent_kafka import Producer

from connector_assets.errors import Cancelled, RequestError, ResponseError
from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.sync import Run, sync
from tests.plugins.kafka.brokers import Broker, free_port, noida, tansu
from tests.plugins.kafka.gate import Gate, gated
from tests.plugins.kafka.loads import Loads

MESSAGES, PARTITIONS = 6_000, 3
EACH = [(part, n) for part in range(PARTITIONS) for n in range(MESSAGES // PARTITIONS)]


def fill(broker, topic, batch=100):
    broker.topic(topic, PARTITIONS)
    producer = Producer({**broker.conf, "batch.num.messages": batch})
    for number in range(MESSAGES):
        producer.produce(topic, b'{"n":%d}' % number, partition=number % PARTITIONS)
    assert producer.flush(30) == 0


def begun(broker, folder, topic, **config):
    """A load of a filled topic, killed once its first messages were staged."""
    fill(broker, topic)
    return killed(broker, folder, topic, **config)


def killed(broker, folder, topic, **config):
    command = [sys.executable, "-m", "tests.plugins.kafka.killed_load"]
    ended = subprocess.run([*command, broker.address, str(folder), topic, json.dumps(config)])
    assert ended.returncode == -signal.SIGKILL
    return Loads(broker, folder, {topic: {}}, config)


def test_a_load_that_was_killed_goes_on_after_its_last_checkpoint(broker, tmp_path):
    fill(broker, "killed")
    # The last offset before the end is a control record: no message tells that it is reached.
    broker.transaction("killed", b'{"n":-1}')
    loads = killed(broker, tmp_path, "killed")
    # What came since is not in the load that was begun before.
    broker.send("killed", b'{"n":-2}')
    synced = loads.load("killed")
    assert 0 < synced.resumed_rows < MESSAGES
    assert synced.stats.rows == MESSAGES + 1 - synced.resumed_rows
    assert sorted(loads.offsets("killed")) == sorted([*EACH, (0, MESSAGES // PARTITIONS)])
    assert synced.stats.metadata["lag"] == 1
    assert loads.load("killed").loaded.received == 1


def test_brokers_may_be_away_as_long_as_they_come_back_in_time(tmp_path):
    with noida() as broker:
        loads = begun(broker, tmp_path, "lost")
        broker.stop()
        back = threading.Timer(1, broker.start)

        def begin(stats):
            if not stats.rows and not back.ident:
                back.start()

        synced = loads.load("lost", on_progress=begin)
        back.join()
        assert synced.resumed_rows
        assert sorted(loads.offsets("lost")) == EACH


@pytest.mark.slow
def test_brokers_that_stay_away_end_the_load_and_the_next_one_goes_on(tmp_path):
    with noida() as broker:
        loads = begun(broker, tmp_path, "away", timeoutS=2)
        broker.stop()
        with pytest.raises(RequestError, match=f"{broker.address}: topics: .*refused") as lost:
            loads.load("away")
        assert lost.value.retryable
        broker.start()
        assert loads.load("away").resumed_rows
        assert sorted(loads.offsets("away")) == EACH


def once_staged(act):
    """What acts once, when the first messages are on disk."""
    done = []

    def look(stats):
        if stats.staged and not done:
            done.append(stats.staged)
            act()

    return look


def tables(loads):
    return loads.rows("select table_name from duckdb_tables() where schema_name = 'events'")


# So little at once that most is still with the broker as the first messages are staged.
LITTLE = {"client": {"queued.max.messages.kbytes": 1, "fetch.message.max.bytes": 2_000}}


@contextmanager
def behind(gate):
    """A broker that is reached through `gate`."""
    port = free_port()
    with (
        tansu(f"localhost:{port}") as broker,
        gated(gate, lambda: broker.address, port=port) as at,
    ):
        yield Broker(at)


def test_a_broker_that_is_lost_in_mid_read_and_comes_back_costs_nothing(tmp_path):
    gate = Gate()
    with behind(gate) as broker:
        fill(broker, "back", batch=1)  # of more, tansu tells a wrong end
        loads = Loads(broker, tmp_path, {"back": {}}, LITTLE)
        synced = loads.load("back", on_progress=once_staged(gate.cut))
        assert (synced.resumed_rows, synced.stats.rows, synced.complete) == (0, MESSAGES, True)
        assert sorted(loads.offsets("back")) == EACH


def test_a_broker_that_is_lost_in_mid_read_for_long_ends_the_load_and_the_next_goes_on(tmp_path):
    gate = Gate()

    def shut():
        gate.is_shut = True
        gate.cut()

    with behind(gate) as broker:
        fill(broker, "long", batch=1)
        loads = Loads(broker, tmp_path, {"long": {}}, {**LITTLE, "timeoutS": 1})
        with pytest.raises(RequestError, match=f"{broker.address}: reading: ") as lost:
            loads.load("long", on_progress=once_staged(shut))
        assert lost.value.retryable
        assert not tables(loads)
        gate.is_shut = False
        synced = loads.load("long")
        assert 0 < synced.resumed_rows < MESSAGES
        assert synced.resumed_rows + synced.stats.rows == MESSAGES
        assert sorted(loads.offsets("long")) == EACH
        assert loads.load("long").loaded.received == 0


def test_a_broker_that_is_killed_in_mid_read_ends_the_load_with_a_reason(tmp_path):
    with tansu() as broker:
        fill(broker, "shot", batch=1)
        loads = Loads(broker, tmp_path, {"shot": {}}, {**LITTLE, "timeoutS": 1})
        with pytest.raises(RequestError, match=f"{broker.address}: reading: .*refused"):
            loads.load("shot", on_progress=once_staged(broker.kill))
        assert not tables(loads)


def test_a_broker_that_was_killed_and_started_again_has_the_rest(tmp_path):
    with noida() as broker:
        fill(broker, "again")
        broker.stop()  # which saves its topics
        broker.start()
        loads = Loads(broker, tmp_path, {"again": {}}, {"timeoutS": 1})
        with pytest.raises(RequestError, match=f"{broker.address}: .*refused"):
            loads.load("again", on_progress=once_staged(lambda: broker.stop(signal.SIGKILL)))
        assert not tables(loads)
        broker.start()
        assert loads.load("again").resumed_rows
        assert sorted(loads.offsets("again")) == EACH
        broker.send("again", b"{}")
        assert loads.load("again").loaded.received == 1


def test_messages_that_were_removed_since_the_checkpoint(broker, tmp_path):
    loads = begun(broker, tmp_path, "cut")
    broker.cut("cut", 0, 1900)
    with pytest.raises(
        ResponseError, match=r"cut/0: messages [0-9,]+ to 1,899 were removed meanwhile"
    ):
        loads.load("cut")
    assert loads.load("cut", full=True, limit=1).loaded.received


@pytest.mark.parametrize("policy", ["earliest", pytest.param("latest", marks=pytest.mark.slow)])
def test_messages_that_were_removed_since_are_left_out_where_the_connection_says_so(
    broker, tmp_path, policy
):
    topic = f"cut_{policy}"
    loads = begun(broker, tmp_path, topic, whenGone=policy)
    broker.cut(topic, 0, 1900)
    synced = loads.load(topic)
    assert synced.resumed_rows
    (lack,) = synced.stats.lacks
    assert f"{topic}/0: messages" in lack
    found = sorted(loads.offsets(topic))
    assert len(set(found)) == len(found)
    late = [n for part, n in found if part == 0 and n >= 1900]
    assert late == (list(range(1900, 2000)) if policy == "earliest" else [])
    assert [one for one in found if one[0]] == [one for one in EACH if one[0]]
    assert loads.load(topic).loaded.received == 0


def test_a_topic_that_was_made_anew_since_the_checkpoint_is_read_anew(broker, tmp_path):
    loads = begun(broker, tmp_path, "anew")
    broker.remove("anew")
    broker.topic("anew", PARTITIONS)
    broker.send("anew", b"1")
    synced = loads.load("anew")
    assert sorted(loads.offsets("anew")) == [(0, 0)]
    assert any("made anew since this load began" in note for note in synced.stats.notes)


def test_a_topic_that_is_made_anew_while_it_is_read_is_not_loaded(broker, tmp_path):
    fill(broker, "swapped")
    loads, once = Loads(broker, tmp_path, {"swapped": {}}), []

    def swap(stats):
        if stats.staged and not once:
            once.append(stats.staged)
            broker.remove("swapped")
            broker.topic("swapped", PARTITIONS)

    with pytest.raises((ResponseError, RequestError)):
        loads.load("swapped", on_progress=swap)
    assert loads.load("swapped").loaded.rows == 0


def test_a_load_that_is_cancelled_ends_between_messages(broker, tmp_path):
    fill(broker, "stopped")
    loads, cancel = Loads(broker, tmp_path, {"stopped": {}}), threading.Event()
    run = Run(staging=tmp_path / "staging", on_progress=lambda stats: stats.staged and cancel.set())
    store = DuckDBDestination(tmp_path / "tables.duckdb")
    with pytest.raises(Cancelled):
        sync(loads.connection(), "stopped", store, run, cancel=cancel)
    assert loads.load("stopped").resumed_rows
    assert sorted(loads.offsets("stopped")) == EACH
