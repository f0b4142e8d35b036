"""Token flows on a fake wire: what is asked, in which order, and what is kept."""

import json
import shutil
import threading
from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import TypeAdapter

from connector_assets.errors import AuthError, ConfigError, ConnectorError, RequestError
from connector_assets.redact import Secrets
from connector_assets.runtime.shared.tokens import FileTokenStore
from connector_assets.spec.auth.auth import Auth, AuthContext
from tests.runtime.auth.as_httpx import AsHttpx

AUTH = TypeAdapter(Auth)
CLIENT = {"clientId": "id 1", "clientSecret": "s+1"}
OAUTH = {
    "type": "oauth2",
    "tokenUrl": "https://login.example.com/token",
    "clientIdRef": "{{secrets.clientId}}",
    "clientSecretRef": "{{secrets.clientSecret}}",
}


class Vendor:
    """An API and its token endpoint: `good` tokens pass, every renewal gives the next of `issue`."""

    def __init__(self, *issue, good=()):
        self.issue, self.good = list(issue), set(good)
        self.log, self.on_data = [], lambda: None
        self.now = 1_000.0

    def __call__(self, request):
        if request.url.host == "login.example.com":
            form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
            self.log.append(form or json.loads(request.content or b"null"))
            answer = self.issue.pop(0)
            if isinstance(answer, httpx.Response):
                return answer
            self.good.add(answer.get("access_token"))
            return httpx.Response(200, json=answer)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.on_data()
        self.log.append(token)
        return httpx.Response(200 if token in self.good else 401, json={"rows": []})

    @property
    def renewals(self):
        return [entry for entry in self.log if isinstance(entry, dict)]


class Connection:
    """One process's use of an auth."""

    def __init__(self, vendor, folder, secrets, fields=OAUTH, **context):
        held = Secrets(secrets)
        self.secrets, self.vendor = held, vendor
        self.context = AuthContext(
            connection="shop",
            secrets=held,
            scope={"secrets": held, "config": {"domain": "login"}},
            tokens=FileTokenStore(folder),
            clock=lambda: vendor.now,
            learn=held.learn,
            **context,
        )
        self.auth = AUTH.validate_python(fields).flow(self.context)

    def get(self):
        with httpx.Client(transport=httpx.MockTransport(self.vendor)) as client:
            return client.get("https://api.example.com/rows", auth=AsHttpx(self.auth)).status_code


def token(access, **more):
    return {"access_token": access, "token_type": "bearer", **more}


def test_a_token_is_got_once_and_used_until_shortly_before_its_end(tmp_path):
    vendor = Vendor(token("T1", expires_in=3600), token("T2", expires_in=3600))
    one = Connection(vendor, tmp_path, CLIENT)
    assert one.get() == 200
    vendor.now += 3539
    assert one.get() == 200
    vendor.now += 2
    assert one.get() == 200
    grant = {"grant_type": "client_credentials", "client_id": "id 1", "client_secret": "s+1"}
    assert vendor.log == [grant, "T1", "T1", grant, "T2"]


def test_a_short_life_is_used_to_its_half(tmp_path):
    vendor = Vendor(token("T1", expires_in=10), token("T2", expires_in=10))
    one = Connection(vendor, tmp_path, CLIENT)
    one.get()
    vendor.now += 4.9
    one.get()
    vendor.now += 0.2
    one.get()
    assert vendor.log[1:3] == ["T1", "T1"]
    assert vendor.log[-1] == "T2"


def test_another_process_uses_what_is_stored(tmp_path):
    vendor = Vendor(token("T1", expires_in=3600))
    Connection(vendor, tmp_path, CLIENT).get()
    Connection(vendor, tmp_path, CLIENT).get()
    assert len(vendor.renewals) == 1


@pytest.mark.parametrize(
    "changed", [{"clientSecret": "s+2"}, {"clientId": "other"}, {"refreshToken": "R9"}]
)
def test_a_changed_credential_makes_the_stored_token_void(tmp_path, changed):
    vendor = Vendor(token("T1", expires_in=3600), token("T2", expires_in=3600))
    Connection(vendor, tmp_path, CLIENT).get()
    Connection(vendor, tmp_path, CLIENT | changed).get()
    assert vendor.log[-1] == "T2"


def test_an_edited_spec_does_not_lose_a_rotated_refresh_token(tmp_path):
    vendor = Vendor(token("T1", refresh_token="R2"), token("T2"))
    secrets = CLIENT | {"refreshToken": "R1"}
    Connection(vendor, tmp_path, secrets).get()
    vendor.good.clear()
    Connection(vendor, tmp_path, secrets, OAUTH | {"leewaySeconds": 5, "scopes": ["x"]}).get()
    assert vendor.renewals[-1]["refresh_token"] == "R2"


def test_an_edited_scope_gets_the_client_another_token(tmp_path):
    vendor = Vendor(token("T1", expires_in=3600), token("T2", expires_in=3600))
    Connection(vendor, tmp_path, CLIENT).get()
    Connection(vendor, tmp_path, CLIENT, OAUTH | {"scopes": ["x"]}).get()
    assert vendor.log[-1] == "T2"


def test_a_rotated_refresh_token_is_stored_before_the_new_token_is_used(tmp_path):
    vendor = Vendor(token("T1", refresh_token="R2"), token("T2", refresh_token="R3"))
    seen = []
    vendor.on_data = lambda: seen.append(
        json.loads(next(tmp_path.glob("*.json")).read_text())["refresh"]
    )
    one = Connection(vendor, tmp_path, CLIENT | {"refreshToken": "R1"})
    one.get()
    vendor.good.clear()
    assert one.get() == 200
    assert seen == ["R2", "R2", "R3"]
    assert [form["refresh_token"] for form in vendor.renewals] == ["R1", "R2"]


def test_a_refresh_token_that_does_not_rotate_is_kept(tmp_path):
    vendor = Vendor(token("T1"), token("T2"))
    one = Connection(vendor, tmp_path, CLIENT | {"refreshToken": "R1"})
    one.get()
    vendor.good.clear()
    one.get()
    assert [form["refresh_token"] for form in vendor.renewals] == ["R1", "R1"]


def test_a_refresh_token_that_rotated_once_is_kept_where_the_next_answer_has_none(tmp_path):
    vendor = Vendor(token("T1", refresh_token="R2"), token("T2"), token("T3"))
    one = Connection(vendor, tmp_path, CLIENT | {"refreshToken": "R1"})
    for _ in range(3):
        vendor.good.clear()
        assert one.get() == 200
    assert [form["refresh_token"] for form in vendor.renewals] == ["R1", "R2", "R2"]


def test_nothing_is_sent_with_a_token_that_could_not_be_stored(tmp_path):
    vendor = Vendor(token("T1", refresh_token="R2"))
    one = Connection(vendor, tmp_path / "tokens", CLIENT | {"refreshToken": "R1"})

    def answer(request):
        shutil.rmtree(tmp_path / "tokens")
        return vendor(request)

    with (
        httpx.Client(transport=httpx.MockTransport(answer)) as client,
        pytest.raises(ConnectorError, match="token cannot be stored"),
    ):
        client.get("https://api.example.com/rows", auth=AsHttpx(one.auth))
    assert "T1" not in vendor.log


def test_a_given_token_is_used_until_it_is_refused(tmp_path):
    vendor = Vendor(token("T1"), good=["T0"])
    one = Connection(vendor, tmp_path, CLIENT | {"accessToken": "T0", "refreshToken": "R1"})
    assert one.get() == 200
    vendor.good.clear()
    assert one.get() == 200
    assert vendor.log[:2] == ["T0", "T0"]
    assert vendor.log[2]["grant_type"] == "refresh_token"
    assert vendor.log[3] == "T1"
    # The next process does not begin with the token that was refused.
    Connection(vendor, tmp_path, CLIENT | {"accessToken": "T0", "refreshToken": "R1"}).get()
    assert vendor.log[-1] == "T1"


def test_an_access_token_given_anew_goes_before_the_stored_one_and_keeps_its_refresh_token(
    tmp_path,
):
    vendor = Vendor(token("T1", refresh_token="R2"), token("T2"), good=["new"])
    given = CLIENT | {"accessToken": "T0", "refreshToken": "R1"}
    Connection(vendor, tmp_path, given).get()
    again = Connection(vendor, tmp_path, given | {"accessToken": "new"})
    assert again.get() == 200
    assert vendor.log[-1] == "new"
    vendor.good.clear()
    again.get()
    assert vendor.renewals[-1]["refresh_token"] == "R2"


def test_without_a_way_to_renew_a_refused_token_is_final(tmp_path):
    vendor = Vendor()
    assert Connection(vendor, tmp_path, {"accessToken": "T0"}).get() == 401
    assert vendor.log == ["T0"]


def test_grant_access_token_never_asks_for_another(tmp_path):
    vendor = Vendor()
    fields = OAUTH | {"grant": "access_token"}
    assert Connection(vendor, tmp_path, CLIENT | {"accessToken": "T0"}, fields).get() == 401
    assert vendor.log == ["T0"]


def test_a_token_refused_again_is_final(tmp_path):
    vendor = Vendor(token("T1"), token("T2"))
    one = Connection(vendor, tmp_path, CLIENT)
    vendor.on_data = vendor.good.clear
    assert one.get() == 401
    assert len(vendor.renewals) == 2


def test_the_same_token_again_is_not_renewed_before_every_request(tmp_path):
    vendor = Vendor(*[token("T1")] * 3)
    one = Connection(vendor, tmp_path, CLIENT)
    one.get()
    vendor.good.clear()
    one.get()
    for _ in range(5):
        assert one.get() == 200
    assert len(vendor.renewals) == 2


def test_a_rule_may_have_a_token_renewed(tmp_path):
    vendor = Vendor(token("T1"), token("T2"))
    one = Connection(vendor, tmp_path, CLIENT)
    one.get()
    one.auth.refuse()
    one.get()
    assert vendor.log[-1] == "T2"


def test_threads_renew_once(tmp_path):
    vendor = Vendor(token("T1"), token("T2"))
    one = Connection(vendor, tmp_path, CLIENT)
    one.get()
    vendor.good.clear()
    results, all_at_once = [], threading.Barrier(8)

    def get():
        all_at_once.wait()
        results.append(one.get())

    threads = [threading.Thread(target=get, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [200] * 8
    assert len(vendor.renewals) == 2


def test_tokens_obtained_are_masked_from_then_on(tmp_path):
    one = Connection(Vendor(token("acc-1234", refresh_token="ref-1234")), tmp_path, CLIENT)
    one.get()
    assert one.secrets.mask("acc-1234 ref-1234") == "[secret:accessToken] [secret:refreshToken]"


def test_refusals_say_the_code_only(tmp_path):
    body = {"error": "invalid_grant", "error_description": "s+1 expired"}
    vendor = Vendor(httpx.Response(400, json=body))
    with pytest.raises(AuthError) as caught:
        Connection(vendor, tmp_path, CLIENT).get()
    assert str(caught.value).startswith("POST login.example.com/token: 400 invalid_grant; ")
    assert "s+1" not in str(caught.value)
    assert len(vendor.renewals) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_token_endpoint_that_fails_by_its_own_fault_may_be_asked_again(tmp_path, status):
    answer = httpx.Response(status, headers={"retry-after": "7"})
    vendor = Vendor(answer, token("T1", expires_in=3600))
    one = Connection(vendor, tmp_path, CLIENT)
    with pytest.raises(RequestError, match=str(status)) as caught:
        one.get()
    assert (caught.value.retryable, caught.value.retry_after) == (True, "7")
    assert one.get() == 200


@pytest.mark.parametrize(
    "answer",
    [
        b'{"access_token": "x", "token_type": "DPoP"}',
        b'{"access_token": ["x"]}',
        b'{"access_token": {"a": 1}}',
        b'{"access_token": true}',
        b'{"access_token": ""}',
        b'{"access_token": "t\xc3\xa9"}',
        b'{"access_token": "a b"}',
        b'{"access_token": "x", "refresh_token": 5}',
        b'{"access_token": "x", "refresh_token": "a\\nb"}',
        b'{"error": "bad_refresh_token"}',
        b'["x"]',
        b'"x"',
        b"",
        b"\xff\xfe",
        b"access_token=x&token_type=bearer",
        b"[" * 100_000,
        b'{"access_token": "' + b"x" * 2_000_000 + b'"}',
    ],
)  # fmt: skip
def test_an_answer_that_is_no_token_is_an_error(tmp_path, answer):
    vendor = Vendor(httpx.Response(200, content=answer))
    vendor.good = set()
    with pytest.raises(AuthError):
        Connection(vendor, tmp_path, CLIENT).get()
    assert len(vendor.log) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirecting_token_endpoint_is_an_error(tmp_path, status):
    vendor = Vendor(httpx.Response(status, headers={"location": "https://evil.example.com/"}))
    with pytest.raises(AuthError, match="redirect"):
        Connection(vendor, tmp_path, CLIENT).get()


def test_an_http_token_url_is_refused_when_rendered_unless_the_operator_allows_its_host(tmp_path):
    vendor = Vendor(token("T1"))
    fields = OAUTH | {"tokenUrl": "{{'http://login.example.com'}}/token"}
    with pytest.raises(ConfigError, match="must be https://"):
        Connection(vendor, tmp_path, CLIENT, fields).get()
    assert vendor.log == []
    allowing = Connection(vendor, tmp_path, CLIENT, fields, plain_http=lambda url: True)
    assert allowing.get() == 200


def test_extra_parameters_scopes_and_basic_client_authentication(tmp_path):
    vendor = Vendor(token("T1"))
    more = {
        "scopes": ["a", "b"],
        "clientAuth": "basic",
        "extraParams": {"audience": "https://{{config.domain}}"},
    }
    one = Connection(vendor, tmp_path, CLIENT, OAUTH | more)
    first = next(one.auth.sync_auth_flow(httpx.Request("GET", "https://api.example.com")))
    assert first.headers["authorization"] == "Basic aWQrMTpzJTJCMQ=="
    assert parse_qs(first.content.decode()) == {
        "grant_type": ["client_credentials"], "scope": ["a b"], "audience": ["https://login"],
    }  # fmt: skip


def test_a_damaged_record_is_no_record(tmp_path):
    vendor = Vendor(token("T1", expires_in=3600), token("T2", expires_in=3600))
    Connection(vendor, tmp_path, CLIENT).get()
    next(tmp_path.glob("*.json")).write_text('{"access": ')
    Connection(vendor, tmp_path, CLIENT).get()
    next(tmp_path.glob("*.json")).write_text('{"unknown": 1}')
    vendor.issue = [token("T3", expires_in=3600)]
    Connection(vendor, tmp_path, CLIENT).get()
    assert vendor.log[-1] == "T3"
