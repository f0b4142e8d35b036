"""Plugins that are wrong, each in its own way: one clear fault, where it is and what to do."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from connector_assets.errors import ConnectorError, ResponseError
from connector_assets.plugins.define import define_connector
from connector_assets.testing import PluginBench


class Config(BaseModel):
    n: int = 1


class Needs:
    def __init__(self, more):
        self.more = more

    def read(self, ctx):
        yield {}


def fails(ctx):
    yield {"n": 1}
    raise KeyError("topic")


def never(ctx):
    return 7


def late(ctx):
    yield {"n": 1}
    yield "text"


def stops(ctx):
    yield {"n": 1}
    next(iter(()))


def exits(ctx):
    yield {"n": 1}
    raise SystemExit("no topic")  # as a library's own command line does


DEFINITIONS = [
    ({"id": "Kafka!"}, "id: must be"),
    ({"id": 7}, "id: "),
    ({"read": "rows"}, "read: is a str; give a function"),
    ({"config_schema": dict}, "config_schema: must be a class made of pydantic.BaseModel"),
    ({"config_schema": Config()}, "config_schema: must be a class made of pydantic.BaseModel"),
    ({"secrets": "apiKey"}, "secrets: is a text; give a list of names"),
    ({"streams": "orders"}, "streams: is a str; give a list of streams"),
    ({"streams": [7]}, "streams.0: is a int; give its name, or a dict with name"),
    ({"streams": [{}]}, "streams.0.name: is required"),
    ({"streams": [{"name": "a", "writeMode": "upsert"}]}, "streams.a.writeMode: "),
    (
        {
            "streams": [
                {
                    "name": "a",
                    "deletedWhen": "{{ record.x }}",
                    "primaryKey": ["id"],
                    "writeMode": "merge",
                }
            ]
        },
        "streams.a.deletedWhen: is for connectors in YAML; yield ctx.deleted(row)",
    ),
    (
        {"streams": [{"name": "a", "fields": {"remove": ["x"]}}]},
        "streams.a.fields: is for connectors in YAML; do it in read",
    ),
    ({"http": {"baseUrl": "https://x.example"}}, "http.baseUrl: is not known; use one of auth"),
    ({"test_connection": True}, "test_connection: is a bool; give a function"),
]  # fmt: skip - a table
READS = [
    (fails, "own.own: plugin: KeyError: 'topic'"),
    (exits, "own.own: plugin: SystemExit: no topic"),
    (never, "own.own: read returned a int, and no rows; yield dicts"),
    (late, "own.own: a row is of type str; yield dicts"),
    (stops, "own.own: plugin: RuntimeError: generator raised StopIteration"),
    (lambda ctx: [{"n": float("nan")}], "row 1 of a batch cannot be written as JSON"),
    (lambda ctx: [{"n": object()}], "row 1 of a batch cannot be written as JSON"),
    (lambda ctx: [b"not json"], "row 1 is not JSON"),
    (lambda ctx: [b"[1]"], "row 1 is not an object"),
    (lambda ctx: [ctx.checkpoint(None)], "a checkpoint is None; give it a value"),
    (lambda ctx: [ctx.spec_rows()], "a plugin has no spec that gives rows"),
    (lambda ctx: [{"n": ctx.confg}], "AttributeError: 'PluginContext' object has no attribute"),
]


@pytest.mark.parametrize(("given", "fault"), DEFINITIONS)
def test_a_definition_that_is_wrong_is_told_where_it_is_made(given, fault):
    with pytest.raises(ConnectorError) as raised:
        define_connector(**{"id": "own", "display_name": "Own", "read": fails, **given})
    assert str(raised.value).startswith(fault)


@pytest.mark.parametrize(("read", "fault"), READS)
def test_a_read_that_is_wrong_is_one_line_and_leaves_no_table(tmp_path, read, fault):
    bench = PluginBench(define_connector(id="own", display_name="Own", read=read), tmp_path)
    with pytest.raises(ConnectorError) as raised:
        bench.load("own")
    assert fault in str(raised.value)
    assert "\n" not in str(raised.value)
    assert bench.rows("own") == []


@pytest.mark.parametrize("kind", [ConnectorError, ResponseError, ValueError])
def test_a_secret_in_an_error_of_a_plugins_is_masked(tmp_path, kind):
    def read(ctx):
        yield {"n": 1}
        raise kind(f"refused {ctx.secrets['key']}")

    plugin = define_connector(id="own", display_name="Own", read=read, secrets=["key"])
    bench = PluginBench(plugin, tmp_path, secrets={"key": "k-77-secret"})
    with pytest.raises(ConnectorError, match=r"own\.own: .*refused \[secret:key\]") as raised:
        bench.load("own")
    assert "k-77" not in str(raised.value)


@pytest.mark.parametrize(
    ("decorated", "fault"),
    [
        (Needs, "Needs: "),
        (type("Reads", (), {"reed": fails}), "Reads: has no method read(ctx)"),
        (fails, "read: is not given, so that this decorates a class, and this is none"),
    ],
)
def test_a_class_that_is_wrong_is_told_by_name(decorated, fault):
    with pytest.raises(ConnectorError) as raised:
        define_connector(id="own", display_name="Own")(decorated)
    assert str(raised.value).startswith(fault)


def test_a_decorated_class_is_a_connector(tmp_path):
    @define_connector(id="own", display_name="Own", config_schema=Config)
    class Own:
        def streams(self):
            return ["a", "b"]

        def read(self, ctx):
            yield {"of": ctx.stream.name, "n": ctx.config.n}

        def test_connection(self, config):
            return config.n == 1

    bench = PluginBench(Own, tmp_path)
    bench.load("b")
    assert bench.rows("b") == [{"of": "b", "n": 1}]
    assert bench.check().ok
