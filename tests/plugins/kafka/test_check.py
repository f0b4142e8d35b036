"""`check` says which part keeps a topic from being read: host, TLS, login, permission, topic.

Logins and TLS are answered by a gate of our own before a real broker (see `gate`); what a cluster
refuses is said by librdkafka's mock cluster.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from base64 import b64encode
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
import trustme

from connector_assets.errors import AuthError, ConfigError, RequestError
from connector_assets.plugins.kafka.check import check
from connector_assets.plugins.kafka.config import KafkaConfig
from connector_assets.redact import Secrets
from connector_assets.runtime.answers.diagnosis import part_of
from tests.plugins.kafka.brokers import Broker, free_port, mock, tansu
from tests.plugins.kafka.gate import Gate, gated
from tests.plugins.kafka.schema_registry import registry

PASSWORD = "pw-reader-1"
LOGIN = {"username": "reader", "password": PASSWORD}


def checked(address, secrets=None, **given):
    told = {"brokers": [address], "topics": {"orders": {}}, "timeoutS": 30, **given}
    return check(KafkaConfig.model_validate(told), Secrets(secrets or {}))


def refused(kind, address, patience=10, **given):
    """What failed, and what was said. A login or TLS that is refused takes no patience."""
    with pytest.raises(kind) as wrong:
        checked(address, {"password": PASSWORD}, timeoutS=patience, **given)
    assert PASSWORD not in str(wrong.value)
    return part_of(wrong.value), str(wrong.value)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate authority: its file, and what a server of its shows."""
    found = trustme.CA()
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    found.cert_pem.write_to_path(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.issue_cert("localhost").configure_cert(context)
    return str(path), context


@contextmanager
def guarded(gate, tls=None, **settings):
    """The address of a broker behind `gate`, which has the topic `orders`."""
    port = free_port()
    with (
        tansu(f"localhost:{port}") as broker,
        gated(gate, lambda: broker.address, port=port, tls=tls) as at,
    ):
        protocol = ("SASL_" if gate.mechanism else "") + ("SSL" if tls else "PLAINTEXT")
        inside = Broker(at, {"security.protocol": protocol, **settings})
        inside.wait()
        inside.topic("orders")
        yield at


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_login_is_made_and_a_wrong_one_said_to_be_wrong(mechanism):
    gate = Gate(mechanism)
    own = {"sasl.mechanism": mechanism, "sasl.username": "reader", "sasl.password": PASSWORD}
    with guarded(gate, **own) as at:
        assert checked(at, sasl=mechanism, **LOGIN).message == "1 topic: orders"
        part, text = refused(AuthError, at, sasl=mechanism, **{**LOGIN, "username": "other"})
        assert (part, "the login was refused" in text) == ("auth", True)


def test_tls_is_checked_and_what_is_missing_is_named(authority):
    ca, context = authority
    with guarded(Gate(), context, **{"ssl.ca.location": ca}) as at:
        assert checked(at, tls=True, caFile=ca).ok
        assert refused(RequestError, at, tls=True)[0] == "tls"
        by_number = at.replace("localhost", "127.0.0.1")  # the certificate is not of that name
        assert refused(RequestError, by_number, tls=True, caFile=ca)[0] == "tls"
        part, text = refused(RequestError, at, patience=3)
        assert (part, "TLS (tls)" in text) == ("connection", True)


def test_a_login_in_tls_that_is_missing_or_of_another_kind(authority):
    ca, context = authority
    tls = {"tls": True, "caFile": ca}
    own = {
        "sasl.mechanism": "PLAIN",
        "sasl.username": "reader",
        "sasl.password": PASSWORD,
        "ssl.ca.location": ca,
    }
    gate = Gate("PLAIN")
    with guarded(gate, context, **own) as at:
        before = gate.let_in
        assert checked(at, sasl="PLAIN", **LOGIN, **tls).ok
        assert gate.let_in > before
        part, text = refused(RequestError, at, patience=3, **tls)
        assert (part, "a login (sasl)" in text) == ("connection", True)
        part, text = refused(AuthError, at, sasl="SCRAM-SHA-256", **LOGIN, **tls)
        assert (part, "supported mechanisms: PLAIN" in text) == ("auth", True)


@contextmanager
def token_server(gate):
    """An OAuth 2 server that knows one client; the gate takes its tokens."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            known = "Basic " + b64encode(b"client:s3cret-44").decode()
            is_known = self.headers["authorization"] == known
            claims = {"sub": "client", "iat": int(time.time()), "exp": int(time.time()) + 300}
            token = jwt.encode(claims, "k" * 32, "HS256")
            gate.tokens.append(token)
            told = {"access_token": token, "token_type": "Bearer", "expires_in": 300}
            body = json.dumps(told if is_known else {"error": "invalid_client"}).encode()
            self.send_response(200 if is_known else 401)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/token"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_token_is_asked_for_and_shown(tmp_path):
    gate, port = Gate("OAUTHBEARER"), free_port()
    with (
        tansu(f"localhost:{port}") as broker,
        gated(gate, lambda: broker.address, port=port) as at,
        token_server(gate) as url,
    ):
        login = {"sasl": "OAUTHBEARER", "tokenUrl": url, "clientId": "client", "topics": {}}
        assert checked(at, clientSecret="s3cret-44", scope="kafka", **login).ok
        assert gate.let_in
        with pytest.raises(AuthError, match="invalid_client") as wrong:
            checked(at, clientSecret="wrong-55", **login)
        assert "wrong-55" not in str(wrong.value)


def test_a_cluster_that_refuses_a_topic(tmp_path):
    with mock() as cluster:
        cluster.tell("topic", "orders", 2)
        assert checked(cluster.address).message == "1 topic: orders"
        cluster.tell("topic_error", "orders", "TOPIC_AUTHORIZATION_FAILED")
        part, text = refused(AuthError, cluster.address)
        assert part == "permission"
        assert text.startswith("orders: ")
        assert "grant the user Describe and Read of the topic" in text


@pytest.mark.parametrize(
    ("code", "kind", "part", "says"),
    [
        (29, AuthError, "permission", "grant the user Describe and Read of the topic"),
        (56, RequestError, "connection", "orders"),  # KAFKA_STORAGE_ERROR, which may pass
    ],
)
def test_a_topic_that_may_be_described_and_not_read(code, kind, part, says):
    """The gate answers what asks for messages; all else is the broker's."""
    with guarded(Gate(fetch_error=code)) as at:
        found, text = refused(kind, at, patience=2)
        assert (found, says in text) == (part, True), text


def test_hosts_that_are_not_there(broker):
    part, text = refused(RequestError, "no-such-host.invalid:9092", patience=3)
    assert (part, text.startswith("no-such-host.invalid:9092: the host is not found")) == (
        "dns",
        True,
    )
    part, text = refused(RequestError, f"127.0.0.1:{free_port()}", patience=3)
    assert (part, "Connection refused" in text) == ("connection", True)


def test_a_topic_that_is_not_there_names_those_that_are(broker):
    broker.topic("known")
    part, text = refused(RequestError, broker.address)
    assert part == "path"
    assert 'there is no topic "orders"' in text
    assert "known" in text


def test_files_of_the_connection_that_are_not_there(broker, tmp_path):
    part, text = refused(ConfigError, broker.address, tls=True, caFile=str(tmp_path / "none.pem"))
    assert part == "config"
    assert "none.pem" in text


def test_the_registry_is_asked_too(broker):
    broker.topic("checked")
    with registry(user="me:secret-77") as fake:
        told = {"topics": {"checked": {}}, "registry": fake.url, "registryUsername": "me"}
        assert checked(broker.address, registryPassword="secret-77", **told).ok
        with pytest.raises(AuthError, match="401; check registryUsername"):
            checked(broker.address, registryPassword="wrong", **told)
