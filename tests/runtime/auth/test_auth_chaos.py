"""Token endpoints and APIs that misbehave, met through the runtime's front door."""

import uuid

import pytest

from connector_assets.errors import AuthError, ConnectorError
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.spec.document import parse_connector

SPEC = """
kind: connector
version: "1.0"
id: chaos_auth
displayName: Chaos
auth:
  - type: oauth2
    tokenUrl: "{{{{base}}}}{token}?run={{{{run}}}}"
    clientIdRef: "{{{{secrets.clientId}}}}"
    clientSecretRef: "{{{{secrets.clientSecret}}}}"
  - {{type: api_key, in: header, name: X-Key, valueRef: "{{{{secrets.key}}}}"}}
endpoints:
  - id: rows
    url: "{{{{base}}}}{data}"
    params: {{run: "{{{{run}}}}"}}
    responseRowsPath: rows
    pagination: {{type: cursor, cursorField: next}}
read: {{primary: rows}}
"""
CLIENT = {"clientId": "id-1", "clientSecret": "S3CRET-CLIENT/+&"}


class Hurried(Clock):
    def wait(self, seconds, cancel):
        assert 0 < seconds < 60


def pytest_generate_tests(metafunc):
    if "life" in metafunc.fixturenames:
        metafunc.parametrize("life", ["0", "negative", "string", "huge", "null"])


def read(
    chaos, *, token="/auth/token-none", data="/page/schema-late-column", secrets=CLIENT, run=None
):
    spec = parse_connector(SPEC.format(token=token, data=data))
    params = {"base": chaos.origin, "run": run or uuid.uuid4().hex}
    with HttpRuntime([chaos.allowed], clock=Hurried()) as runtime:
        return list(runtime.execute_endpoint(spec, "rows", params=params, secrets=secrets).rows)


def asked(chaos, run, path):
    return [entry for entry in chaos.log(run) if entry["target"].startswith(path)]


@pytest.mark.parametrize(
    ("name", "says", "requests"),
    [
        ("html", "not JSON", 1),
        ("no-token", 'without a token at "access_token"', 1),
        ("null-token", 'without a token at "access_token"', 1),
        ("crlf-token", "no header can carry", 1),
        ("number-token", "not text", 1),
        ("mac", 'type "mac"', 1),
        ("invalid-grant", "400 invalid_grant", 1),
        ("500", "500", 4),
    ],
)
def test_a_bad_token_answer_is_an_error_and_nothing_else_is_asked(chaos, name, says, requests):
    run = uuid.uuid4().hex
    with pytest.raises(AuthError, match=says) as caught:
        read(chaos, token=f"/auth/token-{name}", run=run)
    assert "S3CRET" not in str(caught.value)
    assert f"/auth/token-{name}" in str(caught.value)
    assert len(asked(chaos, run, "/auth/")) == requests
    assert asked(chaos, run, "/page/") == []


def test_a_lifetime_that_says_nothing_is_no_hot_loop(chaos, life):
    run = uuid.uuid4().hex
    assert len(read(chaos, token=f"/auth/token-expires-{life}", run=run)) == 30
    assert len(asked(chaos, run, "/auth/")) == 1
    sent = [
        {name.lower(): value for name, value in entry["headers"]}
        for entry in asked(chaos, run, "/page/")
    ]
    assert {headers["authorization"] for headers in sent} == {"Bearer T1"}


def test_a_token_refused_for_ever_is_renewed_once(chaos):
    run = uuid.uuid4().hex
    with pytest.raises(AuthError, match="401"):
        read(chaos, token="/auth/token-expires-string", data="/auth/401-forever", run=run)
    assert len(asked(chaos, run, "/auth/token")) == 2
    assert len(asked(chaos, run, "/auth/401")) == 2


def test_a_given_token_that_cannot_be_renewed_is_sent_once(chaos):
    run = uuid.uuid4().hex
    with pytest.raises(AuthError, match="401"):
        read(chaos, data="/auth/401-forever", secrets={"accessToken": "T0"}, run=run)
    assert len(chaos.log(run)) == 1


def test_a_token_endpoint_is_never_redirected(chaos):
    run = uuid.uuid4().hex
    with pytest.raises(ConnectorError, match="redirect"):
        read(chaos, token="/redir/relative", run=run)
    assert len(chaos.log(run)) == 1


def test_an_api_key_is_on_every_page_once(chaos):
    assert len(read(chaos, data="/auth/header-key", secrets={"key": "k-1"})) == 20
