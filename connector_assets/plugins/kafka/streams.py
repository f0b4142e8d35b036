"""The streams of a connection: what it says of topics, as streams like those of a spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connector_assets.errors import Fault, SpecError
from connector_assets.plugins.kafka.client import Cluster
from connector_assets.plugins.kafka.config import KafkaConfig, MaxLag, Rows, TopicStream
from connector_assets.plugins.kafka.layouts import PREFIX
from connector_assets.plugins.kafka.topics import listed
from connector_assets.reading.plugin_context import PluginContext

_MESSAGE_KEY = ("topic", "partition", "offset")


class Said(BaseModel):
    """What decides the streams and their checks; other values may come from the environment."""

    model_config = ConfigDict(hide_input_in_errors=True)

    topics: dict[str, TopicStream | None] = {}
    rows: Rows = "message"
    max_lag: MaxLag | None = Field(default=None, alias="maxLag")


def topic_stream(config: KafkaConfig, name: str, variables: Mapping[str, Any]) -> TopicStream:
    """What the connection says of the stream `name`; a discovered one has its topic in `vars`."""
    topic = variables.get("topic")
    return config.topics.get(name) or TopicStream(topic=None if topic is None else str(topic))


def streams(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A stream for each of the connection's topics, as a spec would say it; raises SpecError."""
    said = said_in(config)
    for name, one in said.topics.items():
        yield _stream(name, one or TopicStream(), said.rows)


def said_in(config: Mapping[str, Any]) -> Said:
    """What a connection says of its streams in `config`; raises SpecError."""
    try:
        return Said.model_validate(config)
    except ValidationError as error:
        raise SpecError([*_faults(error)]) from None


def names_none(config: Mapping[str, Any]) -> bool:
    """Whether the connection leaves it to the cluster which topics there are."""
    return not config.get("topics")


def discover(ctx: PluginContext[KafkaConfig]) -> Iterator[dict[str, Any]]:
    """A stream for each topic of the cluster that the user may see."""
    cluster = Cluster(ctx.config, ctx.secrets, where=ctx.connection)
    for topic in listed(cluster):
        yield {**_stream(topic, TopicStream(), ctx.config.rows), "vars": {"topic": topic}}


def _faults(error: ValidationError) -> Iterator[Fault]:
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        text = one["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
        yield Fault(".".join(map(str, one["loc"])), text[:1].lower() + text[1:])


def _stream(name: str, said: TopicStream, rows: Rows) -> dict[str, Any]:
    """One stream: appended by offset, or merged by the key that is given.

    `incremental` says how it is read in parts: by the time of messages.
    """
    prefix = PREFIX if (said.rows or rows) == "value" else ""
    return {
        "name": name,
        "description": said.description,
        "primaryKey": list(said.primary_key) or [prefix + part for part in _MESSAGE_KEY],
        "writeMode": "merge" if said.primary_key else "append",
        "columns": said.columns,
        "schemaPolicy": said.schema_policy,
        "incremental": {
            "cursorField": f"{prefix}timestamp",
            "cursorFormat": "iso",
            "format": "iso",
        },
    }
