"""What a connection says of its Kafka cluster and of the topics to read."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic.alias_generators import to_camel

FormatName = Literal["json", "avro", "protobuf", "text", "integer", "raw"]
Rows = Literal["message", "value"]
MaxLag = Annotated[int, Field(ge=0)]
_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
_OURS = frozenset(
    {
        "bootstrap.servers", "group.id", "enable.auto.commit", "enable.partition.eof",
        "auto.offset.reset", "isolation.level", "sasl.password", "ssl.key.password",
        "sasl.oauthbearer.client.secret", "allow.auto.create.topics",
    }
)  # fmt: skip


def _broker(value: str) -> str:
    host, colon, port = value.strip().rpartition(":")
    if not (host and colon and port.isdecimal()) or "/" in host or "@" in host:
        raise ValueError("must be host:port, such as kafka-1.example.com:9092")
    return value.strip()


def _topic(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("must be the name of a topic: letters, digits, dot, _ and -")
    return value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    return value


def _registry(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s@?#]+", value):
        raise ValueError("must be a URL without credentials, such as https://registry.example.com")
    return value.rstrip("/")


class _Part(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, hide_input_in_errors=True
    )


class TopicStream(_Part):
    """One stream: a topic, or all topics whose whole name fits a pattern."""

    topic: Annotated[str, AfterValidator(_topic)] | None = None
    """The topic, if it is not called like the stream."""
    pattern: Annotated[str, AfterValidator(_pattern)] | None = None
    """A regular expression of whole topic names, as `orders-.*`. All of them are in one table, and
    those that are made later too. Internal topics are left out.
    """
    key: FormatName | None = None
    """Format of its keys, instead of the connection's."""
    value: FormatName | None = None
    """Format of its values, instead of the connection's."""
    key_message: str | None = None
    """Of a `protobuf` key: the full name of its type in `descriptors`."""
    value_message: str | None = None
    """Of a `protobuf` value: the full name of its type in `descriptors`."""
    rows: Rows | None = None
    """What a row is, instead of what the connection says."""
    primary_key: tuple[str, ...] = ()
    """Columns by which messages are merged: the last message of a key is its row, and a tombstone
    (a message without a value) deletes it. Without it each message is appended as a row.
    """
    columns: dict[str, Any] = {}
    """Declared columns, as those of a stream in a spec: `{"value.amount": "decimal(18,4)"}`."""
    schema_policy: Literal["evolve", "freeze", "quarantine"] = "evolve"
    """As in a spec. With `quarantine` a message that cannot be decoded is set aside, too."""
    max_lag: MaxLag | None = None
    """Most messages that may be there and not loaded, instead of what the connection says."""
    description: str = ""
    """Shown with the asset."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.topic is not None and self.pattern is not None:
            raise ValueError('"pattern" is beside "topic"; give one of them')
        return self


class KafkaConfig(_Part):
    """What a connection of the connector `kafka` says in `config`; secrets stand beside it."""

    brokers: tuple[Annotated[str, AfterValidator(_broker)], ...] = Field(min_length=1)
    """Some brokers of the cluster, as `[kafka-1.example.com:9092]`; these name the others."""
    topics: dict[str, TopicStream | None] = {}
    """The streams by name, as `{orders: {value: avro}}`. Default: one for each topic that
    `connector-assets discover` found.
    """
    key: FormatName = "text"
    """Format of keys: json, avro, protobuf, text, integer (big-endian, as Java's serializers write
    it) or raw (base64).
    """
    value: FormatName = "json"
    """Format of values, as that of keys."""
    rows: Rows = "message"
    """What a row is: the `message`, with the columns topic, partition, offset, timestamp, key,
    value and headers; or the `value`, whose fields are the columns, beside _kafka_topic,
    _kafka_partition, _kafka_offset, _kafka_timestamp, _kafka_key and _kafka_headers.
    """
    registry: Annotated[str, AfterValidator(_registry)] | None = None
    """URL of a schema registry with Confluent's REST API, for `avro` and `protobuf`."""
    registry_username: str | None = None
    """User at the registry."""
    registry_password: SecretStr | None = None
    """Password or API secret at the registry."""
    schema_file: str | None = None
    """Of `avro` values that name no schema: the file (`.avsc`) they were written with."""
    descriptors: str | None = None
    """Of `protobuf` that names no schema: a file that `protoc --include_imports
    --descriptor_set_out` wrote.
    """
    tls: bool = False
    """Whether brokers are spoken to in TLS."""
    ca_file: str | None = None
    """Certificates that are trusted, in a PEM file, instead of the system's."""
    certificate_file: str | None = None
    """The client's own certificate, in a PEM file, where brokers ask for one."""
    key_file: str | None = None
    """The key of that certificate."""
    key_password: SecretStr | None = None
    """Password of that key."""
    sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    """How to log in: by username and password, or with a token from `tokenUrl`."""
    username: str | None = None
    """User of PLAIN and SCRAM."""
    password: SecretStr | None = None
    """Password of PLAIN and SCRAM; an API secret."""
    token_url: str | None = None
    """Of OAUTHBEARER: where tokens are asked for (OAuth 2 client credentials)."""
    client_id: str | None = None
    """Of OAUTHBEARER: the client's id."""
    client_secret: SecretStr | None = None
    """Of OAUTHBEARER: the client's secret."""
    scope: str | None = None
    """Of OAUTHBEARER: the scope to ask for."""
    start: Literal["earliest", "latest"] = "earliest"
    """Where the first run begins: with all that is there, or with what comes from then on."""
    when_gone: Literal["error", "earliest", "latest"] = "error"
    """What happens where the stored offset is no longer there, as messages were removed before they
    were read, or the topic was deleted and made anew: an error, or go on with the earliest or the
    latest that there is. The run then says that rows are missing.
    """
    isolation: Literal["read_committed", "read_uncommitted"] = "read_committed"
    """Whether messages of transactions that are open or were aborted are left out."""
    max_messages: Annotated[int, Field(ge=1)] | None = None
    """Most messages that one run takes, an equal share of each partition; the next run goes on."""
    max_lag: MaxLag | None = None
    """Most messages of a stream that may be there and not loaded: with more its asset check `lag`
    is red. It asks the cluster whenever it runs, after a load or alone. Streams with partitions
    have none. Default: no check.
    """
    group: str | None = None
    """The `group.id` that brokers see, for quotas and access rules. No group is joined and nothing
    is committed. Default: connector-assets.
    """
    timeout_s: Annotated[float, Field(gt=0)] = 60.0
    """Seconds without an answer after which brokers count as not reachable."""
    client: dict[str, str | int | float | bool] = {}
    """Further settings of librdkafka, as `{"client.rack": "eu-1a"}`."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self._logs_in()
        if ours := sorted(_OURS.intersection(self.client)):
            raise ValueError(f'"client.{ours[0]}" is set by the connector; leave it out')
        for name, stream in self.topics.items():
            for what in ("key", "value"):
                if missing := self._lacks_schema(getattr(stream, what, None), what, stream):
                    raise ValueError(f'"topics.{name}": its {what}s are {missing}')
        return self

    def _logs_in(self) -> None:
        wanted: tuple[str, ...] = ()
        if self.sasl == "OAUTHBEARER":
            wanted = ("token_url", "client_id", "client_secret")
        elif self.sasl:
            wanted = ("username", "password")
        for name in wanted:
            if getattr(self, name) is None:
                raise ValueError(f'"{to_camel(name)}" is required with sasl {self.sasl}')
        if self.sasl is None and (self.password or self.client_secret):
            raise ValueError('"sasl" is required with a password or a client secret')

    def _lacks_schema(self, own: str | None, what: str, stream: TopicStream | None) -> str:
        """What an encoding that needs a schema has none of."""
        chosen = own or getattr(self, what)
        if chosen == "avro" and not (self.registry or (what == "value" and self.schema_file)):
            return "avro, which needs a registry, or schemaFile for values"
        if chosen == "protobuf" and not self.registry:
            if self.descriptors and getattr(stream, f"{what}_message", None):
                return ""
            return f"protobuf, which needs a registry, or descriptors and {what}Message"
        return ""

    def format_of(self, stream: TopicStream, what: Literal["key", "value"]) -> FormatName:
        """The format of the keys or values of `stream`."""
        own: FormatName | None = getattr(stream, what)
        return own or (self.key if what == "key" else self.value)

    def rows_of(self, stream: TopicStream) -> Rows:
        """What a row of `stream` is."""
        return stream.rows or self.rows
