"""Every request that is sent spends a turn of the budget, whoever asked for it; by a server's count."""

from __future__ import annotations

import threading
from itertools import pairwise
from uuid import uuid4

import pytest

from connector_assets.errors import Cancelled, ConnectorError, RateLimited
from connector_assets.redact import Secrets
from connector_assets.runtime.clock import Clock
from connector_assets.runtime.runtime import HttpRuntime
from connector_assets.runtime.shared.budget import SharedBudget
from connector_assets.runtime.stats import Stats
from connector_assets.runtime.values import Values
from connector_assets.spec.document import parse_connector
from tests.loopback import serving

SPEC = """
kind: connector
version: "1.0"
id: turns
displayName: Turns
rateLimit: {{requestsPerSecond: {rate}}}
auth:
  - {auth}
endpoints:
  - id: rows
    url: "{{{{base}}}}/rows"
    responseRowsPath: rows
    timeoutSeconds: {timeout}
    retry: {{maxAttempts: {tries}, maxDelaySeconds: 60}}
read: {{primary: rows}}
"""
TOKENS = """{type: oauth2, grant: client_credentials, tokenUrl: "{{base}}/token",
     clientIdRef: "{{secrets.id}}", clientSecretRef: "{{secrets.secret}}"}"""
LOGIN = """{type: session, login: {url: "{{base}}/token", body: {json: {p: "{{secrets.secret}}"}}},
     tokenPath: access_token}"""
DIGEST = '{type: digest, usernameRef: "{{secrets.id}}", passwordRef: "{{secrets.secret}}"}'
NONE = "{type: none}"
SECRETS = {"id": "someone", "secret": "s3cret-f00d"}
GOOD = {"rows": [{"id": 1}]}
CHALLENGE = {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256'}


class Moving(Clock):
    """Waiting moves it, and nothing else."""

    def __init__(self):
        self.now = 1e9

    def monotonic(self):
        return self.now

    def time(self):
        return self.now

    def wait(self, seconds, cancel):
        if cancel.is_set():
            raise Cancelled("cancelled while waiting")
        self.now += seconds


class Vendor:
    """Answers in order at each path, the last for ever, and notes when it was asked."""

    def __init__(self, clock, **answers):
        self.clock, self.answers, self.log = clock, answers, []

    def __call__(self, request):
        name = request.path.strip("/")
        self.log.append((name, round(self.clock.now - 1e9, 1)))
        left = self.answers[name]
        return left.pop(0) if len(left) > 1 else left[0]


def read(auth, rate=1, timeout=300, tries=5, cancel=None, **answers):
    """The vendor's log, the counters, and the error that came."""
    clock = Moving()
    vendor, stats, error = Vendor(clock, **answers), Stats(), None
    text = SPEC.format(auth=auth, rate=rate, timeout=timeout, tries=tries)
    spec = parse_connector(text)
    with serving(vendor) as api, HttpRuntime([api.host], clock=clock) as runtime:
        values = Values(uuid4().hex, {"base": api.origin}, Secrets(SECRETS))
        try:
            list(runtime.steps(spec, spec.streams[0], values, stats=stats, cancel=cancel))
        except ConnectorError as raised:
            error = raised
    return vendor.log, stats, error


def token(text="t1", **more):
    return {"access_token": text, **more}


TURNS = {
    "a token and the request": (TOKENS, {"token": [token()], "rows": [GOOD]}, "token rows"),
    "a login and the request": (LOGIN, {"token": [token()], "rows": [GOOD]}, "token rows"),
    "a token that is refused": (
        TOKENS,
        {"token": [token("t1"), token("t2")], "rows": [(401, {}), GOOD]},
        "token rows token rows",
    ),
    "a digest's challenge": (DIGEST, {"rows": [(401, {}, CHALLENGE), GOOD]}, "rows rows"),
    "a redirect": (
        NONE,
        {"rows": [(302, {}, {"Location": "/other"})], "other": [GOOD]},
        "rows other",
    ),
    "a retry": (NONE, {"rows": [(503, {}, {"Retry-After": "1"}), GOOD]}, "rows rows"),
}


@pytest.mark.parametrize(("auth", "answers", "expected"), TURNS.values(), ids=TURNS)
def test_each_request_waits_for_its_own_turn(auth, answers, expected):
    log, stats, error = read(auth, **{name: list(said) for name, said in answers.items()})
    assert error is None
    assert [name for name, _ in log] == expected.split()
    first, *later = (at for _, at in log)
    assert first == 0
    assert all(after - before >= 1 for before, after in pairwise([first, *later]))
    assert stats.calls == len(log)


def test_waiting_for_a_turn_is_no_part_of_the_deadline():
    log, _, error = read(TOKENS, rate=0.01, timeout=30, token=[token()], rows=[GOOD])
    assert error is None
    assert log[1][1] >= 100


def test_waiting_for_a_place_is_no_part_of_the_deadline(monkeypatch):
    slot, tries = SharedBudget.try_slot, iter(range(2000))
    monkeypatch.setattr(
        SharedBudget, "try_slot", lambda self: slot(self) if next(tries, None) is None else None
    )
    log, _, error = read(NONE, timeout=30, tries=1, rows=[GOOD])
    assert error is None
    assert log[0][1] >= 40


@pytest.mark.parametrize("auth", [TOKENS, LOGIN])
@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_a_token_endpoint_that_asks_to_wait_is_obeyed(auth, status):
    busy = (status, {}, {"Retry-After": "20"})
    log, stats, error = read(auth, token=[busy, busy, token()], rows=[GOOD])
    assert error is None
    assert [name for name, _ in log] == ["token", "token", "token", "rows"]
    assert all(20 <= after - before < 22 for (_, before), (_, after) in pairwise(log[:3]))
    assert stats.retries == 2


@pytest.mark.parametrize("auth", [TOKENS, LOGIN])
@pytest.mark.parametrize(("tries", "made"), [(1, 1), (3, 3), (5, 4), (10, 4)])
def test_a_token_endpoint_is_tried_as_often_as_a_request_but_four_times_at_most(auth, tries, made):
    log, _, error = read(auth, tries=tries, token=[(503, {})], rows=[GOOD])
    assert [name for name, _ in log] == ["token"] * made
    assert "/token: 503; " in str(error)
    assert "s3cret" not in str(error)


@pytest.mark.parametrize("auth", [TOKENS, LOGIN])
def test_a_token_endpoint_that_asks_for_too_long_a_wait_fails_at_once(auth):
    log, _, error = read(auth, token=[(429, {}, {"Retry-After": "4000"})], rows=[GOOD])
    assert len(log) == 1
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 4000
    assert "/token: 429: the server asks to come back in 1.1 h" in str(error)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 501])
def test_a_token_endpoint_that_refuses_is_asked_once(status):
    log, _, error = read(TOKENS, token=[(status, {})], rows=[GOOD])
    assert len(log) == 1
    assert str(status) in str(error)


def test_a_token_on_its_way_is_stored_even_if_the_read_is_cancelled():
    """The old refresh token is void by then: what comes back is the only one there is."""
    from connector_assets.runtime.shared.tokens import MemoryTokenStore

    cancel, secret = threading.Event(), "the-only-one"
    refresh = TOKENS.replace("client_credentials", "refresh_token")

    class Cancelling(list):
        def __getitem__(self, _):
            cancel.set()
            return token("t9", refresh_token=secret)

    SECRETS["refreshToken"] = "old-one"
    log, _, error = read(refresh, cancel=cancel, token=Cancelling([1]), rows=[GOOD])
    assert isinstance(error, Cancelled)
    assert [name for name, _ in log] == ["token"]
    kept = [record.get("refresh") for record in MemoryTokenStore._records.values()]
    assert secret in kept
