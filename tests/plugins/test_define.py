"""A plugin is a connector: its values are typed, its rows come in batches, its errors are one line."""

from __future__ import annotations

import threading
import traceback
from dataclasses import replace

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from connector_assets.errors import Cancelled, ConfigError, ConnectorError, ResponseError, SpecError
from connector_assets.plugins.define import define_connector
from connector_assets.project.connection import Connection
from connector_assets.reading.connector import Batch, Check
from connector_assets.reading.yielded import YIELD

SECRET = "pw-8f2c11"


class Config(BaseModel):
    brokers: list[str]
    topic: str
    consumer_group: str = Field("readers", alias="consumerGroup")
    partitions: int = 1
    password: SecretStr | None = None


def rows(ctx):
    for number in range(3):
        yield {"n": number, "topic": ctx.config.topic}


def plugin(**given):
    given = {"id": "kafka", "display_name": "Kafka", "read": rows, "config_schema": Config, **given}
    return define_connector(**given)


def opened(connector, environ=None, **given):
    environ = {"KAFKA__BROKERS": "a:1,b:2", "KAFKA__TOPIC": "orders", **(environ or {})}
    return Connection("kafka", connector, environ=environ).open("kafka", **given)


def read(connector, ctx=None):
    return list(connector.read(ctx or opened(connector)))


def test_rows_come_as_one_complete_batch():
    (batch,) = read(plugin())
    assert batch.rows == [{"n": n, "topic": "orders"} for n in range(3)]
    assert (batch.count, batch.complete, batch.checkpoint) == (3, True, None)


def test_many_rows_come_by_the_thousand_and_only_the_last_batch_is_complete():
    one = {}

    def reuse(ctx):
        for number in range(2500):
            one["n"] = number
            yield one

    connector = plugin(read=reuse)
    ctx = opened(connector)
    batches = read(connector, ctx)
    assert [(batch.count, batch.complete) for batch in batches] == [
        (1000, False),
        (1000, False),
        (500, True),
    ]
    assert [row["n"] for batch in batches for row in batch.rows] == list(range(2500))
    assert (ctx.stats.rows, ctx.stats.pages) == (2500, 3)


def test_no_rows_are_one_empty_complete_batch():
    assert read(plugin(read=lambda _: iter(()))) == [Batch([], 0, complete=True)]


def test_batches_of_its_own_pass_with_their_checkpoints():
    def own(ctx):
        start = int(ctx.resume or 0)
        yield Batch([{"n": start}], 1, checkpoint=str(start + 1))
        yield {"n": "between"}
        yield Batch(b'{"n":9}\n', 1, checkpoint="end", complete=True)

    connector = plugin(read=own)
    batches = read(connector, replace(opened(connector), resume='"4"'))
    assert [(batch.rows, batch.checkpoint) for batch in batches] == [
        ([{"n": 4}], '"5"'),
        ([{"n": "between"}], None),
        (b'{"n":9}\n', '"end"'),
    ]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (["text"], f"kafka.kafka: a row is of type str; {YIELD}"),
        ([None], f"kafka.kafka: a row is of type NoneType; {YIELD}"),
        (None, f"kafka.kafka: read returned a NoneType, and no rows; {YIELD}"),
        ({"a": 1}, f"kafka.kafka: read returned a dict, and no rows; {YIELD}"),
        (
            [Batch([], 0, complete=True), {"n": 1}],
            "kafka.kafka: rows came after the batch marked complete",
        ),
    ],
)
def test_what_is_no_row_is_refused(result, message):
    with pytest.raises(ResponseError) as raised:
        read(plugin(read=lambda _: result))
    assert str(raised.value) == message


def test_an_exception_of_the_plugin_is_one_line_without_secrets_and_keeps_its_frames():
    def fails(ctx):
        yield {"n": 1}
        raise ValueError(f"bad password {ctx.config.password.get_secret_value()}")

    connector = plugin(read=fails)
    with pytest.raises(ConnectorError) as raised:
        read(connector, opened(connector, {"KAFKA__PASSWORD": SECRET}))
    assert str(raised.value) == "kafka.kafka: plugin: ValueError: bad password [secret:password]"
    shown = "".join(traceback.format_exception(raised.value))
    assert "in fails" in shown
    assert SECRET not in shown


def test_a_cancelled_read_stops_between_rows_and_runs_the_plugins_finally():
    cancel, ended = threading.Event(), []

    def endless(ctx):
        try:
            for number in range(10_000_000):
                if number == 1500:
                    cancel.set()
                yield {"n": number}
        finally:
            ended.append(True)

    connector = plugin(read=endless)
    with pytest.raises(Cancelled):
        read(connector, opened(connector, cancel=cancel))
    assert ended


def test_a_reader_that_stops_early_runs_the_plugins_finally_at_once():
    ended = []

    def endless(ctx):
        try:
            while True:
                yield {"n": 1}
        finally:
            ended.append(True)

    connector = plugin(read=endless)
    batches = connector.read(opened(connector))
    next(batches)
    batches.close()
    assert ended


def test_values_from_the_environment_become_the_models_types():
    seen = []
    connector = plugin(read=lambda ctx: seen.append(ctx.config) or iter(()))
    environ = {"KAFKA__PARTITIONS": "12", "KAFKA__CONSUMER_GROUP": "g", "KAFKA__PASSWORD": SECRET}
    read(connector, opened(connector, environ))
    (config,) = seen
    assert config.brokers == ["a:1", "b:2"]
    assert (config.partitions, config.consumer_group) == (12, "g")
    assert config.password.get_secret_value() == SECRET
    read(connector, opened(connector, {"KAFKA__BROKERS": '["x:1, still x"]'}))
    assert seen[-1].brokers == ["x:1, still x"]
    assert seen[-1].password is None


def test_missing_values_name_their_variables():
    class Strict(BaseModel):
        topic: str
        api_key: SecretStr = Field(alias="apiKey")

    connector = plugin(config_schema=Strict, secrets=["otherKey"])
    with pytest.raises(ConfigError) as raised:
        Connection("kafka", connector, environ={}).open("kafka")
    assert str(raised.value) == (
        "kafka: values are missing; set KAFKA__TOPIC, KAFKA__API_KEY, KAFKA__OTHER_KEY"
    )


def test_declared_secrets_reach_the_plugin_as_secrets():
    connector = plugin(secrets=["apiKey"])
    ctx = opened(connector, {"KAFKA__API_KEY": SECRET})
    assert ctx.secrets["apiKey"] == SECRET
    assert SECRET not in repr(ctx)


def test_all_wrong_values_are_told_at_once_and_none_is_quoted():
    connector = plugin()
    ctx = opened(connector, config={"partitions": "many-9911", "topik": "x", "password": SECRET})
    with pytest.raises(ConfigError) as raised:
        read(connector, ctx)
    assert str(raised.value) == (
        'kafka: config: "topik" is not known; did you mean "topic"?; '
        '"password" is a secret; give it as one; '
        '"partitions" must be a valid integer, unable to parse string as an integer'
    )


def test_a_validator_that_quotes_a_secret_is_masked():
    class Strict(BaseModel):
        password: SecretStr

        @field_validator("password")
        @classmethod
        def _long(cls, value):
            raise ValueError(f"{value.get_secret_value()} is too short")

    connector = plugin(config_schema=Strict)
    ctx = Connection("kafka", connector, environ={"KAFKA__PASSWORD": SECRET}).open("kafka")
    with pytest.raises(ConfigError) as raised:
        read(connector, ctx)
    assert str(raised.value) == 'kafka: config: "password" [secret:password] is too short'


def test_a_model_that_allows_more_gets_more():
    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")

    seen = []
    connector = plugin(
        config_schema=Open, read=lambda ctx: seen.append(ctx.config.anything) or iter(())
    )
    read(connector, opened(connector, config={"anything": "goes"}))
    assert seen == ["goes"]


def test_without_a_model_the_values_come_as_they_are():
    seen = []
    connector = plugin(config_schema=None, read=lambda ctx: seen.append(ctx.config) or iter(()))
    read(connector, opened(connector, config={"a": "1"}))
    assert seen == [{"a": "1"}]


@pytest.mark.parametrize(
    ("result", "check"),
    [
        ({"ok": True}, Check(ok=True)),
        ({"ok": False, "message": "no broker"}, Check(ok=False, message="no broker")),
        (None, Check(ok=True)),
        (False, Check(ok=False)),
        (Check(ok=True, message="2 brokers"), Check(ok=True, message="2 brokers")),
    ],
)
def test_the_connection_test_gets_the_config(result, check):
    seen = []
    connector = plugin(test_connection=lambda config: seen.append(config.topic) or result)
    assert connector.check(opened(connector)) == check
    assert seen == ["orders"]


def test_the_connection_test_may_take_the_secrets_too():
    connector = plugin(
        secrets=["apiKey"], test_connection=lambda _, secrets: secrets["apiKey"] == SECRET
    )
    assert connector.check(opened(connector, {"KAFKA__API_KEY": SECRET})).ok


def test_a_connection_test_that_raises_has_failed():
    def broken(config):
        raise OSError(f"cannot log in with {config.password.get_secret_value()}")

    connector = plugin(test_connection=broken)
    check = connector.check(opened(connector, {"KAFKA__PASSWORD": SECRET}))
    assert check == Check(
        ok=False, message="kafka: plugin: OSError: cannot log in with [secret:password]"
    )


def test_streams_are_names_mappings_or_a_function():
    fixed = plugin(streams=["orders", {"name": "refunds", "primaryKey": ["id"]}])
    assert [(one.name, one.primary_key) for one in fixed.streams()] == [
        ("orders", ()),
        ("refunds", ("id",)),
    ]
    listed = plugin(streams=lambda: ["a", "b"])
    assert [one.name for one in listed.streams()] == ["a", "b"]
    assert [one.name for one in plugin().streams()] == ["kafka"]


@pytest.mark.parametrize(
    ("given", "faults"),
    [
        ({"id": "No Good"}, "id: must be"),
        ({"streams": [{"name": "a", "primarykey": ["id"]}]}, "streams.a.primarykey: "),
        ({"streams": ["bad/name"]}, "streams.bad/name.name: must be"),
        ({"streams": ["a", "a"]}, "streams.a: is there twice"),
        ({"streams": []}, "streams: must not be empty"),
        ({"secrets": ["not a name"]}, "secrets.0: must be"),
    ],
)
def test_a_definition_that_cannot_be_is_refused_where_it_is_made(given, faults):
    with pytest.raises(SpecError) as raised:
        plugin(**given)
    assert str(raised.value).startswith(faults)


def test_staging_of_another_version_or_stream_is_another_fingerprint():
    stream, other = plugin(streams=["a", "b"]).streams()
    prints = {
        plugin().fingerprint(stream),
        plugin().fingerprint(other),
        plugin(version="2").fingerprint(stream),
    }
    assert len(prints) == 3
    assert plugin().fingerprint(stream) in prints
