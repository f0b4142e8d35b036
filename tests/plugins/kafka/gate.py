"""A gate before a broker: it ends TLS and asks for a login (SASL) as brokers do, then passes bytes on.

No broker in a package asks for logins that librdkafka can give, so this part of the wire is ours:
https://kafka.apache.org/protocol (SaslHandshake, SaslAuthenticate), RFC 5802 (SCRAM), RFC 7628
(OAUTHBEARER). What is behind it is a real broker, which tells clients to come to the gate.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_FETCH, _HANDSHAKE, _AUTHENTICATE, _API_VERSIONS = 1, 17, 36, 18
# In the list of requests that a broker knows: those for messages, from version 0 to the last one.
_FETCH_VERSIONS = re.compile(rb"(\x00\x01\x00\x00\x00).(\x00)", re.DOTALL)
_UNSUPPORTED, _REFUSED = 33, 58
_HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
Login = Generator[bytes, bytes, bool]
"""Is sent what the client says, yields what to answer, returns whether it is let in."""


@dataclass
class Gate:
    """Who is let in, and how often somebody was; `cut` ends all connections, as a network does."""

    mechanism: str | None = None
    user: str = "reader"
    password: str = "pw-reader-1"
    tokens: list[str] = field(default_factory=list)
    let_in: int = 0
    is_shut: bool = False
    fetch_error: int = 0
    """What who asks for messages is told, as a code, by a broker that says it is an older one."""
    opened: list[socket.socket] = field(default_factory=list)

    def cut(self) -> None:
        for one in self.opened:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def login(self, mechanism: str) -> Login:
        if mechanism == "PLAIN":
            return self._plain()
        return self._bearer() if mechanism == "OAUTHBEARER" else self._scram(_HASHES[mechanism])

    def _plain(self) -> Login:
        said = yield b""
        is_ok = said.split(b"\0")[1:] == [self.user.encode(), self.password.encode()]
        yield b""
        return is_ok

    def _bearer(self) -> Login:
        said = yield b""
        token = said.split(b"auth=Bearer ")[1].split(b"\x01")[0].decode()
        yield b""
        return token in self.tokens

    def _scram(self, algorithm: str) -> Login:
        first = (yield b"").split(b",", 2)[2]
        fields = dict(part.split(b"=", 1) for part in first.split(b","))
        salt = os.urandom(16)
        nonce = fields[b"r"] + base64.b64encode(os.urandom(12))
        answer = b"r=%b,s=%b,i=4096" % (nonce, base64.b64encode(salt))
        last = yield answer
        bare, _, proof = last.rpartition(b",p=")
        salted = hashlib.pbkdf2_hmac(algorithm, self.password.encode(), salt, 4096)

        def signed(key: bytes, text: bytes) -> bytes:
            return hmac.new(key, text, algorithm).digest()

        said = b",".join((first, answer, bare))
        client_key = signed(salted, b"Client Key")
        stored = hashlib.new(algorithm, client_key).digest()
        shown = bytes(a ^ b for a, b in zip(client_key, signed(stored, said), strict=True))
        server = signed(signed(salted, b"Server Key"), said)
        yield b"v=" + base64.b64encode(server)
        return fields[b"n"] == self.user.encode() and base64.b64decode(proof) == shown


def _frame(stream: socket.socket) -> bytes:
    size = struct.unpack(">i", _exactly(stream, 4))[0]
    return _exactly(stream, size)


def _exactly(stream: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        if not (more := stream.recv(size - len(found))):
            raise ConnectionError
        found += more
    return found


def _send(stream: socket.socket, body: bytes) -> None:
    stream.sendall(struct.pack(">i", len(body)) + body)


def _let_in(gate: Gate, client: socket.socket, broker: socket.socket) -> None:
    """Answer the login, and pass on what may be asked before."""
    login: Login | None = None
    while True:
        frame = _frame(client)
        key, version, correlation = struct.unpack(">hhi", frame[:8])
        if key == _API_VERSIONS:
            _send(broker, frame)
            _send(client, _frame(broker))
            continue
        size = struct.unpack(">h", frame[8:10])[0]
        body, head = frame[10 + max(size, 0) :], struct.pack(">i", correlation)
        if key == _HANDSHAKE:
            asked = body[2:].decode()
            known = (gate.mechanism or "").encode()
            error = 0 if asked == gate.mechanism else _UNSUPPORTED
            _send(client, head + struct.pack(">hih", error, 1, len(known)) + known)
            login = gate.login(asked) if not error else None
            if login:
                next(login)
            continue
        if key != _AUTHENTICATE or login is None:
            raise ConnectionError  # a broker ends the connection of who does not log in
        answer, is_over = _step(login, body[4:])
        error = _REFUSED if is_over is False else 0
        told = b"who are you?" if error else b""
        text = struct.pack(">h", len(told)) + told if told else struct.pack(">h", -1)
        end = struct.pack(">q", 0) if version else b""
        _send(client, head + struct.pack(">h", error) + text + _bytes(answer) + end)
        if error:
            raise ConnectionError
        if is_over:
            gate.let_in += 1
            return


def _step(login: Login, said: bytes) -> tuple[bytes, bool | None]:
    """What to answer, and whether the client is let in, None where it is to say more."""
    answer = login.send(said)
    if answer.startswith(b"r="):
        return answer, None
    try:
        next(login)
    except StopIteration as ended:
        return answer, ended.value
    raise AssertionError


def _bytes(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


@contextmanager
def gated(
    gate: Gate, broker: Callable[[], str], *, port: int, tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """The address of the gate at `port`, before the broker whose address `broker()` gives."""
    listening = socket.create_server(("127.0.0.1", port))

    def serve(raw: socket.socket) -> None:
        with suppress(OSError, ConnectionError):
            client = tls.wrap_socket(raw, server_side=True) if tls else raw
            host, _, number = broker().rpartition(":")
            behind = socket.create_connection((host, int(number)))
            gate.opened.extend((client, behind))
            try:
                if gate.mechanism:
                    _let_in(gate, client, behind)
                if gate.fetch_error:
                    _answer_fetches(gate.fetch_error, client, behind)
                    return
                threading.Thread(target=_pass_on, args=(behind, client), daemon=True).start()
                _pass_on(client, behind)
            finally:
                client.close()
                behind.close()

    def accept() -> None:
        with suppress(OSError):
            while True:
                raw, _ = listening.accept()
                if gate.is_shut:
                    raw.close()
                    continue
                gate.opened.append(raw)
                threading.Thread(target=serve, args=(raw,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"localhost:{port}"
    finally:
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        gate.cut()
        for one in (listening, *gate.opened):
            one.close()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def _answer_fetches(error: int, client: socket.socket, broker: socket.socket) -> None:
    """Pass on each request and its answer, but answer those for messages with an error."""
    while True:
        frame = _frame(client)
        key, version, correlation, size = struct.unpack(">hhih", frame[:10])
        if key != _FETCH:
            _send(broker, frame)
            told = _frame(broker)
            _send(
                client,
                _FETCH_VERSIONS.sub(b"\\g<1>\x04\\2", told) if key == _API_VERSIONS else told,
            )
            continue
        assert version == 4, version
        told = b""
        for topic, partitions in _fetched(frame[10 + max(size, 0) + 17 :]):
            told += struct.pack(">h", len(topic)) + topic + struct.pack(">i", len(partitions))
            for one in partitions:
                told += struct.pack(">ihqqii", one, error, -1, -1, -1, 0)
        _send(client, struct.pack(">iii", correlation, 0, 1) + told)


def _fetched(asked: bytes) -> Iterator[tuple[bytes, list[int]]]:
    """The topics and partitions of a request for messages, from where these stand."""
    count, at = struct.unpack(">i", asked[:4])[0], 4
    for _ in range(count):
        size = struct.unpack(">h", asked[at : at + 2])[0]
        topic, at = asked[at + 2 : at + 2 + size], at + 2 + size
        many, at = struct.unpack(">i", asked[at : at + 4])[0], at + 4
        found = [struct.unpack(">i", asked[at + 16 * n : at + 16 * n + 4])[0] for n in range(many)]
        at += 16 * many
        yield topic, found
