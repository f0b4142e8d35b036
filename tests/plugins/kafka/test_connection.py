"""What a connection says of Kafka becomes streams, or faults that say where."""

from __future__ import annotations

import pytest

from connector_assets.errors import ConfigError, SpecError
from connector_assets.plugins.define import define_connector
from connector_assets.plugins.kafka.config import KafkaConfig
from connector_assets.plugins.registry import connector_registry
from connector_assets.project.project import connection_from_file

HEAD = 'kind: connection\nversion: "1.0"\nid: events\nconnector: kafka\n'


def connection(tmp_path, text, **environ):
    path = tmp_path / "events.yaml"
    path.write_text(HEAD + text)
    return connection_from_file(path, environ=environ, plugins=connector_registry.connectors())


def test_topics_are_streams_that_are_appended_by_offset_or_merged_by_a_key(tmp_path):
    found = connection(
        tmp_path,
        """
config:
  brokers: [a.example.com:9092]
  rows: value
  topics:
    orders: {}
    raw: {topic: raw.events, rows: message, description: All of them}
    customers: {primaryKey: [id], columns: {id: bigint}, schemaPolicy: quarantine}
""",
    )
    orders, raw, customers = found.streams()
    assert (orders.name, orders.mode) == ("orders", "append")
    assert orders.primary_key == ("_kafka_topic", "_kafka_partition", "_kafka_offset")
    assert raw.primary_key == ("topic", "partition", "offset")
    assert raw.description == "All of them"
    assert (customers.mode, customers.primary_key) == ("merge", ("id",))
    assert customers.column_types == {"id": "bigint"}
    assert customers.schema_policy == "quarantine"
    assert found.missing("orders") == []


@pytest.mark.parametrize(
    ("topics", "message"),
    [
        ("{orders: {topik: x}}", "topics.orders.topik: extra"),
        ("{orders: {topic: a b}}", "topics.orders.topic: must be the name of a topic"),
        ("{orders: {pattern: '('}}", "topics.orders.pattern: is not a regular expression"),
        ("{orders: {topic: a, pattern: b}}", 'topics.orders: "pattern" is beside "topic"'),
        ("{orders: {rows: both}}", "topics.orders.rows: must be"),
        ("{orders: {columns: {a: {tipe: b}}}}", "streams.orders.columns.a"),
    ],
)
def test_a_fault_in_topics_is_found_at_its_line(tmp_path, topics, message):
    text = f"config:\n  brokers: [a:1]\n  topics: {topics}\n"
    with pytest.raises(SpecError) as wrong:
        connection(tmp_path, text)
    (fault,) = wrong.value.faults
    assert message in str(fault)
    assert fault.line == 5


def config(**given):
    return KafkaConfig.model_validate({"brokers": ["a:1"], "topics": {"orders": {}}, **given})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"brokers": ["a.example.com"]}, "must be host:port"),
        ({"brokers": ["kafka://a:1"]}, "must be host:port"),
        ({"brokers": []}, "at least 1"),
        ({"sasl": "PLAIN", "username": "a"}, '"password" is required with sasl PLAIN'),
        ({"sasl": "OAUTHBEARER"}, '"tokenUrl" is required with sasl OAUTHBEARER'),
        ({"password": "x"}, '"sasl" is required'),
        ({"client": {"group.id": "a"}}, '"client.group.id" is set by the connector'),
        ({"value": "avro"}, '"topics.orders": its values are avro, which needs a registry'),
        ({"key": "avro", "schemaFile": "a.avsc"}, '"topics.orders": its keys are avro'),
        ({"topics": {"orders": {"value": "protobuf"}}}, "needs a registry, or descriptors and val"),
        ({"registry": "https://me:pw@registry"}, "must be a URL without credentials"),
        ({"maxMessages": 0}, "greater than or equal to 1"),
    ],
)
def test_values_that_do_not_fit_together_are_refused(given, message):
    with pytest.raises(ValueError, match="validation error") as wrong:
        config(**given)
    assert message in str(wrong.value)


def test_values_come_from_the_environment_too(tmp_path):
    found = connection(
        tmp_path,
        "config: {topics: {orders: {}}}\n",
        EVENTS__BROKERS="a:1,b:2",
        EVENTS__SASL="PLAIN",
        EVENTS__USERNAME="me",
        EVENTS__PASSWORD="pw-12345",
        EVENTS__TLS="true",
    )
    reading = found.open("orders")
    assert reading.config["brokers"] == "a:1,b:2"
    assert "pw-12345" not in repr(reading)


def test_a_plugins_streams_may_follow_from_the_connection(tmp_path):
    def listed(config):
        return [f"{config['prefix']}_{n}" for n in range(config.get("count", 1))]

    one = define_connector(id="one", display_name="One", read=lambda _: [], streams=listed)
    given = one.with_config({"prefix": "a", "count": 2})
    assert [stream.name for stream in given.streams()] == ["a_0", "a_1"]
    with pytest.raises(SpecError, match="must not be empty"):
        one.with_config({"prefix": "a", "count": 0})


def test_a_connection_says_what_is_missing(tmp_path):
    found = connection(tmp_path, "config: {topics: {orders: {}}}\n")
    with pytest.raises(ConfigError, match="EVENTS__BROKERS"):
        found.open("orders")
