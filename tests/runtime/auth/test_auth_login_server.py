"""Session logins against a real server, Django REST framework with Simple JWT: expiry, processes."""

import uuid

import pytest

from connector_assets.errors import AuthError
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import parse_connector
from tests.runtime.auth.login_server import PASSWORD, USER
from tests.runtime.auth.token_servers import running, together, told

pytest.importorskip("rest_framework_simplejwt")
SPEC = """
kind: connector
version: "1.0"
id: sessions
displayName: Sessions
auth:
  - type: session
    login:
      url: "{{{{base}}}}/login"
      body: {{json: {{username: "{{{{secrets.user}}}}", password: "{{{{secrets.password}}}}"}}}}
    tokenPath: access
    {more}
endpoints:
  - id: rows
    url: "{{{{base}}}}/rows"
    responseRowsPath: rows
read: {{primary: rows}}
"""
WHO = {"user": USER, "password": PASSWORD}
LIFETIME_S = 1


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running("login_server.py", tmp_path_factory.mktemp("login"), LIFETIME_S) as origin:
        yield origin


def logins(server):
    return told(server, "/count")["logins"]


def read(server, state, secrets=WHO, times=1, more=""):
    """How many times the rows came, each as an execution of its own."""
    spec = parse_connector(SPEC.format(more=more))
    came = 0
    with HttpRuntime([server.removeprefix("http://")], state=state) as runtime:
        for _ in range(times):
            result = runtime.execute_endpoint(
                spec, "rows", params={"base": server}, secrets=secrets
            )
            rows = list(result.rows)
            assert rows == [{"id": 1, "reader": USER}]
            came += 1
    return came


def test_one_login_serves_many_reads_and_runs(server, tmp_path):
    before = logins(server)
    for _ in range(2):
        assert read(server, str(tmp_path), times=2) == 2
    # One, and another where the token's one second was over meanwhile.
    assert 1 <= logins(server) - before <= 4


def test_a_session_that_ended_is_opened_anew_on_401(server, tmp_path):
    """The server's own clock says when: the token is refused, and the spec does not know why."""
    before, reads = logins(server), 0
    while logins(server) < before + 3:
        reads += read(server, str(tmp_path))
        assert reads < 10_000
    assert reads > 3


def test_a_session_of_known_length_is_renewed_before_its_end(server, tmp_path):
    before, reads = logins(server), 0
    while logins(server) < before + 2:
        reads += read(server, str(tmp_path), more=f"expiresSeconds: {LIFETIME_S}")
        assert reads < 10_000


def test_processes_share_one_login(server, tmp_path):
    before = logins(server)
    results = together(read, (server, str(tmp_path)), lambda: logins(server) >= before + 3)
    assert all(isinstance(result, int) for result in results), results
    assert sum(results) > 5
    # Were each process its own, four would have logged in at once, four times as often.
    assert logins(server) - before <= 3 + 4


def test_a_wrong_password_is_named_and_not_shown(server, tmp_path):
    wrong = WHO | {"password": f"wr0ng-{uuid.uuid4().hex}"}
    with pytest.raises(AuthError, match="/login: 401") as caught:
        read(server, str(tmp_path), wrong)
    assert "wr0ng" not in str(caught.value)
    assert sorted(caught.value.secrets) == ["password", "user"]
