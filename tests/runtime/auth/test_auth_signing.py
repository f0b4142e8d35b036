"""Credentials that are computed: JWT, sessions, digest and AWS signatures, against other people's
implementations and published vectors."""

import base64
import datetime as dt
import json
import threading

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pydantic import TypeAdapter

from connector_assets.errors import AuthError, ConfigError
from connector_assets.redact import Secrets
from connector_assets.runtime.http.render import first_call, request_of
from connector_assets.runtime.shared.tokens import FileTokenStore
from connector_assets.spec.auth.auth import Auth, AuthContext
from tests.runtime.auth.as_httpx import AsHttpx

AUTH = TypeAdapter(Auth)
PEM = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8
NONE = serialization.NoEncryption()


class Now:
    def __init__(self):
        self.now = 1_700_000_000.5

    def __call__(self):
        return self.now


def context(secrets, folder, clock=None, **config):
    held = Secrets(secrets)
    scope = {"secrets": held, "config": config}
    return AuthContext(
        connection="shop",
        secrets=held,
        scope=scope,
        tokens=FileTokenStore(folder),
        clock=clock or Now(),
        learn=held.learn,
        request=lambda login: request_of(first_call(login, scope), scope).to_httpx(),
    )


def keys():
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return {
        "RS256": rsa_key,
        "PS256": rsa_key,
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }


def pem(key):
    return key.private_bytes(PEM, PKCS8, NONE).decode()


@pytest.fixture(scope="module")
def private_keys():
    return keys()


def signed_by(fields, secrets, folder, clock=None, **config):
    flow = AUTH.validate_python({"type": "jwt", "keyRef": "{{secrets.key}}", **fields})
    auth = flow.flow(context(secrets, folder, clock, **config))
    return auth, next(auth.sync_auth_flow(httpx.Request("GET", "https://api.example.com")))


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
def test_a_jwt_is_one_that_others_verify(tmp_path, private_keys, algorithm):
    fields = {
        "algorithm": algorithm,
        "claims": {"iss": "{{config.team}}", "aud": "appstore", "scope": ["GET {{config.team}}"]},
        "headers": {"kid": "{{secrets.kid}}"},
        "lifetimeSeconds": 600,
    }
    key = private_keys[algorithm]
    _, request = signed_by(fields, {"key": pem(key), "kid": "k1"}, tmp_path, team="T9")
    scheme, token = request.headers["authorization"].split(" ")
    claims = jwt.decode(
        token,
        key.public_key(),
        [algorithm],
        audience="appstore",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert scheme == "Bearer"
    assert claims == {
        "iss": "T9",
        "aud": "appstore",
        "scope": ["GET T9"],
        "iat": 1_700_000_000,
        "exp": 1_700_000_600,
    }
    assert jwt.get_unverified_header(token)["kid"] == "k1"


def test_a_jwt_with_a_shared_key_goes_where_it_is_told(tmp_path):
    fields = {"algorithm": "HS256", "in": "query", "name": "jwt"}
    _, request = signed_by(fields, {"key": "short"}, tmp_path)
    claims = jwt.decode(request.url.params["jwt"], options={"verify_signature": False})
    assert set(claims) == {"iat", "exp"}


def test_a_jwt_is_signed_again_before_it_expires(tmp_path):
    clock = Now()
    auth, first = signed_by(
        {"algorithm": "HS256", "lifetimeSeconds": 100}, {"key": "k" * 32}, tmp_path, clock
    )
    tokens = [first.headers["authorization"]]
    for passed in (89, 2):
        clock.now += passed
        request = next(auth.sync_auth_flow(httpx.Request("GET", "https://api.example.com")))
        tokens.append(request.headers["authorization"])
    assert tokens[0] == tokens[1] != tokens[2]


def test_a_pem_key_may_have_lost_its_line_breaks_in_the_environment(tmp_path, private_keys):
    key = pem(private_keys["ES256"]).replace("\n", "\\n")
    signed_by({"algorithm": "ES256"}, {"key": key}, tmp_path)


@pytest.mark.parametrize(
    "key", ["no key", "-----BEGIN PRIVATE KEY-----\nzq\n-----END PRIVATE KEY-----"]
)
def test_a_key_that_cannot_sign_is_named_and_not_shown(tmp_path, key):
    with pytest.raises(ConfigError, match="cannot sign with RS256") as caught:
        signed_by({"algorithm": "RS256"}, {"key": key}, tmp_path)
    assert key not in str(caught.value)


def test_a_jwt_bearer_grant_sends_a_signed_assertion(tmp_path, private_keys):
    fields = {
        "type": "oauth2",
        "grant": "jwt_bearer",
        "tokenUrl": "https://login.example.com/token",
        "keyRef": "{{secrets.key}}",
        "claims": {"iss": "{{secrets.email}}", "scope": "read"},
    }
    key = private_keys["RS256"]
    given = {"key": pem(key), "email": "me@project"}
    auth = AUTH.validate_python(fields).flow(context(given, tmp_path))
    flow = auth.sync_auth_flow(httpx.Request("GET", "https://api.example.com"))
    asked = next(flow)
    form = httpx.QueryParams(asked.content.decode())
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(
        form["assertion"],
        key.public_key(),
        ["RS256"],
        audience="https://login.example.com/token",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["iss"] == "me@project"
    request = flow.send(httpx.Response(200, json={"access_token": "T1"}, request=asked))
    assert request.headers["authorization"] == "Bearer T1"


SESSION = {
    "type": "session",
    "login": {
        "url": "https://{{config.host}}/session",
        "body": {
            "json": {"username": "{{secrets.user}}", "password": "{{secrets.password}}", "n": 1}
        },
    },
    "tokenPath": "data.id",
    "name": "X-Session",
    "expiresSeconds": 100,
}


class Logins:
    def __init__(self):
        self.count, self.good = 0, None

    def __call__(self, request):
        if request.url.path == "/session":
            assert json.loads(request.content) == {"username": "joe", "password": "p w", "n": 1}
            assert request.method == "POST"
            self.count += 1
            self.good = f"S{self.count}"
            return httpx.Response(200, json={"data": {"id": self.good}})
        return httpx.Response(200 if request.headers["x-session"] == self.good else 401)


def test_a_session_logs_in_once_and_again_when_it_expires_or_is_refused(tmp_path):
    vendor, clock = Logins(), Now()
    given = context({"user": "joe", "password": "p w"}, tmp_path, clock, host="api.example.com")
    auth = AUTH.validate_python(SESSION).flow(given)
    with httpx.Client(transport=httpx.MockTransport(vendor)) as client:

        def get():
            return client.get("https://api.example.com/rows", auth=AsHttpx(auth)).status_code

        assert [get(), get()] == [200, 200]
        assert vendor.count == 1
        clock.now += 60
        assert get() == 200
        assert vendor.count == 2
        vendor.good = None
        assert get() == 200
        assert vendor.count == 3
    assert given.secrets.mask("S3") == "[secret:accessToken]"


def test_a_session_token_is_judged_like_any_other(tmp_path):
    given = context({"user": "joe", "password": "p w"}, tmp_path, host="api.example.com")
    auth = AUTH.validate_python(SESSION).flow(given)
    flow = auth.sync_auth_flow(httpx.Request("GET", "https://api.example.com/rows"))
    asked = next(flow)
    with pytest.raises(AuthError, match=r'without a token at "data\.id"'):
        flow.send(httpx.Response(200, json={"ok": True}, request=asked))


def test_a_session_needs_a_literal_https_url_or_a_template():
    with pytest.raises(ValueError, match="must be https://"):
        AUTH.validate_python(SESSION | {"login": {"url": "http://api.example.com/session"}})


@pytest.fixture(scope="module")
def digest_server():
    """Flask-HTTPAuth's digest, not ours."""
    flask = pytest.importorskip("flask")
    http_auth = pytest.importorskip("flask_httpauth")
    from werkzeug.serving import make_server

    app = flask.Flask(__name__)
    app.config["SECRET_KEY"] = "for tests"
    digest = http_auth.HTTPDigestAuth(qop="auth", algorithm="MD5")
    digest.get_password({"joe": "p:w"}.get)

    @app.route("/rows")
    @digest.login_required
    def rows():
        return {"rows": [{"id": 1}]}

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/rows?a=1&b=x%20y"
    server.shutdown()
    server.server_close()
    thread.join()


DIGEST = {
    "type": "digest",
    "usernameRef": "{{secrets.user}}",
    "passwordRef": "{{secrets.password}}",
}


@pytest.mark.parametrize(("password", "status"), [("p:w", 200), ("wrong", 401)])
def test_digest_against_another_implementation(digest_server, tmp_path, password, status):
    auth = AUTH.validate_python(DIGEST).flow(
        context({"user": "joe", "password": password}, tmp_path)
    )
    with httpx.Client() as client:
        assert [client.get(digest_server, auth=AsHttpx(auth)).status_code for _ in range(3)] == [
            status
        ] * 3


@pytest.mark.parametrize(
    "challenge",
    [
        'Digest realm="a"',
        'Digest realm="a", nonce="b", algorithm=ROT13',
        'Digest realm="a", nonce="b", qop="auth-int"',
        'Digest realm="a", nonce="b", qop="other"',
        "Digest zq",
    ],
)
def test_a_challenge_that_cannot_be_answered_is_an_error(tmp_path, challenge):
    auth = AUTH.validate_python(DIGEST).flow(context({"user": "joe", "password": "w"}, tmp_path))
    wire = httpx.MockTransport(
        lambda _: httpx.Response(401, headers={"www-authenticate": challenge})
    )
    with httpx.Client(transport=wire) as client, pytest.raises(AuthError, match="challenge"):
        client.get("https://api.example.com/", auth=AsHttpx(auth))


# From AWS's own test suite for Signature Version 4, as aws-c-auth publishes it. Left out are paths
# with characters that the suite sends raw: a client sends them percent-encoded, and AWS then wants
# the encoded path encoded again.
AWS_VECTORS = [
    ("GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ("POST", "/?Param1=value1", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
    ("GET", "/?Param1=value1", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
    ("GET", "/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ("GET", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"),
    ("GET", "/?\u1234=bar", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
    ("GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
    ("GET", "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
    ("GET", "//example//", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
    ("GET", "/./example", "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
]  # fmt: skip
AWS = {
    "type": "aws_sigv4",
    "accessKeyIdRef": "{{secrets.id}}",
    "secretAccessKeyRef": "{{secrets.key}}",
    "sessionTokenRef": "{{secrets.session}}",
    "region": "us-east-1",
    "service": "service",
}
AWS_SECRETS = {"id": "AKIDEXAMPLE", "key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}


@pytest.fixture
def in_2015(monkeypatch):
    """botocore reads the clock itself; the vectors are of one instant."""
    module = pytest.importorskip("botocore.auth")
    at = dt.datetime(2015, 8, 30, 12, 36, tzinfo=dt.UTC)
    monkeypatch.setattr(module, "get_current_datetime", lambda *_args, **_kw: at)


def aws_signed(method, target, secrets, folder, **fields):
    auth = AUTH.validate_python(AWS | fields).flow(context(secrets, folder))
    request = httpx.Request(method, f"https://example.amazonaws.com{target}")
    return next(auth.sync_auth_flow(request))


@pytest.mark.parametrize(("method", "target", "signature"), AWS_VECTORS)
def test_aws_signatures_are_those_that_aws_publishes(tmp_path, in_2015, method, target, signature):
    request = aws_signed(method, target, AWS_SECRETS, tmp_path)
    assert request.headers["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}"
    )


def test_an_aws_session_token_is_signed_with_the_rest(tmp_path, in_2015):
    session = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
    request = aws_signed("GET", "/", AWS_SECRETS | {"session": session}, tmp_path)
    assert request.headers["x-amz-security-token"] == session
    assert request.headers["authorization"].endswith(
        "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"
    )


def test_aws_session_tokens_are_optional(tmp_path, in_2015):
    assert "x-amz-security-token" not in aws_signed("GET", "/", AWS_SECRETS, tmp_path).headers


def test_a_request_to_s3_says_what_its_body_is(tmp_path, in_2015):
    request = aws_signed("GET", "/a%20b", AWS_SECRETS, tmp_path, service="s3")
    assert len(request.headers["x-amz-content-sha256"]) == 64
    assert base64.b16decode(request.headers["x-amz-content-sha256"], casefold=True)
