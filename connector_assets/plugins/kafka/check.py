"""The connection test: what keeps a topic from being read, by its name."""

from __future__ import annotations

import time

from connector_assets.plugins.kafka.client import Cluster
from connector_assets.plugins.kafka.config import KafkaConfig, TopicStream
from connector_assets.plugins.kafka.consume import is_passing
from connector_assets.plugins.kafka.offsets import Offsets, Place, places
from connector_assets.plugins.kafka.registry import Registry
from connector_assets.plugins.kafka.topics import listed, topics_of
from connector_assets.reading.connector import Check
from connector_assets.redact import Secrets
from connector_assets.runtime.stats import counted

_PATIENCE_S = 10.0
_FEW = 5
# There is no message yet, or none any more where the last one was.
_READABLE = frozenset({"_PARTITION_EOF", "_AUTO_OFFSET_RESET", "OFFSET_OUT_OF_RANGE"})


def check(config: KafkaConfig, secrets: Secrets) -> Check:
    """Log in, ask each topic for a message, and the registry for its types.

    Raises a ConnectorError.
    """
    patient = config.model_copy(update={"timeout_s": min(config.timeout_s, _PATIENCE_S)})
    cluster = Cluster(patient, secrets, where="")
    if config.topics:
        found = [
            topic
            for name, said in config.topics.items()
            for topic in topics_of(cluster, said or TopicStream(), name)
        ]
        _require_readable(cluster, [place for one in found for place in places([one])[:1]])
        names = [one.name for one in found]
    else:
        names = list(listed(cluster))
    if config.registry:
        Registry(config, where="").test()
    shown = ", ".join(names[:_FEW]) + (", …" if len(names) > _FEW else "")
    return Check(ok=True, message=f"{counted(len(names), 'topic')}: {shown}")


def _require_readable(cluster: Cluster, of: list[Place]) -> None:
    """Ask for what comes next in each: the right to describe a topic is not the right to read."""
    from confluent_kafka import TopicPartition

    ends = Offsets(cluster).latest(of)
    silent, deadline = set(of), time.monotonic() + cluster.config.timeout_s
    with cluster.consumer() as consumer:
        consumer.assign([TopicPartition(*at, end) for at, end in ends.items()])
        while silent:
            for one in consumer.consume(len(of), 0.2):
                error = one.error()
                if error is None or error.name() in _READABLE:
                    silent.discard((one.topic(), one.partition()))
                elif not is_passing(error):
                    cluster.fail(error, one.topic() or "reading")
            if silent and time.monotonic() > deadline:
                topic, partition = min(silent)
                raise cluster.unreachable(f"{topic}/{partition}")
