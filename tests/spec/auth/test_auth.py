"""The auth family: what a document may say, and what each member puts on a request."""

import httpx
import pytest
from pydantic import TypeAdapter, ValidationError

from connector_assets.errors import ConfigError
from connector_assets.redact import Secrets
from connector_assets.runtime.shared.tokens import MemoryTokenStore
from connector_assets.spec.auth.auth import Auth, AuthContext, alternatives, choose

AUTH = TypeAdapter(Auth)


def auth(**fields):
    return AUTH.validate_python(fields)


def context(secrets, **scope):
    held = Secrets(secrets)
    return AuthContext(
        connection="shop", secrets=held, scope={"secrets": held, **scope}, tokens=MemoryTokenStore()
    )


def sent(member, secrets, request=None, **scope):
    """The request as `member` would send it first."""
    request = request or httpx.Request("GET", "https://api.example.com/items?a=1&b=%20x")
    return next(member.flow(context(secrets, **scope)).sync_auth_flow(request))


def faults(**fields):
    with pytest.raises(ValidationError) as caught:
        auth(**fields)
    return [
        (
            ".".join(map(str, e["loc"][1:])) or e.get("ctx", {}).get("at", ""),
            e["msg"].removeprefix("Value error, "),
        )
        for e in caught.value.errors(include_input=False)
    ]


KEY = {"type": "api_key", "name": "X-Key", "valueRef": "{{secrets.k}}"}
OAUTH = {
    "type": "oauth2",
    "tokenUrl": "https://login.example.com/token",
    "clientIdRef": "{{secrets.clientId}}",
    "clientSecretRef": "{{secrets.clientSecret}}",
}


def test_none_adds_nothing():
    assert auth(type="none").flow(context({})) is None


def test_an_api_key_goes_into_a_header_once():
    request = httpx.Request("GET", "https://api.example.com", headers={"x-key": "old"})
    assert sent(auth(**KEY), {"k": "k-1"}, request).headers.get_list("x-key") == ["k-1"]


def test_an_api_key_has_its_prefix_as_it_stands():
    assert sent(auth(**KEY, prefix="Token "), {"k": "k-1"}).headers["x-key"] == "Token k-1"


@pytest.mark.parametrize(
    "member",
    [
        KEY,
        KEY | {"prefix": "Token "},
        {"type": "bearer", "tokenRef": "{{secrets.k}}"},
        {"type": "basic", "usernameRef": "{{secrets.k}}", "passwordRef": "{{secrets.k}}"},
    ],
)
def test_a_credential_that_is_a_header_needs_no_flow(member):
    name, value = auth(**member).flow(context({"k": "k-1"})).header()
    assert sent(auth(**member), {"k": "k-1"}).headers[name] == value
    with pytest.raises(ConfigError, match="cannot carry"):
        auth(**KEY).flow(context({"k": "a\r\nX: y"})).header()


@pytest.mark.parametrize("place", ["query", "cookie", "body"])
def test_a_credential_elsewhere_is_no_header(place):
    assert auth(**KEY | {"in": place}).flow(context({"k": "k-1"})).header() is None


def test_an_api_key_in_the_query_leaves_the_rest_of_it_alone():
    member = auth(**KEY | {"in": "query", "name": "api key"})
    assert sent(member, {"k": "a&b"}).url.raw_path == b"/items?a=1&b=%20x&api%20key=a%26b"


def test_an_api_key_in_the_query_replaces_its_own_parameter():
    request = httpx.Request("GET", "https://api.example.com/?key=old&x=1&key=older")
    member = auth(**KEY | {"in": "query", "name": "key"})
    assert sent(member, {"k": "new"}, request).url.query == b"x=1&key=new"


def test_an_api_key_in_a_cookie_joins_the_others():
    request = httpx.Request("GET", "https://api.example.com", headers={"cookie": "a=1; sid=old"})
    member = auth(**KEY | {"in": "cookie", "name": "sid"})
    assert sent(member, {"k": "s3"}, request).headers["cookie"] == "a=1; sid=s3"


def test_an_api_key_in_a_json_body_leaves_the_other_fields_byte_for_byte():
    body = b'{"n": 1180591620717411303425, "f": 1.50, "key": "old"}'
    request = httpx.Request(
        "POST",
        "https://api.example.com",
        content=body,
        headers={"content-type": "application/json"},
    )
    got = sent(auth(**KEY | {"in": "body", "name": "key"}), {"k": 'q"'}, request)
    assert got.content == b'{"n":1180591620717411303425,"f":1.50,"key":"q\\""}'
    assert got.headers["content-length"] == str(len(got.content))


def test_an_api_key_in_a_form():
    request = httpx.Request("POST", "https://api.example.com", data={"a": "1", "key": "old"})
    got = sent(auth(**KEY | {"in": "body", "name": "key"}), {"k": "n&w"}, request)
    assert got.content == b"a=1&key=n%26w"


def test_an_api_key_cannot_go_into_a_body_that_is_a_list():
    request = httpx.Request("POST", "https://api.example.com", json=[1])
    with pytest.raises(ConfigError, match="neither a JSON object nor a form"):
        sent(auth(**KEY | {"in": "body", "name": "key"}), {"k": "v"}, request)


@pytest.mark.parametrize("value", ["zq\r\nX-Evil: 1", "zq\n", " zq", "zq\0", "kéy"])
def test_a_secret_that_no_header_can_carry_is_refused_without_showing_it(value):
    with pytest.raises(ConfigError) as caught:
        sent(auth(**KEY), {"k": value})
    assert value not in str(caught.value)


@pytest.mark.parametrize("value", ["a;b", "a b", "a\r\n", 'a"'])
def test_a_secret_that_no_cookie_can_carry_is_refused(value):
    with pytest.raises(ConfigError, match="cookie"):
        sent(auth(**KEY | {"in": "cookie"}), {"k": value})


def test_an_empty_secret_is_never_sent():
    with pytest.raises(ConfigError, match="empty"):
        sent(auth(type="bearer", tokenRef="{{secrets.t}}"), {"t": ""})


def test_bearer():
    member = auth(type="bearer", tokenRef="{{secrets.t}}")
    assert sent(member, {"t": "abc"}).headers["authorization"] == "Bearer abc"


@pytest.mark.parametrize(
    ("fields", "secrets", "expected"),
    [
        ({"usernameRef": "{{secrets.u}}", "passwordRef": "{{secrets.p}}"}, {"u": "joe", "p": "pässword"}, "am9lOnDDpHNzd29yZA=="),
        ({"usernameRef": "{{secrets.u}}", "passwordRef": ""}, {"u": "sk_1"}, "c2tfMTo="),
        ({"usernameRef": "{{secrets.u}}"}, {"u": "sk_1"}, "c2tfMTo="),
        ({"usernameRef": "{{secrets.u}}", "passwordRef": "{{secrets.p}}"}, {"u": "sk_1", "p": ""}, "c2tfMTo="),
        ({"usernameRef": "{{config.login}}", "passwordRef": "{{secrets.p}}"}, {"p": "w"}, "am9lOnc="),
        ({"usernameRef": "{{secrets.u}}", "passwordRef": "{{'api_token'}}"}, {"u": "t"}, "dDphcGlfdG9rZW4="),
    ],
)  # fmt: skip
def test_basic(fields, secrets, expected):
    member = auth(type="basic", **fields)
    assert (
        sent(member, secrets, config={"login": "joe"}).headers["authorization"]
        == f"Basic {expected}"
    )


def test_basic_refuses_a_user_name_with_a_colon():
    member = auth(type="basic", usernameRef="{{secrets.u}}", passwordRef="{{secrets.p}}")
    with pytest.raises(ConfigError, match="colon"):
        sent(member, {"u": "a:b", "p": "c"})


def test_a_given_access_token_is_used():
    request = sent(auth(**OAUTH, scopes=["api"]), {"accessToken": "T0"})
    assert request.headers["authorization"] == "Bearer T0"


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example.com/token",
        "javascript:alert(1)",
        "HTTP://x/",
        "https:///t",
        "//x/t",
        "/token",
        "ftp://x",
        "http://{{config.h}}/token",
        "javascript:{{config.h}}",
    ],
)
@pytest.mark.parametrize("field", ["tokenUrl", "authorizeUrl"])
def test_a_token_url_is_https(url, field):
    assert faults(**OAUTH | {field: url}) == [(field, "must be https://")]


@pytest.mark.parametrize(
    "url", ["https://{{config.host}}/token", "{{config.base}}/token", "HTTPS://login.example.com/t"]
)
def test_a_token_url_may_be_a_template(url):
    auth(**OAUTH | {"tokenUrl": url})


LITERAL = "must be a template that reads secrets, like {{secrets.apiKey}}"


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        (KEY | {"valueRef": "hunter2"}, "valueRef"),
        (KEY | {"valueRef": "{{config.key}}"}, "valueRef"),
        ({"type": "bearer", "tokenRef": "abc"}, "tokenRef"),
        (OAUTH | {"clientSecretRef": "hunter2"}, "clientSecretRef"),
        (OAUTH | {"accessTokenRef": "hunter2"}, "accessTokenRef"),
        (OAUTH | {"refreshTokenRef": "hunter2"}, "refreshTokenRef"),
        ({"type": "digest", "usernameRef": "{{secrets.u}}", "passwordRef": "hunter2"}, "passwordRef"),
        ({"type": "basic", "usernameRef": "{{config.u}}", "passwordRef": "{{config.p}}"}, "passwordRef"),
    ],
)  # fmt: skip
def test_a_literal_secret_is_a_fault(fields, at):
    assert faults(**fields) == [(at, LITERAL)]


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        (OAUTH | {"clientIdRef": "abc"}, "clientIdRef"),
        ({"type": "basic", "usernameRef": "joe", "passwordRef": "{{secrets.p}}"}, "usernameRef"),
        ({"type": "basic", "usernameRef": "{{secrets.u}}", "passwordRef": "hunter2"}, "passwordRef"),
    ],
)  # fmt: skip
def test_a_literal_name_is_a_fault_too(fields, at):
    assert [path for path, _ in faults(**fields)] == [at]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"type": "basic"}, ("", "must have usernameRef or passwordRef")),
        ({"type": "magic"}, None),
        (KEY | {"in": "path"}, ("in", "Input should be 'header', 'query', 'body' or 'cookie'")),
        ({"type": "api_key", "valueRef": "{{secrets.k}}"}, ("name", "Field required")),
        (KEY | {"name": "X Key"}, ("name", "is not the name of a header")),
        (KEY | {"name": "Host"}, ("name", "cannot be set; it follows from the request")),
        (OAUTH | {"grant": "password"}, ("", "must have usernameRef with grant: password")),
        (OAUTH | {"grant": "jwt_bearer"}, ("", "must have keyRef with grant: jwt_bearer")),
        (OAUTH | {"usernameRef": "{{secrets.u}}"}, ("usernameRef", "is only for grant: password")),
        ({"type": "oauth2", "grant": "client_credentials", "tokenUrl": "https://x.io/t"}, ("", "must have clientIdRef with grant: client_credentials")),
        ({"type": "oauth2"}, ("", 'must have tokenUrl, unless "grant: access_token"')),
        (OAUTH | {"leewaySeconds": -1}, ("leewaySeconds", "Input should be greater than or equal to 0")),
        ({"type": "jwt", "algorithm": "none", "keyRef": "{{secrets.k}}"}, None),
        ({"type": "jwt", "algorithm": "HS256", "keyRef": "{{secrets.k}}", "claims": {"a": {"b": ["{{oops"]}}}, None),
    ],
)  # fmt: skip
def test_a_fault_stands_at_its_field(fields, expected):
    found = faults(**fields)
    assert len(found) == 1
    assert expected is None or found == [expected]


def test_the_first_auth_whose_secrets_are_all_given_is_chosen():
    auths = [auth(**OAUTH), auth(**KEY), auth(type="none")]
    assert choose(auths, None, {"k": "1"}).type == "api_key"
    assert choose(auths, None, {"accessToken": "1"}).type == "oauth2"
    assert choose(auths, None, {"clientId": "1", "clientSecret": "2"}).type == "oauth2"
    assert choose(auths, None, {"refreshToken": "1"}).type == "none"
    assert choose([], None, {}).type == "none"


def test_an_empty_secret_is_not_given_except_as_one_half_of_basic():
    basic = auth(type="basic", usernameRef="{{secrets.u}}", passwordRef="{{secrets.p}}")
    assert choose([auth(**KEY), auth(type="none")], None, {"k": ""}).type == "none"
    assert choose([basic], None, {"u": "1", "p": ""}).type == "basic"
    for secrets in ({"u": "1"}, {"u": "", "p": ""}):
        with pytest.raises(ConfigError):
            choose([basic], None, secrets)


def test_an_aws_session_token_may_be_left_out():
    refs = {"accessKeyIdRef": "{{secrets.i}}", "secretAccessKeyRef": "{{secrets.k}}"}
    more = {"sessionTokenRef": "{{secrets.s}}", "region": "eu-west-1", "service": "s3"}
    member = auth(type="aws_sigv4", **refs, **more)
    assert member.ways() == ({"i", "k"}, {"i", "k", "s"})
    assert choose([member], None, {"i": "1", "k": "2"}) is member


def test_the_way_in_use_is_known():
    member = auth(**OAUTH)
    assert member.way({"accessToken": "1", "k": "2"}) == {"accessToken"}
    client = {"clientId": "1", "clientSecret": "2"}
    assert member.way(client | {"refreshToken": "3"}) == {"refreshToken", *client}
    assert member.way({"clientId": "1"}) is None


def test_a_connection_picks_by_type_or_position():
    auths = [auth(**OAUTH), auth(**KEY)]
    assert choose(auths, "api_key", {"k": "1", "accessToken": "2"}).type == "api_key"
    assert choose(auths, 1, {"k": "1", "accessToken": "2"}).type == "api_key"
    assert choose(auths, "1", {"k": "1"}).type == "api_key"


@pytest.mark.parametrize("pick", ["basic", 2, -1])
def test_picking_what_is_not_there_lists_what_is(pick):
    with pytest.raises(ConfigError, match=r"use one of 0 \(oauth2\), 1 \(api_key\)"):
        alternatives([auth(**OAUTH), auth(**KEY)], pick)


def test_what_is_missing_is_said_for_each_alternative():
    with pytest.raises(ConfigError) as caught:
        choose([auth(**OAUTH), auth(**KEY)], None, {"clientId": "1"}, variable="SHOP__{}".format)
    assert str(caught.value) == (
        "no auth has all its secrets; oauth2: set SHOP__accessToken, or api_key: set SHOP__k"
    )


def test_origins_are_those_of_the_token_endpoint():
    member = auth(**OAUTH | {"tokenUrl": "https://{{config.h}}:8443/token"})
    assert member.origins({"config": {"h": "Login.example.com"}}) == {
        "https://login.example.com:8443"
    }
    assert auth(**KEY).origins({}) == frozenset()


def test_names_are_all_that_its_templates_read():
    member = auth(**OAUTH | {"tokenUrl": "https://{{config.h}}/token"})
    assert {"config.h", "secrets.clientId", "secrets.refreshToken"} <= member.names()
