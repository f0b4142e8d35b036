"""Clients of librdkafka as a connection describes them, and what brokers say in our words."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic.alias_generators import to_camel

from connector_assets.errors import AuthError, ConfigError, ConnectorError, RequestError
from connector_assets.plugins.kafka.config import KafkaConfig
from connector_assets.redact import Secrets

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError
    from confluent_kafka.admin import AdminClient

_GROUP = "connector-assets"
# One queue for all partitions: what waits in memory to be decoded.
_QUEUED_KIB = 32_768
# A load may take long between two polls; no group is joined that could throw us out.
_POLL_MS = 24 * 3600 * 1000
_SILENT = logging.getLogger(f"{__name__}.librdkafka")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False  # the errors come as such, and its lines may quote what is secret


def settings(config: KafkaConfig) -> dict[str, Any]:
    """What any client of the cluster is made with; it holds secrets."""
    made: dict[str, Any] = {
        "bootstrap.servers": ",".join(config.brokers),
        "security.protocol": ("SASL_" if config.sasl else "")
        + ("SSL" if config.tls else "PLAINTEXT"),
        "client.id": _GROUP,
        "ssl.ca.location": config.ca_file,
        "ssl.certificate.location": config.certificate_file,
        "ssl.key.location": config.key_file,
        "ssl.key.password": _plain(config.key_password),
        **_login(config),
        **config.client,
    }
    return {name: value for name, value in made.items() if value is not None}


def _require_files(config: KafkaConfig, where: str) -> None:
    """Raise ConfigError for a file that librdkafka would not name."""
    for name in ("ca_file", "certificate_file", "key_file"):
        path = getattr(config, name)
        if path is not None and not os.access(path, os.R_OK):
            what = f"{to_camel(name)}: {path} cannot be read"
            raise ConfigError(what, where=where, fix="name a PEM file that is there")


def _login(config: KafkaConfig) -> dict[str, Any]:
    if config.sasl is None:
        return {}
    if config.sasl != "OAUTHBEARER":
        return {
            "sasl.mechanism": config.sasl,
            "sasl.username": config.username,
            "sasl.password": _plain(config.password),
        }
    return {
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.token.endpoint.url": config.token_url,
        "sasl.oauthbearer.client.id": config.client_id,
        "sasl.oauthbearer.client.secret": _plain(config.client_secret),
        "sasl.oauthbearer.scope": config.scope,
    }


def _plain(secret: Any) -> str | None:
    return None if secret is None else str(secret.get_secret_value())


class Cluster:
    """The brokers of one connection: a client to ask, a consumer to read, and what went wrong."""

    def __init__(self, config: KafkaConfig, secrets: Secrets, *, where: str) -> None:
        self.config, self.where, self._secrets = config, where, secrets
        _require_files(config, where)
        self._settings = settings(config)
        self._admin: AdminClient | None = None
        self._troubles: dict[str, KafkaError] = {}

    @property
    def admin(self) -> AdminClient:
        """What asks brokers for topics and offsets."""
        if self._admin is None:
            from confluent_kafka.admin import AdminClient

            self._admin = self._made(AdminClient, {})
        return self._admin

    @contextmanager
    def consumer(self) -> Iterator[Consumer]:
        """A consumer that is assigned by hand, and closed in the end."""
        from confluent_kafka import Consumer

        own = {
            "queued.max.messages.kbytes": _QUEUED_KIB,
            **self.config.client,
            "group.id": self.config.group or _GROUP,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "isolation.level": self.config.isolation,
            "allow.auto.create.topics": False,
            "max.poll.interval.ms": _POLL_MS,
        }
        consumer = self._made(Consumer, own)
        try:
            yield consumer
        finally:
            consumer.close()

    def _made(self, kind: Any, own: dict[str, Any]) -> Any:
        from confluent_kafka import KafkaException

        given = {**self._settings, **own, "error_cb": self._trouble}
        try:
            return kind(given, logger=_SILENT)
        except KafkaException as error:
            text = self._secrets.mask(error.args[0].str())
            raise ConfigError(
                text, where=self.where, fix="see config and the files it names"
            ) from None

    def _trouble(self, error: KafkaError) -> None:
        self._troubles[error.name()] = error

    def answered(self) -> None:
        """Forget what went wrong before: brokers answer again."""
        self._troubles.clear()

    @property
    def is_refused(self) -> bool:
        """Whether brokers were reached and do not let us in: to wait longer will not help."""
        if self._admin is not None:
            self._admin.poll(0)  # its errors are told in there
        return any(self._troubles.keys() & {"_AUTHENTICATION", "_SSL"})

    def unreachable(self, what: str) -> ConnectorError:
        """Why brokers do not answer about `what`, as far as their connections tell."""
        if self._admin is not None:
            self._admin.poll(0)  # as above
        for name, explained in _TELLING.items():
            if name in self._troubles:
                return explained(self._text(self._troubles[name]), self._at)
        seen = self._troubles.get("_TRANSPORT")
        told = self._text(seen) if seen else "brokers close the connection, or say nothing"
        return RequestError(
            f"{what}: {told}", where=self._at, retryable=True, fix=self._how_to_connect
        )

    @property
    def _how_to_connect(self) -> str:
        """What is likely to be missing where a connection is closed."""
        wanted = [] if self.config.tls else ["TLS (tls)"]
        wanted += [] if self.config.sasl else ["a login (sasl)"]
        asked = f", and whether they expect {' or '.join(wanted)}" if wanted else ""
        return f"see brokers and their advertised listeners{asked}"

    @property
    def _at(self) -> str:
        return self.of(", ".join(self.config.brokers))

    def of(self, what: str) -> str:
        """What an error about `what` begins with."""
        return f"{self.where}: {what}" if self.where else what

    def _text(self, error: KafkaError) -> str:
        return self._secrets.mask(error.str())

    def result(self, future: Future[Any], what: str) -> Any:
        """What brokers answered about `what`; raises a ConnectorError."""
        from confluent_kafka import KafkaException

        try:
            found = future.result(self.config.timeout_s + 5)
        except KafkaException as error:
            self.fail(error.args[0], what)
        except TimeoutError:
            raise self.unreachable(what) from None
        self.answered()
        return found

    def fail(self, error: KafkaError, what: str) -> NoReturn:
        """Raise the error of a broker's answer about `what`, such as a topic."""
        raise self.explained(error, what) from None

    def explained(self, error: KafkaError, what: str) -> ConnectorError:
        """A broker's answer about `what` as our error."""
        name, where = error.name(), self.of(what)
        if name.endswith("AUTHORIZATION_FAILED"):
            right = "Describe and Read of the topic" if "TOPIC" in name else "what it says"
            return AuthError(
                self._text(error), where=where, part="permission", fix=f"grant the user {right}"
            )
        if name in _TELLING or name in _NO_ANSWER:
            return self.unreachable(what)
        if name in ("UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "UNKNOWN_TOPIC_ID"):
            return RequestError(
                "there is no such topic, or the user may not see it",
                where=where,
                status=404,
                fix="see its name, and grant Describe",
            )
        return RequestError(self._text(error), where=where, retryable=error.retriable())


def _no_login(text: str, where: str) -> ConnectorError:
    fix = "check sasl, the user and its secret"
    return AuthError(f"the login was refused: {text}", where=where, part="auth", fix=fix)


def _no_tls(text: str, where: str) -> ConnectorError:
    fix = "see tls, caFile and the host's name in its certificate"
    return RequestError(f"TLS failed: {text}", where=where, part="tls", fix=fix)


def _no_host(text: str, where: str) -> ConnectorError:
    return RequestError(
        f"the host is not found: {text}", where=where, part="dns", fix="see brokers"
    )


# The most telling first: one failed login is also a broken connection.
_TELLING = {
    "_AUTHENTICATION": _no_login,
    "SASL_AUTHENTICATION_FAILED": _no_login,
    "UNSUPPORTED_SASL_MECHANISM": _no_login,
    "_SSL": _no_tls,
    "_RESOLVE": _no_host,
}
_NO_ANSWER = frozenset({"_TRANSPORT", "_ALL_BROKERS_DOWN", "_TIMED_OUT", "REQUEST_TIMED_OUT"})
