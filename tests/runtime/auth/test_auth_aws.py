"""AWS signatures as a service checks them: from the bytes that arrive, by AWS's own description.

`verified` follows https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
and no library. That it reads the description rightly is shown by botocore's own clients.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from urllib.parse import quote, unquote_to_bytes

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from connector_assets import HttpRuntime, parse_connector
from connector_assets.redact import Secrets
from connector_assets.runtime.shared.tokens import MemoryTokenStore
from connector_assets.spec.auth.auth import Auth, AuthContext
from tests.loopback import serving

botocore = pytest.importorskip("botocore.session")
SECRETS = {"id": "AKIDEXAMPLE", "key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
AUTH = {
    "type": "aws_sigv4",
    "accessKeyIdRef": "{{secrets.id}}",
    "secretAccessKeyRef": "{{secrets.key}}",
    "region": "us-east-1",
    "service": "lambda",
}
SPEC = """
kind: connector
version: "1.0"
id: signed
displayName: Signed
auth:
  - type: aws_sigv4
    accessKeyIdRef: "{{{{secrets.id}}}}"
    secretAccessKeyRef: "{{{{secrets.key}}}}"
    region: us-east-1
    service: {service}
endpoints:
  - id: rows
    url: "{{{{base}}}}{path}"
    params: {{name: "{{{{name}}}}", "a b": "c:d/e+f*"}}
    responseRowsPath: rows
read: {{primary: rows}}
"""


def verified(method, target, headers, body, *, double=True):
    """Whether the request carries the signature that AWS computes for it."""
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(.+), ?SignedHeaders=(.+), ?Signature=(.+)",
        headers["authorization"],
    )
    _, scope, names, signature = found.groups()
    path, _, query = target.partition("?")
    path = "/".join(quote(part, safe="~") for part in path.split("/")) if double else recoded(path)
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    pairs = sorted((encoded(name), encoded(value)) for name, _, value in pairs)
    canonical = [
        method,
        path,
        "&".join(f"{name}={value}" for name, value in pairs),
        *(f"{name}:{' '.join(headers[name].split())}" for name in names.split(";")),
        "",
        names,
        headers.get("x-amz-content-sha256") or hashlib.sha256(body).hexdigest(),
    ]
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    signed = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, digest])
    key = ("AWS4" + SECRETS["key"]).encode()
    for part in (*scope.split("/"), signed):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex() == signature


def encoded(text):
    return quote(unquote_to_bytes(text.replace("+", "%20")), safe="~")


def recoded(path):
    return "/".join(quote(unquote_to_bytes(part), safe="~") for part in path.split("/"))


class Service:
    """A server that says whether it believes each request."""

    def __init__(self, *, double=True):
        self.double, self.believed, self.targets = double, [], []

    def __call__(self, request):
        self.targets.append(request.target)
        self.believed.append(
            verified(
                request.method, request.target, request.headers, request.body, double=self.double
            )
        )
        return {"rows": [{"id": 1}]}


ODD = ["a b", "\u1234", "a/b", "a+b", "(x)*'!", "50%", "a:b@c$d,e;f=g&h", "~-._"]


@pytest.mark.parametrize("name", ODD)
def test_the_checker_believes_botocores_own_client(name):
    """A service but S3 encodes the encoded path again; encoding once would refuse botocore."""
    service = Service()
    with serving(service) as api:
        client = botocore.get_session().create_client(
            "lambda",
            region_name="us-east-1",
            endpoint_url=api.origin,
            aws_access_key_id=SECRETS["id"],
            aws_secret_access_key=SECRETS["key"],
        )
        client.get_function(FunctionName=name, Qualifier=name)
    assert service.believed == [True]


def test_a_path_encoded_once_is_not_what_services_compute():
    with serving(Service(double=False)) as api:
        client = botocore.get_session().create_client(
            "lambda",
            region_name="us-east-1",
            endpoint_url=api.origin,
            aws_access_key_id=SECRETS["id"],
            aws_secret_access_key=SECRETS["key"],
        )
        client.get_function(FunctionName="a b")
        assert api.answer.believed == [False]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("service", ["lambda", "s3"])
def test_requests_as_sent_are_believed(name, service):
    server = Service(double=service != "s3")
    with serving(server) as api, HttpRuntime([api.host]) as runtime:
        spec = parse_connector(SPEC.format(service=service, path="/x(y)/{{name}}:z"))
        given = {"base": api.origin, "name": name}
        list(runtime.execute_endpoint(spec, "rows", params=given, secrets=SECRETS).rows)
    assert server.believed == [True], server.targets


PRINTABLE = st.characters(min_codepoint=0x21, max_codepoint=0x2FF, exclude_categories=["Cc"])


@settings(max_examples=150, deadline=None)
@given(
    path=st.text(PRINTABLE, max_size=12),
    query=st.text(PRINTABLE, max_size=12),
    double=st.booleans(),
)
def test_any_url_that_httpx_can_send_is_signed_as_it_arrives(path, query, double):
    held = Secrets(SECRETS)
    context = AuthContext("c", held, {"secrets": held}, MemoryTokenStore())
    fields = AUTH | {"service": "lambda" if double else "s3"}
    path, query = path.replace("?", "").replace("#", ""), query.replace("#", "")
    request = httpx.Request("GET", f"https://h.example.com/{path}?{query}")
    auth = TypeAdapter(Auth).validate_python(fields).flow(context)
    before = request.url
    signed = next(auth.sync_auth_flow(request))
    target = signed.url.raw_path.decode("ascii")
    headers = {name.lower(): value for name, value in signed.headers.items()}
    if "//" not in target.partition("?")[0]:  # runs of slashes are one, but for S3
        assert verified("GET", target, headers, b"", double=double)
    assert signed.url.path == before.path
    wanted = httpx.QueryParams(before.query.decode("ascii"))
    assert signed.url.params.multi_items() == wanted.multi_items()


# The two of AWS's vectors whose paths the suite writes raw. No client sends them so; encoded once,
# as the suite encodes them, they have its signatures, and what is sent has another: see above.
RAW = [
    ("/example%20space/", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
    ("/%E1%88%B4", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
]


@pytest.mark.parametrize(("path", "signature"), RAW)
def test_raw_paths_have_the_suites_signature_where_they_are_encoded_once(path, signature):
    headers = {
        "host": "example.amazonaws.com",
        "x-amz-date": "20150830T123600Z",
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service"
        f"/aws4_request, SignedHeaders=host;x-amz-date, Signature={signature}",
    }
    assert verified("GET", path, headers, b"", double=False)
    assert not verified("GET", path, headers, b"", double=True)
