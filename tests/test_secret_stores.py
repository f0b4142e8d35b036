"""Secrets of stores: AWS Secrets Manager as moto serves it, and the answers of Vault and Google.

Those are our own words over a socket, after the vendors' documentation; Google's login is its library's.
"""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs

import pytest

from connector_assets import parse_connection
from connector_assets.errors import ConfigError, SpecError
from connector_assets.project import secret_stores
from tests.loopback import serving
from tests.third_party.environments import python_environment
from tests.third_party.process import answering, free_port

HEAD = 'kind: connection\nversion: "1.0"\nid: shop\nconnector: shop\n'


@pytest.fixture(autouse=True)
def forgotten():
    secret_stores.read.cache_clear()
    yield
    secret_stores.read.cache_clear()


@pytest.fixture
def aws(monkeypatch, tmp_path):
    """A Secrets Manager on this machine, with the secrets that are put into it.

    moto has an environment of its own: what it asks for does not go with what dlt asks for.
    """
    from botocore.session import Session

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [python_environment("moto") / "moto_server", "-H", "127.0.0.1", "-p", str(port)]
    for name, value in (
        ("AWS_ENDPOINT_URL", url),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ):  # fmt: skip - pairs
        monkeypatch.setenv(name, value)
    with answering(command, url, tmp_path):
        yield Session().create_client("secretsmanager")


@pytest.mark.third_party
@pytest.mark.filterwarnings("ignore")
def test_a_secret_of_aws_is_its_text_or_one_of_its_pairs(aws):
    aws.create_secret(Name="prod/plain", SecretString="s3cret")
    aws.create_secret(Name="prod/shop", SecretString=json.dumps({"token": "t0ken"}))
    assert secret_stores.read("aws", "prod/plain", None) == "s3cret"
    assert secret_stores.read("aws", "prod/shop", "token") == "t0ken"
    with pytest.raises(ConfigError, match=r'"prod/shop" cannot be read .it has no "other"'):
        secret_stores.read("aws", "prod/shop", "other")
    with pytest.raises(ConfigError, match=r'"nope" cannot be read .ResourceNotFoundException'):
        secret_stores.read("aws", "nope", None)


@pytest.mark.parametrize("data", [{"data": {"token": "t0ken"}, "metadata": {}}, {"token": "t0ken"}])
def test_a_secret_of_vault_is_a_pair_of_either_version(monkeypatch, data):
    def answer(request):
        known = request.headers.get("x-vault-token") == "root" and request.path.endswith("/shop")
        return {"data": data} if known else (403, {"errors": ["permission denied"]})

    with serving(answer) as server:
        monkeypatch.setenv("VAULT_ADDR", server.origin)
        monkeypatch.setenv("VAULT_TOKEN", "root")
        assert secret_stores.read("vault", "secret/data/shop", "token") == "t0ken"
        with pytest.raises(ConfigError, match=r"cannot be read .403"):
            secret_stores.read("vault", "secret/data/other", "token")


class Google:
    """Google's token endpoint and Secret Manager: who signs as the key says gets in."""

    def __init__(self):
        self.kept = {"projects/shop-1/secrets/shop/versions/latest": json.dumps({"token": "t0ken"})}
        self.kept["projects/other/secrets/plain/versions/3"] = "s3cret é"
        self.claims = []

    def __call__(self, request):
        if request.path == "/token":
            import jwt

            (assertion,) = parse_qs(request.body.decode())["assertion"]
            options = {"verify_aud": False, "verify_iat": False}
            self.claims.append(jwt.decode(assertion, self.public, ["RS256"], options=options))
            return {"access_token": "ya29.fresh", "expires_in": 3600, "token_type": "Bearer"}
        if request.headers.get("authorization") != "Bearer ya29.fresh":
            return 401, {"error": {"status": "UNAUTHENTICATED"}}
        name = request.path.removeprefix("/v1/").removesuffix(":access")
        if name not in self.kept:
            return 404, {"error": {"status": "NOT_FOUND"}}
        data = base64.b64encode(self.kept[name].encode()).decode()
        return {"name": name, "payload": {"data": data}}


@pytest.fixture
def google(monkeypatch, tmp_path):
    """Secret Manager on this machine, and a service account that may read it."""
    pytest.importorskip("google.auth")
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    service = Google()
    service.public = key.public_key()
    pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    with serving(service) as server:
        account = {
            "type": "service_account",
            "project_id": "shop-1",
            "client_email": "reader@shop-1.iam.gserviceaccount.com",
            "private_key": pem.decode(),
            "token_uri": f"{server.origin}/token",
        }
        file = tmp_path / "account.json"
        file.write_text(json.dumps(account))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
        monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER", f"{server.origin}/")
        yield service


def test_a_secret_of_google_is_read_by_its_version_as_whom_the_account_says(google):
    assert secret_stores.read("gcp", "shop", "token") == "t0ken"
    assert secret_stores.read("gcp", "projects/other/secrets/plain/versions/3", None) == "s3cret é"
    assert google.claims[0]["iss"] == "reader@shop-1.iam.gserviceaccount.com"
    assert google.claims[0]["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    with pytest.raises(ConfigError, match=r'gcp: the secret "nope" cannot be read .404'):
        secret_stores.read("gcp", "nope", None)


def test_an_account_that_cannot_log_in_is_said_without_its_key(google, monkeypatch, tmp_path):
    (tmp_path / "bad.json").write_text('{"type": "service_account", "private_key": "hunter2"}')
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "bad.json"))
    with pytest.raises(ConfigError, match="cannot be read") as raised:
        secret_stores.read("gcp", "shop", None)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        (
            "a",
            "https://secretmanager.googleapis.com/v1/projects/p/secrets/a/versions/latest:access",
        ),
        (
            "projects/q/secrets/a/versions/7",
            "https://secretmanager.googleapis.com/v1/projects/q/secrets/a/versions/7:access",
        ),
        (
            "projects/q/locations/europe-west3/secrets/a",
            (
                "https://secretmanager.europe-west3.rep.googleapis.com/v1/projects/q/locations/"
                "europe-west3/secrets/a/versions/latest:access"
            ),
        ),
    ],
)
def test_a_version_of_google_has_one_address(monkeypatch, name, url):
    monkeypatch.delenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER", raising=False)
    assert secret_stores._google_url(name, "p") == url


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("{aws: a, env: B}", "must be {env: NAME} or {file: PATH}, or one of aws, vault, gcp"),
        ("{vault: secret/data/shop}", "is required with vault"),
        ("{env: A, key: b}", "is for a secret of a store"),
        ("{gcp: projects/p/shop}", "must be a name, or projects/P/secrets/NAME"),
        ("{gcp: '../x'}", "must be a name, or projects/P/secrets/NAME"),
    ],
)
def test_a_source_that_cannot_be_is_a_fault(source, fault):
    with pytest.raises(SpecError, match=fault):
        parse_connection(f"{HEAD}secrets: {{token: {source}}}\n")
