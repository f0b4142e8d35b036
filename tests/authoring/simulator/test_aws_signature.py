"""Signatures of AWS: those that AWS publishes, those of botocore, and wrong ones."""

from dataclasses import replace

import pytest

from connector_assets.authoring.simulator.aws_signature import AwsKey
from connector_assets.authoring.simulator.wire import ApiRequest

botocore = pytest.importorskip("botocore.auth")
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
KEY = AwsKey("AKIDEXAMPLE", SECRET, "us-east-1", "service")
DATE = "20150830T123600Z"


def published(signature, query=(), **more):
    """A request of the published test suite."""
    credential = "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
    signed = f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host;x-amz-date, Signature={signature}"
    headers = {"host": "example.amazonaws.com", "x-amz-date": DATE, "authorization": signed}
    return ApiRequest("GET", "/", query, headers, **more)


VANILLA = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
ORDERED = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"


def test_published_signatures_are_right():
    assert KEY.signed(published(VANILLA))
    assert KEY.signed(published(ORDERED, (("Param2", "value2"), ("Param1", "value1"))))
    assert not KEY.signed(published(ORDERED, (("Param2", "value2"), ("Param1", "value"))))


def by_botocore(key, path="/v1/it%20ems/a~b", query=(("q", "a b/ü"), ("a", "1")), body=b"{}"):
    from urllib.parse import quote

    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    told = "&".join(f"{name}={quote(value, safe='~')}" for name, value in query)
    asked = AWSRequest("POST", f"https://api.example.com{path}?{told}", {"x-amz-target": "t"}, body)
    signer = botocore.S3SigV4Auth if key.service == "s3" else botocore.SigV4Auth
    signer(Credentials(key.id, key.secret, key.token or None), key.service, key.region).add_auth(
        asked
    )
    headers = {name.lower(): value for name, value in asked.headers.items()}
    return ApiRequest("POST", path, query, {"host": "api.example.com", **headers}, body)


KEYS = [
    KEY,
    replace(KEY, token="temporary/token=="),
    replace(KEY, service="s3"),
    replace(KEY, region="eu-central-1", service="execute-api"),
]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key.service} {key.token[:1]}")
def test_what_botocore_signs_is_let_in_and_nothing_that_differs(key):
    asked = by_botocore(key)
    assert key.signed(asked)
    wrong = [
        replace(asked, method="GET"),
        replace(asked, path="/v1/it%20ems/a~c"),
        replace(asked, query=(*asked.query, ("more", ""))),
        replace(asked, query=asked.query[:1]),
        replace(asked, body=b"{ }"),
        replace(asked, headers={**asked.headers, "x-amz-target": "u"}),
        replace(asked, headers={**asked.headers, "x-amz-extra": "not signed"}),
        replace(asked, headers={**asked.headers, "host": "evil.example.com"}),
        replace(asked, headers={**asked.headers, "x-amz-date": DATE}),
        replace(asked, headers={n: v for n, v in asked.headers.items() if n != "authorization"}),
    ]
    assert [number for number, one in enumerate(wrong) if key.signed(one)] == []
    others = [
        replace(key, secret=SECRET[::-1]),
        replace(key, id="AKIDOTHER"),
        replace(key, region="eu-west-3"),
        replace(key, service="es"),
        replace(key, token="another"),
    ]
    assert [other for other in others if other.signed(asked)] == []
