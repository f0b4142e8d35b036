"""The operator's side of the network: proxies, authorities and client certificates of a connection."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from connector_assets.cli.app import run
from connector_assets.errors import BlockedError, ConfigError, RequestError
from connector_assets.project.network_settings import network_of
from connector_assets.runtime.guard.guard import Guard
from connector_assets.runtime.http.client import Client
from connector_assets.runtime.http.network import Network, Proxy
from connector_assets.spec.document import read_connection
from tests.loopback import serving
from tests.runtime.sending import base, opening, refused, send
from tests.runtime.wire import answer, saying
from tests.runtime.wire import serving as wire
from tests.shop import shop_spec

WORD = "pr0xy-w0rd/§"
SPEC = shop_spec("""
secrets: {user: {}, password: {}}
auth:
  - type: session
    login:
      url: "{{base}}/login"
      body: {json: {user: "{{secrets.user}}", password: "{{secrets.password}}"}}
    tokenPath: token
    in: header
    name: X-Token
defaults: {responseRowsPath: rows, retry: {maxAttempts: 1}}
endpoints: [{id: list, url: "{{base}}/items"}]
read: {primary: list, streams: [{name: items}]}
""")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A company's own authority: its root in a file, a server's and a client's certificate."""
    folder, made = tmp_path_factory.mktemp("ca"), trustme.CA()
    made.cert_pem.write_to_path(str(folder / "ca.pem"))
    for name in ("127.0.0.1", "me@example.com"):
        issued = made.issue_cert(name)
        file = "server" if name[0].isdigit() else "client"
        issued.private_key_pem.write_to_path(str(folder / f"{file}.key"))
        for blob in issued.cert_chain_pems:
            blob.write_to_path(str(folder / f"{file}.pem"), append=True)
    both = (folder / "client.key").read_bytes() + (folder / "client.pem").read_bytes()
    (folder / "both.pem").write_bytes(both)
    encrypted(folder / "client.key", folder / "locked.key")
    return folder


def encrypted(source, target):
    from cryptography.hazmat.primitives import serialization as form

    key = form.load_pem_private_key(source.read_bytes(), None)
    locked = form.BestAvailableEncryption(b"l0cked")
    target.write_bytes(
        key.private_bytes(form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL, locked)
    )


@contextlib.contextmanager
def proxying(folder, *options):
    """proxy.py in a process of its own; its port."""
    file = folder / f"port{len(list(folder.iterdir()))}"
    flags = ["--num-workers", "1", "--num-acceptors", "1", "--port", "0", "--port-file", str(file)]
    command = [sys.executable, "-m", "proxy", *flags, "--log-level", "e", *options]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if file.exists() and file.read_text().strip():
                break
            time.sleep(0.05)
        yield int(file.read_text())
    finally:
        child.terminate()
        child.wait()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    with proxying(tmp_path_factory.mktemp("proxy"), "--basic-auth", f"me:{WORD}") as port:
        yield port


@pytest.fixture(scope="module")
def tls_proxy(tmp_path_factory, authority):
    server = ("--cert-file", f"{authority}/server.pem", "--key-file", f"{authority}/server.key")
    with proxying(tmp_path_factory.mktemp("proxy"), *server) as port:
        yield port


def shop(request):
    """Rows for whoever has logged in."""
    if request.path == "/login":
        return {"token": "t-" + request.json["user"]}
    if request.headers.get("x-token") != "t-ann":
        return 401, {}
    return {"rows": [{"id": n} for n in range(3)]}


@dataclass
class Tunnels:
    """A CONNECT proxy that keeps what it was asked; it refuses, or says anything, where told."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    says: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n"
    to: int = 0


@contextlib.contextmanager
def tunnelling():
    seen = Tunnels()

    def handle(sock, _wire):
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(65536)
        seen.asked.append(head.decode("latin-1"))
        sock.sendall(seen.says)
        if b" 200 " not in seen.says or not seen.to:
            return
        with socket.create_connection(("127.0.0.1", seen.to)) as far:
            back = threading.Thread(target=pump, args=(far, sock), daemon=True)
            back.start()
            pump(sock, far)
            back.join()

    with wire(handle) as server:
        seen.port = server.port
        yield seen


def pump(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in os.environ:
        if name.startswith("CONNECTOR_ASSETS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "specs").mkdir()
    (tmp_path / "connections").mkdir()
    (tmp_path / "specs" / "shop.yaml").write_text(SPEC)
    given = {"EU__USER": "ann", "EU__PASSWORD": "s3cret-pw", "WHO": "me", "WORD": WORD}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return tmp_path


def connected(project, api, network, **options):
    text = 'kind: connection\nversion: "1.0"\nid: eu\nconnector: shop\n'
    text += f'config: {{base: "{api.origin}"}}\nnetwork: {network}\n'
    (project / "connections" / "eu.yaml").write_text(text)


def load(api, capsys, *options):
    """What `load` says, error or not; nothing of it is a secret."""
    code = run(["load", "eu", "--full", "--allow-private", api.origin.split("//")[1], *options])
    said = capsys.readouterr()
    assert WORD not in said.out + said.err
    assert "s3cret-pw" not in said.out + said.err
    return code, said.out + said.err


def proxied(port, **more):
    given = {"url": f"http://127.0.0.1:{port}", "username": "{env: WHO}", "password": "{env: WORD}"}
    pairs = ", ".join(f"{name}: {value}" for name, value in {**given, **more}.items())
    return f"{{proxy: {{{pairs}}}}}"


@pytest.mark.parametrize("resolve", ["proxy", "here"])
def test_plain_http_goes_through_a_real_proxy_with_its_login(
    project, capsys, proxy, monkeypatch, resolve
):
    with serving(shop) as api:
        connected(project, api, proxied(proxy, resolve=resolve))
        code, said = load(api, capsys)
        assert (code, "now has 3 rows" in said) == (0, True), said
        assert [request.path for request in api.seen] == ["/login", "/items"]
        # Forwarded, the proxy says that it was there; in a tunnel it cannot. (proxy.py does so for
        # the first request of a connection only, and sends on what follows as it comes.)
        assert ("via" in api.seen[0].headers) == (resolve == "proxy")
        assert "proxy-authorization" not in api.seen[0].headers
        monkeypatch.setenv("WORD", "wrong-w0rd")
        code, said = load(api, capsys)
        assert code == 1
        assert f"407: the proxy 127.0.0.1:{proxy} refuses the credentials" in said
        assert "wrong-w0rd" not in said
        assert len(api.seen) == 2


@pytest.fixture(scope="module")
def ports(proxy, tls_proxy):
    return {"http": proxy, "https": tls_proxy}


@pytest.mark.parametrize(
    "way", [(kind, resolve) for kind in ("http", "https") for resolve in ("proxy", "here")]
)
def test_tls_goes_through_a_tunnel_also_where_the_proxy_is_in_tls(
    project, capsys, ports, authority, way
):
    kind, resolve = way
    port = ports[kind]
    more = {"url": f"{kind}://127.0.0.1:{port}", "resolve": resolve}
    network = proxied(port, **more)[:-1] + f", caBundle: {authority}/ca.pem}}"
    with serving_tls(shop, authority) as api:
        connected(project, api, network)
        code, said = load(api, capsys)
        assert (code, "now has 3 rows" in said) == (0, True), said
        assert [request.path for request in api.seen] == ["/login", "/items"]


@contextlib.contextmanager
def serving_tls(route, authority, *, asks=False):
    """The loopback API in TLS; with `asks` only for clients with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{authority}/server.pem", f"{authority}/server.key")
    if asks:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(f"{authority}/ca.pem")
    with serving(route, tls=context) as api:
        yield api


@pytest.mark.parametrize(
    "client",
    [
        "clientCertificate: {ca}/both.pem",
        "clientCertificate: {ca}/client.pem, clientKey: {{file: {ca}/client.key}}",
        "clientCertificate: {ca}/client.pem, clientKey: {{env: KEY}}",
        "clientCertificate: {ca}/client.pem, clientKey: {{file: {ca}/locked.key}}, clientKeyPassword: {{env: LOCK}}",
        "clientCertificate: {ca}/client.pem, clientKey: {{env: LOCKED}}, clientKeyPassword: {{env: LOCK}}",
    ],
)
def test_a_client_certificate_is_shown_for_the_login_too(
    project, capsys, authority, monkeypatch, client
):
    monkeypatch.setenv("KEY", (authority / "client.key").read_text().replace("\n", "\\n"))
    monkeypatch.setenv("LOCKED", (authority / "locked.key").read_text())
    monkeypatch.setenv("LOCK", "l0cked")
    with serving_tls(shop, authority, asks=True) as api:
        bundle = f"caBundle: {authority}/ca.pem"
        connected(project, api, f"{{{bundle}, {client.format(ca=authority)}}}")
        code, said = load(api, capsys)
        assert (code, "now has 3 rows" in said) == (0, True), said
        connected(project, api, f"{{{bundle}}}")
        code, said = load(api, capsys)
        assert code == 1
        assert "the server refuses the client certificate, or wants one" in said
        connected(project, api, "{}")
        assert "not trusted" in load(api, capsys)[1]


def test_a_key_with_another_password_is_said_and_nobody_is_asked(
    project, capsys, authority, monkeypatch
):
    for (word,) in (("other-w0rd",), ("",)):
        monkeypatch.setenv("LOCK", word)
        monkeypatch.setenv("LOCKED", (authority / "locked.key").read_text())
        with serving(shop) as api:
            connected(
                project,
                api,
                f"{{clientCertificate: {authority}/client.pem, clientKey: {{env: LOCKED}},"
                " clientKeyPassword: {env: LOCK}}",
            )
            code, said = load(api, capsys)
            assert code == 1
            assert "cannot be used with its key" in said
            assert "the key's password" in said
            assert api.seen == []


def test_settings_stand_in_where_a_connection_says_nothing(
    project, capsys, proxy, authority, monkeypatch
):
    monkeypatch.setenv(
        "CONNECTOR_ASSETS_PROXY", f"http://me:{WORD.replace('/', '%2F')}@127.0.0.1:{proxy}"
    )
    with serving(shop) as api:
        connected(project, api, "{}")
        assert load(api, capsys)[0] == 0
        assert "via" in api.seen[-2].headers
        monkeypatch.setenv("CONNECTOR_ASSETS_NO_PROXY", "example.com, 127.0.0.0/8")
        assert load(api, capsys)[0] == 0
        assert "via" not in api.seen[-2].headers
        monkeypatch.delenv("CONNECTOR_ASSETS_NO_PROXY")
        connected(project, api, "{proxy: none}")
        assert load(api, capsys)[0] == 0
        assert "via" not in api.seen[-2].headers
    with serving_tls(shop, authority, asks=True) as api:
        connected(project, api, "{proxy: none}")
        for name, file in {"CA_BUNDLE": "ca.pem", "CLIENT_CERTIFICATE": "both.pem"}.items():
            assert load(api, capsys)[0] == 1
            monkeypatch.setenv(f"CONNECTOR_ASSETS_{name}", f"{authority}/{file}")
        assert load(api, capsys)[0] == 0


def test_options_go_before_what_a_connection_says(project, capsys, authority):
    with serving_tls(shop, authority, asks=True) as api, tunnelling() as proxy:
        proxy.to = int(api.origin.rpartition(":")[2])
        connected(project, api, "{proxy: 'http://127.0.0.1:1', caBundle: none.pem}")
        options = {
            "--proxy": f"http://127.0.0.1:{proxy.port}",
            "--ca-bundle": authority / "ca.pem",
            "--client-certificate": authority / "client.pem",
            "--client-key": authority / "client.key",
        }
        code, said = load(api, capsys, *(str(one) for pair in options.items() for one in pair))
        assert (code, "now has 3 rows" in said) == (0, True), said
        assert len(proxy.asked) == 1
        code, said = load(api, capsys, "--client-key", "x")
        assert (code, said) == (2, "--client-key: needs --client-certificate\n")


def test_the_environments_own_proxies_are_obeyed_only_where_that_is_said(
    project, capsys, monkeypatch
):
    with serving(shop) as api:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        connected(project, api, "{}")
        assert load(api, capsys)[0] == 0
        connected(project, api, "{proxy: environment}")
        assert "the proxy 127.0.0.1:1 cannot be reached" in load(api, capsys)[1]
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert load(api, capsys)[0] == 0


def test_a_proxy_that_is_not_there_is_named_by_check(project, capsys):
    with serving(shop) as api:
        connected(project, api, "{proxy: 'http://127.0.0.1:1'}")
        host = api.origin.split("//")[1]
        assert run(["check", "eu", "--allow-private", host]) == 1
        said = capsys.readouterr().err
        assert said.startswith("proxy failed: eu.items: ")
        assert "the proxy 127.0.0.1:1 cannot be reached: could not connect" in said
        assert api.seen == []


# --- what the guard still promises


def client_of(proxy, **network):
    one = Proxy.parse(f"http://127.0.0.1:{proxy.port}", **network)
    return lambda *allowed, resolver=None: Client(
        guard=Guard(allowed, resolver), network=Network(one, one)
    )


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://10.0.0.1/", ()),
        ("https://169.254.169.254/", ()),
        ("https://[::1]/", ()),
        ("https://localhost/", ()),
        ("https://jira.corp/", ()),
        ("https://jira.corp/", ("10.0.0.0/8",)),  # nobody here sees whether it leads there
        ("https://metadata.google.internal/", ("0.0.0.0/0",)),
        ("https://api.example.com:25/", ()),
    ],
)
def test_a_name_is_judged_though_the_proxy_would_dial(url, allowed):
    with tunnelling() as proxy, client_of(proxy)(*allowed) as client:
        refused(client, url, BlockedError)
        assert proxy.asked == []


def test_what_a_name_leads_to_is_the_proxys_matter_unless_it_is_to_be_resolved_here():
    with tunnelling() as proxy:
        proxy.says = b"HTTP/1.1 403 Forbidden\r\n\r\n"
        inside = lambda _host: ["10.0.0.1"]  # noqa: E731
        with client_of(proxy)(resolver=inside) as client:
            refused(client, "https://evil.example.com/", RequestError, "refused to connect")
        assert proxy.asked[0].startswith("CONNECT evil.example.com:443 HTTP/1.1\r\n")
        with client_of(proxy, resolves=False)(resolver=inside) as client:
            refused(client, "https://evil.example.com/", BlockedError, "10.0.0.1 is private")
            refused(client, "http://evil.example.com/", BlockedError, "10.0.0.1 is private")
        assert len(proxy.asked) == 1
        known = lambda _host: ["93.184.216.34", "2606:2800::1"]  # noqa: E731
        with client_of(proxy, resolves=False)(resolver=known) as client:
            refused(client, "https://api.example.com/", RequestError, "refused to connect")
        assert "CONNECT 93.184.216.34:443 " in proxy.asked[1]


@pytest.mark.parametrize(
    ("says", "match", "again"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\nno", "refused to connect .403.", False),
        (b"HTTP/1.1 407 Who\r\n\r\n", "407: the proxy .* wants some", False),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "refused to connect .502.", True),
        (b"SSH-2.0-x\r\n\r\n", "does not speak HTTP", False),
        (b"HTTP/1.1 200 ok\r\n\r\nmore", "does not speak HTTP", False),
        (b"", "closed the connection", True),
        (b"HTTP/1.1 200 ok\r\n" + b"x: y\r\n" * 40_000, "bytes of headers", False),
    ],
)
def test_a_proxy_that_refuses_or_is_none_is_told(says, match, again):
    with tunnelling() as proxy, client_of(proxy)() as client:
        proxy.says = says
        error = refused(client, "https://api.example.com/", RequestError, match)
        assert error.retryable == again


def test_a_407_of_a_server_is_its_own(project):
    with wire(saying(answer("407 Who"))) as server, opening(server) as client:
        assert send(client, base(server)).status == 407


# --- what may be written


@pytest.mark.parametrize(
    ("network", "says"),
    [
        ("{proxy: 'http://me:w0rd@p:1'}", "must not hold a password"),
        ("{proxy: 'socks5://p:1'}", "must be http://host:port"),
        ("{proxy: {url: 'p:1'}}", "must be http://host:port"),
        ("{proxy: {url: 'http://p:1', password: w0rd}}", "a secret is never written here"),
        ("{clientKey: {env: X}}", "is required with a key"),
        ("{clientCertificate: x, clientKeyPassword: w0rd}", "a secret is never written here"),
        ("{insecure: true}", "is not a known key"),
    ],
)
def test_what_is_wrong_in_a_connection_is_a_fault(network, says):
    text = f'kind: connection\nversion: "1.0"\nid: eu\nconnector: x\nnetwork: {network}\n'
    with pytest.raises(Exception, match=says) as caught:
        read_connection(text)
    assert "w0rd" not in str(caught.value)


def test_a_spec_says_nothing_of_the_network(project):
    (project / "specs" / "shop.yaml").write_text(SPEC + "network: {proxy: 'http://p:1'}\n")
    assert run(["validate", "specs"]) == 1


@pytest.mark.parametrize("url", ["socks5://me:w0rd@p:1", "http://me:w0rd@:1", "http://p:x/w0rd"])
def test_a_setting_that_is_no_proxy_is_not_quoted(url):
    with pytest.raises(ConfigError, match="is not the URL of a proxy") as caught:
        network_of(None, {"CONNECTOR_ASSETS_PROXY": url}, lambda *_: "")
    assert "w0rd" not in str(caught.value)


def test_credentials_of_one_proxy_reach_no_other():
    set_ = {"PROXY": "http://a:1", "PROXY_USERNAME": "me", "PROXY_PASSWORD": WORD}
    environ = {f"CONNECTOR_ASSETS_{name}": value for name, value in set_.items()}
    said = read_connection(
        "kind: connection\nversion: '1.0'\nid: eu\nconnector: x\nnetwork: {proxy: 'http://b:2'}\n"
    ).spec.network
    assert network_of(None, environ, lambda *_: "").https.password == WORD
    assert network_of(said, environ, lambda *_: "").https == Proxy("http", "b", 2)
    chosen = network_of(said, environ, lambda *_: "", chosen={"PROXY": "http://c:3"})
    assert chosen.https == Proxy("http", "c", 3)
    assert WORD not in repr(network_of(None, environ, lambda *_: ""))


def test_hosts_that_are_asked_without_a_proxy():
    direct = ("corp.example", "*.lan.example", "10.0.0.0/8", "[::1]", "only.example:8443")
    network = Network(https=Proxy("https", "p", 1), direct=direct)
    asked = {
        ("corp.example", 443): True,
        ("a.corp.example", 443): True,
        ("notcorp.example", 443): False,
        ("a.lan.example", 1): True,
        ("10.2.3.4", 443): True,
        ("11.2.3.4", 443): False,
        ("::1", 443): True,
        ("only.example", 8443): True,
        ("only.example", 443): False,
    }
    found = {one: network.proxy_for("https", *one) is None for one in asked}
    assert found == asked
    assert network.proxy_for("http", "11.2.3.4", 80) is None


def test_paths_are_relative_to_the_document(authority):
    text = (
        "kind: connection\nversion: '1.0'\nid: eu\nconnector: x\n"
        "network: {caBundle: ca.pem, clientCertificate: c.pem, clientKey: {file: k.pem}}\n"
    )
    network = network_of(read_connection(text).spec.network, {}, lambda *_: "", Path("/etc/x"))
    assert (network.ca_bundle, network.certificate, network.key) == (
        "/etc/x/ca.pem",
        "/etc/x/c.pem",
        "/etc/x/k.pem",
    )
    with pytest.raises(ConfigError, match=r"the CA bundle /etc/x/ca.pem: holds no certificates"):
        network.tls()
