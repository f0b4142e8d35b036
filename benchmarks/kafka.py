"""Messages a second from a Kafka topic to staging, beside a consumer that does nothing with them.

    python -m benchmarks.kafka [--messages 1000000] [--rounds 5] [--rows value]

One broker (noida-db, a process of its own) and one topic of four partitions serve all; each reader
is a process of its own, and they take turns. `bare` takes messages from confluent-kafka by the ten
thousand and looks at their values; `staging` is a read of the connector, each row on disk with its
checkpoint; `table` is a load into a DuckDB file. Figures are medians. A rate per core is by CPU
seconds, all threads of the process counted: librdkafka's own too.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from connector_assets.load.duckdb.destination import DuckDBDestination
from connector_assets.load.staging.staging import Staging
from connector_assets.plugins.kafka.connector import connector
from connector_assets.project.connection import Connection
from connector_assets.sync import Run, sync
from tests.plugins.kafka.brokers import noida

TOPIC, PARTITIONS, AT_ONCE = "orders", 4, 10_000
READERS = ("bare", "staging", "table")


@dataclass(frozen=True)
class Took:
    wall_s: float
    cpu_s: float


def fill(address: str, messages: int) -> None:
    producer = Producer({"bootstrap.servers": address, "linger.ms": 50, "compression.type": "lz4"})
    for n in range(messages):
        value = b'{"id":%d,"name":"customer %d","amount":%d.5}' % (n, n, n % 977)
        producer.produce(TOPIC, key=b"%d" % (n % 1000), value=value, partition=n % PARTITIONS)
        if n % AT_ONCE == 0:
            producer.poll(0)
            while len(producer) > 50_000:
                producer.poll(0.1)
    producer.flush()


def bare(address: str) -> int:
    """Read the topic to its end, and count the messages."""
    settings = {
        "bootstrap.servers": address,
        "group.id": "bare",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
    }
    consumer, count, ended = Consumer(settings), 0, 0
    consumer.assign([TopicPartition(TOPIC, number, 0) for number in range(PARTITIONS)])
    while ended < PARTITIONS:
        for one in consumer.consume(AT_ONCE, 1.0):
            if one.error():
                ended += 1
            elif one.value():
                count += 1
    consumer.close()
    return count


def _connection(address: str, rows: str) -> Connection:
    config = {"brokers": [address], "topics": {TOPIC: {}}, "rows": rows}
    return Connection("bench", connector.with_config(config), environ={}), config


def staging(address: str, rows: str, folder: Path) -> int:
    connection, config = _connection(address, rows)
    reading = connection.open(TOPIC, config=config)
    with Staging(folder, connection="bench", stream=TOPIC, fingerprint="one") as staged:
        for batch in connection.connector.read(reading):
            staged.append(
                batch.rows,
                batch.count,
                batch.checkpoint,
                complete=batch.complete,
                cursor=batch.cursor,
            )
        return staged.rows


def table(address: str, rows: str, folder: Path) -> int:
    connection, config = _connection(address, rows)
    store = DuckDBDestination(folder / "bench.duckdb")
    synced = sync(connection, TOPIC, store, Run(staging=folder / "staging"), config=config)
    return synced.loaded.received


def run(reader: str, address: str, rows: str) -> None:
    """One reader in this process; its seconds on the last line."""
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        if reader == "bare":
            count = bare(address)
        else:
            count = {"staging": staging, "table": table}[reader](address, rows, Path(folder))
        print(count, time.perf_counter() - wall, time.process_time() - cpu)


def timed(reader: str, address: str, rows: str, messages: int) -> Took:
    command = [sys.executable, "-m", "benchmarks.kafka", "--run", reader, address, "--rows", rows]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    count, wall, cpu = out.splitlines()[-1].split()
    assert int(count) == messages, f"{reader} read {count} of {messages}"
    return Took(float(wall), float(cpu))


def compare(messages: int, rounds: int, rows: str) -> None:
    took: dict[str, list[Took]] = {reader: [] for reader in READERS}
    with noida() as broker:
        broker.topic(TOPIC, PARTITIONS)
        fill(broker.address, messages)
        for _ in range(rounds):
            for reader in READERS:
                took[reader].append(timed(reader, broker.address, rows, messages))
    first = statistics.median(one.cpu_s for one in took["bare"])
    print(f"{messages:,} messages, rows: {rows}")
    for reader, found in took.items():
        wall, cpu = (statistics.median(getattr(one, at) for one in found) for at in _TIMES)
        print(
            f"{reader:8} {messages / wall:>9,.0f} messages/s  {messages / cpu:>9,.0f} per core  "
            f"{cpu / first:.2f} of bare's CPU"
        )


_TIMES = ("wall_s", "cpu_s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", choices=("message", "value"), default="message")
    parser.add_argument("--run", nargs=2, metavar=("READER", "ADDRESS"), help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.run:
        run(*told.run, told.rows)
    else:
        compare(told.messages, told.rounds, told.rows)


if __name__ == "__main__":
    main()
