"""Keys and values of every format become JSON as they are, or a reason why they cannot."""

from __future__ import annotations

import datetime as dt
import json
from base64 import b64encode
from decimal import Decimal
from io import BytesIO
from typing import Any

import fastavro
import pytest
from google.protobuf import descriptor_pb2, timestamp_pb2, wrappers_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from connector_assets.errors import AuthError, ConfigError, RequestError, ResponseError
from connector_assets.plugins.kafka.config import KafkaConfig, TopicStream
from connector_assets.plugins.kafka.formats import Bad, Integer, Json, Raw, Text, texts
from connector_assets.plugins.kafka.formats_of import format_of
from connector_assets.plugins.kafka.registry import Registry
from tests.plugins.kafka.schema_registry import framed, registry

ORDER = {
    "type": "record",
    "name": "shop.Order",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "note", "type": ["null", "string"]},
        {"name": "data", "type": "bytes"},
        {"name": "ratio", "type": "double"},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}},
        {"name": "tags", "type": {"type": "map", "values": "int"}},
    ],
}  # fmt: skip
VALUE: dict[str, Any] = {
    "id": 2**60,
    "price": Decimal("12.50"),
    "at": dt.datetime(2026, 1, 2, 3, 4, 5, 678000, dt.UTC),
    "day": dt.date(2026, 1, 2),
    "note": None,
    "data": b"\xff\x00",
    "ratio": 0.1,
    "state": "PAID",
    "tags": {"a": 1},
}
PLAIN = {
    **VALUE,
    "price": "12.50",
    "at": "2026-01-02T03:04:05.678000Z",
    "day": "2026-01-02",
    "data": "/wA=",
}


def avro(schema: Any, value: Any) -> bytes:
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def made(url: str = "", stream: dict[str, Any] | None = None, **config: Any) -> Any:
    """The format of values, as a connection would choose it."""
    told = {"brokers": ["a:1"], **({"registry": url} if url else {}), **config}
    model = KafkaConfig.model_validate(told)
    chosen = TopicStream.model_validate(stream or {})
    return format_of(model, chosen, "value", Registry(model, where="shop.orders"))


def text(written: Any, data: bytes) -> Any:
    (found,) = texts(written, [data])
    return found if isinstance(found, Bad) else json.loads(found)


@pytest.mark.parametrize(
    ("written", "data", "expected"),
    [
        (Json(), b'{"a": 1.10}', b'{"a": 1.10}'),
        (Json(), b'\n{"a":\r\n [1,\n2]}', b'{"a":[1,2]}'),
        (Json(), framed(7, b'{"a":1}'), b'{"a":1}'),
        (Json(), b"12345678901234567890123", b"12345678901234567890123"),
        (Json(), None, b"null"),
        (Text(), 'h"é\n'.encode(), '"h\\"é\\n"'.encode()),
        (Text(), b"", b'""'),
        (Raw(), b"\0\xff", b'"AP8="'),
        (Integer(), (-5).to_bytes(8, "big", signed=True), b"-5"),
        (Integer(), (2**63 - 1).to_bytes(8, "big"), b"9223372036854775807"),
        (Integer(), b"\0\0\0\x07", b"7"),
    ],
)
def test_a_value_is_written_as_it_is(written, data, expected):
    assert texts(written, [data]) == [expected]


@pytest.mark.parametrize(
    ("written", "data", "reason"),
    [
        (Json(), b"{", "is not JSON"),
        (Json(), b"", "is not JSON"),
        (Json(), b"NaN", "is not JSON"),
        (Json(), b'"\xff"', "is not UTF-8"),
        (Text(), b"\xff", "is not UTF-8"),
        (Integer(), b"abc", "has 3 bytes"),
    ],
)
def test_what_is_not_of_its_format_says_so_and_the_others_stand(written, data, reason):
    good = b"\0\0\0\x01" if isinstance(written, Integer) else b"1"
    found = texts(written, [good, data, good])
    assert isinstance(found[1], Bad)
    assert reason in found[1].reason
    assert not isinstance(found[0], Bad)
    assert found[0] == found[2]


@pytest.mark.parametrize(
    "values",
    [
        [b"1\n2", b""],  # as many lines as messages
        [b'{"a":', b"1}"],
        [b"1 2", b"3"],
        [b'"\xc3', b'\xa9"'],
    ],
)
def test_messages_never_share_what_only_together_is_json(values):
    assert any(isinstance(one, Bad) for one in texts(Json(), values))


def test_avro_is_decoded_by_the_schema_that_each_message_names():
    with registry() as fake:
        first = fake.put(json.dumps(ORDER))
        wider = {**ORDER, "fields": [*ORDER["fields"], {"name": "more", "type": "int"}]}
        second = fake.put(json.dumps(wider))
        written = made(fake.url, value="avro")
        bodies = [
            framed(first, avro(ORDER, VALUE)),
            framed(second, avro(wider, {**VALUE, "more": 3})),
        ]
        found = [json.loads(one) for one in texts(written, bodies * 3)]
        assert found == [PLAIN, {**PLAIN, "more": 3}] * 3
        assert fake.asked == ["/schemas/ids/1", "/schemas/ids/2"]


def test_avro_imports_other_schemas():
    with registry() as fake:
        money = {
            "type": "record",
            "name": "shop.Money",
            "fields": [{"name": "cents", "type": "int"}],
        }
        price = {
            "type": "record",
            "name": "shop.Price",
            "fields": [{"name": "net", "type": "shop.Money"}],
        }
        fake.put(json.dumps(money), subject="money")
        reference = {"name": "shop.Money", "subject": "money", "version": 1}
        fake.put(json.dumps(price), references=[reference], subject="a/price")
        line = {
            "type": "record",
            "name": "shop.Line",
            "fields": [{"name": "price", "type": "shop.Price"}],
        }
        id_ = fake.put(
            json.dumps(line),
            references=[{"name": "shop.Price", "subject": "a/price", "version": 1}],
        )
        # long 7, as zigzag
        assert text(made(fake.url, value="avro"), framed(id_, b"\x0e")) == {
            "price": {"net": {"cents": 7}}
        }


def test_avro_without_a_registry_has_its_schema_in_a_file(tmp_path):
    (tmp_path / "order.avsc").write_text(json.dumps(ORDER))
    written = made(value="avro", schemaFile=str(tmp_path / "order.avsc"))
    assert text(written, avro(ORDER, VALUE)) == PLAIN


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\x0e", "names no schema"),
        (framed(1, b""), "is not of its schema"),
        (framed(1, avro(ORDER, VALUE) + b"x"), "1 bytes more"),
        (framed(1, avro(ORDER, {**VALUE, "ratio": float("nan")})), "cannot be written as JSON"),
    ],
)
def test_avro_that_is_none_says_so(body, reason):
    with registry() as fake:
        fake.put(json.dumps(ORDER))
        found = text(made(fake.url, value="avro"), body)
        assert isinstance(found, Bad)
        assert reason in found.reason


def test_a_registry_says_what_is_wrong():
    with registry(user="me:secret-77") as fake:
        id_ = fake.put(json.dumps(ORDER))
        body = framed(id_, avro(ORDER, VALUE))
        login = {"value": "avro", "registryUsername": "me"}
        with pytest.raises(AuthError, match="check registryUsername") as refused:
            text(made(fake.url, registryPassword="wrong-88", **login), body)
        assert "wrong-88" not in str(refused.value)
        written = made(fake.url, registryPassword="secret-77", **login)
        assert text(written, body) == PLAIN
        with pytest.raises(RequestError, match=r"GET http.*/schemas/ids/9: 404"):
            text(written, framed(9, b"x"))
        fake.put("message A {}", "PROTOBUF")
        with pytest.raises(ResponseError, match="schema 2 is PROTOBUF"):
            text(written, framed(2, b"x"))
    with pytest.raises(RequestError, match="is not reachable"):
        text(written, framed(3, b"x"))


def test_a_schema_file_that_cannot_be_used_says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"schemaFile .*cannot be read"):
        made(value="avro", schemaFile=str(tmp_path / "none.avsc"))
    (tmp_path / "bad.avsc").write_text("{}")
    with pytest.raises(ResponseError, match="is no Avro schema"):
        made(value="avro", schemaFile=str(tmp_path / "bad.avsc"))


def proto(**more: Any) -> descriptor_pb2.FileDescriptorProto:
    """What protoc makes of a file with nested, repeated, optional and well-known fields."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="order.proto", package="shop", syntax="proto3")
    file.dependency.extend(["google/protobuf/timestamp.proto", "google/protobuf/wrappers.proto"])
    file.enum_type.add(name="State").value.add(name="NEW", number=0)
    file.enum_type[0].value.add(name="PAID", number=1)
    file.message_type.add(name="Other")
    order = file.message_type.add(name="Order")
    fields = [
        ("id", kinds.TYPE_INT64, kinds.LABEL_OPTIONAL, ""),
        ("state", kinds.TYPE_ENUM, kinds.LABEL_OPTIONAL, ".shop.State"),
        ("data", kinds.TYPE_BYTES, kinds.LABEL_OPTIONAL, ""),
        ("at", kinds.TYPE_MESSAGE, kinds.LABEL_OPTIONAL, ".google.protobuf.Timestamp"),
        ("count", kinds.TYPE_MESSAGE, kinds.LABEL_OPTIONAL, ".google.protobuf.Int64Value"),
        ("children", kinds.TYPE_MESSAGE, kinds.LABEL_REPEATED, ".shop.Order"),
        ("names", kinds.TYPE_STRING, kinds.LABEL_REPEATED, ""),
        ("prices", kinds.TYPE_MESSAGE, kinds.LABEL_REPEATED, ".shop.Order.PricesEntry"),
    ]
    for number, (name, type_, label, of) in enumerate(fields, 1):
        order.field.add(name=name, number=number, type=type_, label=label, type_name=of or None)
    entry = order.nested_type.add(name="PricesEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=kinds.TYPE_STRING, label=kinds.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=kinds.TYPE_DOUBLE, label=kinds.LABEL_OPTIONAL)
    for name, value in more.items():
        setattr(file, name, value)
    return file


def order(**fields: Any) -> Any:
    pool = DescriptorPool()
    for file in (timestamp_pb2, wrappers_pb2):
        found = descriptor_pb2.FileDescriptorProto()
        file.DESCRIPTOR.CopyToProto(found)
        pool.Add(found)
    pool.Add(proto())
    return GetMessageClass(pool.FindMessageTypeByName("shop.Order"))(**fields)


ABSENT = {"id": 0, "state": "NEW", "data": "", "at": None, "count": None, "children": [],
          "names": [], "prices": {}}  # fmt: skip
FULL = {
    **ABSENT,
    "id": 2**60,
    "state": "PAID",
    "data": "/w==",
    "at": "1970-01-01T00:00:05Z",
    "count": 2**61,
    "children": [{**ABSENT, "names": ["x"]}],
    "prices": {"eu": 0.1},
}


def full() -> bytes:
    made = order(id=2**60, state=1, data=b"\xff", prices={"eu": 0.1})
    made.at.seconds = 5
    made.count.value = 2**61
    made.children.add(names=["x"])
    return made.SerializeToString()


def serialized(file: descriptor_pb2.FileDescriptorProto) -> str:
    return b64encode(file.SerializeToString()).decode()


def test_protobuf_is_decoded_by_the_descriptor_in_the_registry():
    with registry() as fake:
        id_ = fake.put(serialized(proto()), "PROTOBUF")
        written = made(fake.url, value="protobuf")
        # The second type of the file: one index, zigzag 1.
        assert text(written, framed(id_, b"\x02\x02" + full())) == FULL
        assert text(written, framed(id_, b"\0")) == {}  # of the first type
        assert fake.asked == ["/schemas/ids/1?format=serialized"]


def test_protobuf_imports_other_files():
    with registry() as fake:
        fake.put(serialized(proto()), "PROTOBUF", subject="orders")
        basket = descriptor_pb2.FileDescriptorProto(name="default", package="shop", syntax="proto3")
        basket.dependency.append("shop/order.proto")
        kinds = descriptor_pb2.FieldDescriptorProto
        basket.message_type.add(name="Basket").field.add(
            name="order",
            number=1,
            type=kinds.TYPE_MESSAGE,
            label=kinds.LABEL_OPTIONAL,
            type_name=".shop.Order",
        )
        reference = {"name": "shop/order.proto", "subject": "orders", "version": 1}
        id_ = fake.put(serialized(basket), "PROTOBUF", [reference])
        inner = order(id=3).SerializeToString()
        body = framed(id_, b"\0\x0a" + bytes([len(inner)]) + inner)
        assert text(made(fake.url, value="protobuf"), body) == {"order": {**ABSENT, "id": 3}}


def test_protobuf_of_a_descriptor_file_with_and_without_a_frame(tmp_path):
    files = descriptor_pb2.FileDescriptorSet(file=[proto()])
    (tmp_path / "shop.desc").write_bytes(files.SerializeToString())
    told = {"value": "protobuf", "descriptors": str(tmp_path / "shop.desc")}
    stream = {"valueMessage": "shop.Order"}
    assert text(made(stream=stream, **told), full()) == FULL
    framed_too = made("http://127.0.0.1:1", stream=stream, **told)
    assert text(framed_too, framed(1, b"\x02\x02" + full())) == FULL
    with pytest.raises(ConfigError, match=r'has no message "shop.No"'):
        made(stream={"valueMessage": "shop.No"}, **told)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\x02", "names no schema"),
        (framed(1, b""), "ends before"),
        (framed(1, b"\x02\x09"), "names a type that"),
        (framed(1, b"\x02\x02\x08"), "is no shop.Order"),
        (
            framed(1, b"\x02\x02" + order(prices={"a": float("nan")}).SerializeToString()),
            "is no JSON|as JSON",
        ),
    ],
)
def test_protobuf_that_is_none_says_so(body, reason):
    with registry() as fake:
        fake.put(serialized(proto()), "PROTOBUF")
        found = text(made(fake.url, value="protobuf"), body)
        assert isinstance(found, Bad)
        assert any(one in found.reason for one in reason.split("|"))


def test_a_registry_that_gives_protobuf_as_text_says_what_to_do():
    with registry() as fake:
        fake.put('syntax = "proto3"; message A {}', "PROTOBUF")
        with pytest.raises(ResponseError, match="give the types in descriptors"):
            text(made(fake.url, value="protobuf"), framed(1, b"\0"))
