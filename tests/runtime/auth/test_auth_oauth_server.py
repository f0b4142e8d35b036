"""OAuth 2.0 against a real server, django-oauth-toolkit: rotation, reuse protection, processes."""

import json
import urllib.parse
import urllib.request

import pytest

from connector_assets.errors import AuthError
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import parse_connector
from tests.runtime.auth.oauth_server import CLIENT_ID, CLIENT_SECRET, PASSWORD, USER
from tests.runtime.auth.token_servers import running, together, told

pytest.importorskip("oauth2_provider")
SPEC = """
kind: connector
version: "1.0"
id: rotating
displayName: Rotating
auth:
  - type: oauth2
    tokenUrl: "{{{{base}}}}/token"
    clientIdRef: "{{{{secrets.clientId}}}}"
    clientSecretRef: "{{{{secrets.clientSecret}}}}"
    scopes: [read]
    {more}
endpoints:
  - id: rows
    url: "{{{{base}}}}/rows"
    responseRowsPath: rows
read: {{primary: rows}}
"""
CLIENT = {"clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}
MACHINE = {"clientId": "machine-1", "clientSecret": CLIENT_SECRET}
LIFETIME_S = 1


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running("oauth_server.py", tmp_path_factory.mktemp("oauth"), LIFETIME_S) as origin:
        yield origin


def issued(server):
    return told(server, "/count")["tokens"]


def first_tokens(server):
    """What an operator has after the consent page: one access and one refresh token."""
    form = {"grant_type": "password", "username": USER, "password": PASSWORD, "scope": "read"}
    form |= {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    data = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(f"{server}/token", data, timeout=10) as answer:
        got = json.load(answer)
    return {"accessToken": got["access_token"], "refreshToken": got["refresh_token"]}


def read(server, secrets, state, times=1, more="grant: auto"):
    """How many times the rows came, each as an execution of its own."""
    spec = parse_connector(SPEC.format(more=more))
    with HttpRuntime([server.removeprefix("http://")], state=state) as runtime:
        return sum(
            len(
                list(
                    runtime.execute_endpoint(
                        spec, "rows", params={"base": server}, secrets=secrets
                    ).rows
                )
            )
            for _ in range(times)
        )


def test_processes_share_one_rotating_refresh_token(server, tmp_path):
    """Reuse protection makes the proof: one stale refresh token, and all reads end in 401."""
    secrets, before = CLIENT | first_tokens(server), issued(server)
    # The server says when enough has happened: 4 renewals.
    results = together(read, (server, secrets, str(tmp_path)), lambda: issued(server) >= before + 4)
    assert all(isinstance(result, int) for result in results), results
    assert sum(results) > 5
    assert issued(server) >= before + 4


def test_a_refresh_token_goes_on_in_the_next_run(server, tmp_path):
    secrets = CLIENT | {"refreshToken": first_tokens(server)["refreshToken"]}
    before = issued(server)
    assert read(server, secrets, str(tmp_path)) == 1
    assert read(server, secrets, str(tmp_path)) == 1
    assert 1 <= issued(server) - before <= 2


def test_a_replaced_refresh_token_makes_the_stored_one_void(server, tmp_path):
    old, new = (CLIENT | {"refreshToken": first_tokens(server)["refreshToken"]} for _ in range(2))
    before = issued(server)
    assert read(server, old, str(tmp_path)) == 1
    assert read(server, new, str(tmp_path)) == 1
    assert issued(server) == before + 2


@pytest.mark.parametrize("client_auth", ["body", "basic"])
def test_client_credentials(server, tmp_path, client_auth):
    more = f"grant: client_credentials\n    clientAuth: {client_auth}"
    assert read(server, MACHINE, str(tmp_path), times=2, more=more) == 2


def test_password(server, tmp_path):
    more = 'grant: password\n    usernameRef: "{{secrets.user}}"\n    passwordRef: "{{secrets.password}}"'
    secrets = CLIENT | {"user": USER, "password": PASSWORD}
    assert read(server, secrets, str(tmp_path), more=more) == 1


def test_a_wrong_client_secret_is_named_and_not_shown(server, tmp_path):
    secrets = MACHINE | {"clientSecret": "wr0ng-secret"}
    with pytest.raises(AuthError, match="invalid_client") as caught:
        read(server, secrets, str(tmp_path))
    assert "wr0ng-secret" not in str(caught.value)
    assert "client" in str(caught.value)


def test_tokens_are_stored_for_the_user_only(server, tmp_path):
    read(server, MACHINE, str(tmp_path))
    files = list((tmp_path / "tokens").iterdir())
    assert files
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}
    assert oct((tmp_path / "tokens").stat().st_mode & 0o777) == "0o700"
