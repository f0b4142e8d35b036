"""Hold librdkafka's mock cluster open, and have it fail as standard input says.

The library is the one inside confluent-kafka; its C interface (`rdkafka_mock.h`) has no Python one.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import confluent_kafka
from confluent_kafka import KafkaError

_PRODUCER = 0


def library_path() -> str | None:
    """Where the wheel of confluent-kafka has its librdkafka: beside it on Linux, inside on macOS."""
    package = Path(confluent_kafka.__file__).parent
    folders = (package.parent / "confluent_kafka.libs", package / ".dylibs")
    return next((str(path) for one in folders for path in one.glob("librdkafka*")), None)


def _library() -> ctypes.CDLL:
    found = ctypes.CDLL(library_path())
    found.rd_kafka_new.restype = ctypes.c_void_p
    found.rd_kafka_conf_new.restype = ctypes.c_void_p
    found.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
    found.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return found


class Cluster:
    """Each method is a command."""

    def __init__(self, brokers: int) -> None:
        self._library = _library()
        conf = ctypes.c_void_p(self._library.rd_kafka_conf_new())
        # It is no client of brokers, and says so on stderr.
        self._library.rd_kafka_conf_set(conf, b"log_level", b"0", None, 0)
        client = ctypes.c_void_p(self._library.rd_kafka_new(_PRODUCER, conf, None, 0))
        self._mock = ctypes.c_void_p(self._library.rd_kafka_mock_cluster_new(client, brokers))

    def address(self) -> str:
        return str(self._library.rd_kafka_mock_cluster_bootstraps(self._mock).decode())

    def down(self, broker: str) -> None:
        self._library.rd_kafka_mock_broker_set_down(self._mock, int(broker))

    def up(self, broker: str) -> None:
        self._library.rd_kafka_mock_broker_set_up(self._mock, int(broker))

    def topic(self, name: str, partitions: str) -> None:
        self._library.rd_kafka_mock_topic_create(self._mock, name.encode(), int(partitions), 1)

    def topic_error(self, name: str, error: str) -> None:
        self._library.rd_kafka_mock_topic_set_error(
            self._mock, name.encode(), getattr(KafkaError, error)
        )

    def request_error(self, api_key: str, error: str, times: str) -> None:
        codes = [getattr(KafkaError, error)] * int(times)
        array = (ctypes.c_int * len(codes))(*codes)
        self._library.rd_kafka_mock_push_request_errors_array(
            self._mock, ctypes.c_int16(int(api_key)), ctypes.c_size_t(len(codes)), array
        )


def main() -> None:
    cluster = Cluster(int(sys.argv[1]))
    for line in sys.stdin:
        command, *words = line.split()
        try:
            print(getattr(cluster, command)(*words) or "done", flush=True)
        except Exception as error:
            print(f"! {error!r}", flush=True)


if __name__ == "__main__":
    main()
