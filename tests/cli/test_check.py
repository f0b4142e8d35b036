"""`check` against real servers: which part of a connection failed, in one line."""

from __future__ import annotations

import json
import ssl

import pytest

from tests.cli.conftest import SECRET
from tests.loopback import serving
from tests.runtime import wire as raw
from tests.shop import shop_spec

SPEC = shop_spec("""
secrets: {{token: {{}}, clientId: {{}}, clientSecret: {{}}}}
auth: [{auth}]
endpoints:
  - id: items
    url: "{{{{base}}}}/items"
    responseRowsPath: rows
    retry: {{maxAttempts: 5, maxDelaySeconds: 1}}
    connectTimeoutSeconds: 2
    readTimeoutSeconds: 2
read: {{primary: items}}
""")
BEARER = '{type: bearer, tokenRef: "{{secrets.token}}"}'
OAUTH = """{type: oauth2, grant: client_credentials, tokenUrl: "{{base}}/token",
  scopes: [rows.read, rows.list],
  clientIdRef: "{{secrets.clientId}}", clientSecretRef: "{{secrets.clientSecret}}"}"""
NONE = "{type: none}"
CLIENT = {"SHOP__CLIENT_ID": "id-1", "SHOP__CLIENT_SECRET": SECRET}


@pytest.fixture
def check(cli, project, monkeypatch):
    """`check` of a spec with `auth`; gives its one line on stderr and the JSON of it."""

    def call(base, auth=BEARER, allow=None, environ=None, *args):
        (project / "specs").mkdir(exist_ok=True)
        (project / "specs" / "shop.yaml").write_text(SPEC.format(auth=auth))
        monkeypatch.setenv("SHOP__BASE", base)
        for name, value in (environ or {"SHOP__TOKEN": SECRET}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("CONNECTOR_ASSETS_ALLOW_PRIVATE", allow or "")
        done = cli("check", "shop", *args)
        told = json.loads(cli("check", "shop", "--json", *args).out)
        assert done.code == 1, done.out
        assert done.err.count("\n") == 1, done.err
        assert done.err == f"{told['failed']} failed: {told['message']}\n"
        assert (told["ok"], told["connection"]) == (False, "shop")
        return told["failed"], done.err

    return call


def served(answer, check, auth=BEARER, **given):
    with serving(answer) as api:
        return (*check(api.origin, auth, api.host, **given), api)


def test_a_name_that_does_not_resolve_is_dns(check):
    failed, line = check("https://api.does-not-exist.invalid")
    assert failed == "dns"
    assert "GET api.does-not-exist.invalid/items: the host name does not resolve" in line


def test_a_certificate_of_an_unknown_authority_is_tls(check):
    import trustme

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with raw.serving(raw.saying(raw.answer()), tls=context) as wire:
        failed, line = check(f"https://127.0.0.1:{wire.port}", allow=f"127.0.0.1:{wire.port}")
    assert failed == "tls"
    assert "the certificate is not trusted" in line
    assert "SSL_CERT_FILE" in line
    assert wire.requests == []


def test_a_certificate_for_another_name_is_tls(check, monkeypatch, tmp_path):
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example.com").configure_cert(context)
    with raw.serving(raw.saying(raw.answer()), tls=context) as wire:
        failed, line = check(f"https://127.0.0.1:{wire.port}", allow=f"127.0.0.1:{wire.port}")
    assert failed == "tls"
    assert "mismatch" in line


def test_a_server_that_speaks_no_tls_is_tls(check):
    with raw.serving(lambda sock, _wire: sock.sendall(b"HTTP/1.1 400 no\r\n\r\n")) as wire:
        failed, line = check(f"https://127.0.0.1:{wire.port}", allow=f"127.0.0.1:{wire.port}")
    assert failed == "tls"
    assert "the tls handshake failed" in line


def test_a_private_address_is_the_guard(check):
    with serving(lambda _request: {"rows": []}) as api:
        failed, line = check(api.origin, NONE)
        assert api.seen == []
    assert failed == "guard"
    assert "the address 127.0.0.1 is loopback" in line
    assert "--allow-private" in line


def test_plain_http_to_a_stranger_is_the_guard(check):
    failed, line = check("http://93.184.216.34")
    assert failed == "guard"
    assert "plain http would show credentials" in line


def test_a_port_nobody_listens_on_is_the_connection(check):
    with serving(lambda _request: {}) as api:
        host = api.host
    failed, line = check(f"http://{host}", allow=host)
    assert failed == "connection"
    assert "could not connect (connection refused)" in line


def test_a_401_is_auth_and_names_secret_and_variable(check):
    failed, line, api = served(lambda _request: (401, {}), check)
    assert failed == "auth"
    assert '/items: 401; check secret "token" (SHOP__TOKEN)' in line
    assert len(api.seen) == 2  # one for each of the two commands


def test_a_401_names_the_variable_of_the_connection_document(check, project):
    (project / "connections").mkdir()
    (project / "connections" / "shop.yaml").write_text(
        'kind: connection\nversion: "1.0"\nid: shop\nconnector: shop\n'
        "secrets: {token: {env: MY_TOKEN}}\n"
    )
    environ = {"MY_TOKEN": SECRET}
    failed, line, _ = served(lambda _request: (401, {}), check, environ=environ)
    assert failed == "auth"
    assert "(MY_TOKEN)" in line


def test_a_client_that_the_token_endpoint_refuses_is_auth(check):
    def answer(request):
        return 400, {"error": "invalid_client", "hint": SECRET}

    failed, line, api = served(answer, check, OAUTH, environ=CLIENT)
    assert failed == "auth"
    assert "/token: 400 invalid_client; " in line
    assert "(SHOP__CLIENT_ID, SHOP__CLIENT_SECRET)" in line
    assert {request.path for request in api.seen} == {"/token"}


@pytest.mark.parametrize(
    ("headers", "token", "says"),
    [
        (
            {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="rows.all"'},
            {"scope": "rows.read other"},
            "it wants scope rows.all, the token has rows.read other, the spec asks for rows.read",
        ),
        ({}, {}, "not enough: the spec asks for rows.read rows.list"),
        (
            {"X-OAuth-Scopes": "repo, user", "X-Accepted-OAuth-Scopes": "admin:org"},
            {},
            "it wants scope admin:org, the token has repo user, ",
        ),
        (
            {"WWW-Authenticate": f'Bearer scope="{SECRET} <b> a,b"'},
            {"scope": ["a"]},
            "it wants scope [secret:clientSecret] a b, the spec asks for",
        ),
    ],
)
def test_a_403_is_the_permission_and_names_scopes(check, headers, token, says):
    def answer(request):
        if request.path == "/token":
            return {"access_token": "t1", **token}
        return 403, {}, headers

    failed, line, _ = served(answer, check, OAUTH, environ=CLIENT)
    assert failed == "permission"
    assert says in line
    assert "(SHOP__CLIENT_ID, SHOP__CLIENT_SECRET)" in line


def test_a_403_without_scopes_is_the_permission_all_the_same(check):
    failed, line, _ = served(lambda _request: (403, {}), check)
    assert failed == "permission"
    assert '403; the credentials are known, but not enough; check secret "token"' in line


def test_a_403_without_credentials_wants_some(check):
    failed, line, _ = served(lambda _request: (403, {}), check, NONE)
    assert failed == "permission"
    assert "the API wants credentials" in line


@pytest.mark.parametrize("status", [404, 410])
def test_a_url_that_is_not_there_is_the_path(check, status):
    failed, line, _ = served(lambda _request: (status, {}), check)
    assert failed == "path"
    assert f"/items: {status}" in line


def test_rows_that_are_not_where_the_spec_says_are_the_path(check):
    failed, line, _ = served(lambda _request: {"data": {"items": []}}, check)
    assert failed == "path"
    assert '"rows" is absent; the keys there are "data"; correct responseRowsPath' in line


def test_a_page_of_html_is_the_answer(check):
    failed, line, _ = served(lambda _request: b"<html>sign in</html>", check)
    assert failed == "answer"
    assert "not JSON but a markup page" in line


def test_a_limit_and_a_server_at_fault_are_told_apart(check):
    slow = (429, {}, {"Retry-After": "4000"})
    assert served(lambda _request: slow, check)[0] == "rate limit"
    failed, _, api = served(lambda _request: (503, {}), check)
    assert failed == "server"
    assert len(api.seen) == 4  # twice for each of the two commands, not five times


def test_a_value_that_is_missing_is_the_config(cli, project, monkeypatch):
    (project / "specs").mkdir()
    (project / "specs" / "shop.yaml").write_text(SPEC.format(auth=BEARER))
    monkeypatch.setenv("SHOP__BASE", "https://api.example.com")
    done = cli("check", "shop")
    assert (done.code, done.err) == (1, "shop: values are missing; set SHOP__TOKEN\n")


def test_what_works_says_so(cli, project, monkeypatch):
    (project / "specs").mkdir()
    (project / "specs" / "shop.yaml").write_text(SPEC.format(auth=NONE))
    with serving(lambda _request: {"rows": [{"id": 1}]}) as api:
        monkeypatch.setenv("SHOP__BASE", api.origin)
        done = cli("check", "shop", "--allow-private", api.host)
        told = json.loads(cli("check", "shop", "--json", "--allow-private", api.host).out)
    assert (done.code, done.out.splitlines()[1:]) == (0, ["shop: ok, 1 row on the first page"])
    assert told == {
        "connection": "shop",
        "ok": True,
        "message": "1 row on the first page",
        "failed": None,
        "reads": ["SHOP__BASE"],
        "sendsTo": ["{{base}}"],
    }
