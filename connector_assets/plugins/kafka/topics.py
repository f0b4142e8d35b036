"""Which topics a stream reads, and which partitions they have now."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from connector_assets.errors import ConfigError, RequestError
from connector_assets.plugins.kafka.client import Cluster
from connector_assets.plugins.kafka.config import TopicStream

_FEW, _LOOK_S = 10, 1.0
_NO_ID = "A" * 22  # what brokers without topic ids answer: sixteen zeros, in base64


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as brokers describe it."""

    name: str
    partitions: tuple[int, ...]


def topics_of(cluster: Cluster, stream: TopicStream, name: str) -> list[Topic]:
    """The topics of `stream`, which is called `name`; raises a ConnectorError."""
    there = listed(cluster)
    if stream.pattern is not None:
        whole = re.compile(stream.pattern)
        names = [one for one in there if whole.fullmatch(one)]
        if not names:
            what = f"no topic is called as {stream.pattern}"
            fix = "see the pattern, which is of whole names, and what the user may describe"
            raise ConfigError(what, where=cluster.where, fix=fix)
    else:
        names = [stream.topic or name]
        if names[0] not in there:
            # All are asked for, since a broker may make a topic that is asked for by name.
            what = f'there is no topic "{names[0]}", or the user may not describe it'
            raise RequestError(what, where=cluster.where, status=404, fix=_known(list(there)))
    return [_topic(cluster, there[one]) for one in names]


def _topic(cluster: Cluster, told: Any) -> Topic:
    if told.error is not None:
        cluster.fail(told.error, told.topic)
    return Topic(told.topic, tuple(sorted(told.partitions)))


def _known(there: Sequence[str]) -> str:
    shown = ", ".join(there[:_FEW]) + (", …" if len(there) > _FEW else "")
    return f"known are: {shown}" if there else "no topic is shown to the user"


def listed(cluster: Cluster) -> dict[str, Any]:
    """What brokers tell of all topics but internal ones, by name in order."""
    from confluent_kafka import KafkaException

    deadline, found = time.monotonic() + cluster.config.timeout_s, None
    while found is None:
        left = deadline - time.monotonic()
        try:
            found = cluster.admin.list_topics(timeout=max(0.1, min(left, _LOOK_S)))
        except KafkaException as error:
            if left < _LOOK_S or cluster.is_refused:
                cluster.fail(error.args[0], "topics")
    cluster.answered()
    return {name: told for name, told in sorted(found.topics.items()) if not name.startswith("__")}


def ids_of(cluster: Cluster, names: Iterable[str]) -> dict[str, str]:
    """The ids of topics by name, "" where brokers tell none.

    A topic that was deleted and made anew under its name has another id.
    """
    from confluent_kafka import TopicCollection

    found = cluster.admin.describe_topics(
        TopicCollection(list(names)), request_timeout=cluster.config.timeout_s
    )
    ids = {name: str(cluster.result(told, name).topic_id) for name, told in found.items()}
    return {name: "" if id_ == _NO_ID else id_ for name, id_ in ids.items()}
