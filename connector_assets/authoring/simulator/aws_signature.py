"""The signature of a request as AWS computes it, from the published algorithm.

It is recomputed here, and not by the library that signs: so that one error is not in both.
"""

from __future__ import annotations

import hashlib
import hmac
import posixpath
import re
from dataclasses import dataclass
from urllib.parse import quote

from connector_assets.authoring.simulator.wire import ApiRequest

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,]+)/(?P<scope>[^,\s]+),\s*"
    r"SignedHeaders=(?P<names>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True)
class AwsKey:
    """An access key with its secret, and what requests are to be signed for.

    `token` goes with temporary credentials; empty where there is none.
    """

    id: str
    secret: str
    region: str
    service: str
    token: str = ""

    def signed(self, asked: ApiRequest) -> bool:
        """Whether the request has the signature of this key, and all that must be signed is."""
        found = _HEADER.fullmatch(asked.headers.get("authorization", ""))
        date = asked.headers.get("x-amz-date", "")
        if found is None or re.fullmatch(r"\d{8}T\d{6}Z", date) is None:
            return False
        names = found["names"].split(";")
        must = {"host", *(name for name in asked.headers if name.startswith("x-amz-"))}
        scope = f"{date[:8]}/{self.region}/{self.service}/aws4_request"
        fits = (
            found["key"] == self.id
            and found["scope"] == scope
            and must <= set(names)
            and asked.headers.get("x-amz-security-token", "") == self.token
            and _payload_fits(asked)
        )
        wanted = self._signature(asked, names, date, scope)
        return fits and hmac.compare_digest(wanted, found["signature"])

    def _signature(self, asked: ApiRequest, names: list[str], date: str, scope: str) -> str:
        canonical = hashlib.sha256(self._canonical(asked, names).encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{canonical}"
        key = f"AWS4{self.secret}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, to_sign.encode(), "sha256").hex()

    def _canonical(self, asked: ApiRequest, names: list[str]) -> str:
        headers = [f"{name}:{' '.join(asked.headers.get(name, '').split())}\n" for name in names]
        pairs = sorted((_encoded(name), _encoded(value)) for name, value in asked.query)
        return "\n".join(
            [
                asked.method,
                self._path(asked.path),
                "&".join(f"{name}={value}" for name, value in pairs),
                "".join(headers),
                ";".join(names),
                asked.headers.get("x-amz-content-sha256") or _digest(asked.body),
            ]
        )

    def _path(self, path: str) -> str:
        """The path as it is signed: S3 takes it as sent, all others encode it once more."""
        if self.service == "s3":
            return path
        plain = posixpath.normpath(path)
        ending = "/" if path.endswith("/") and plain != "/" else ""
        return quote(f"/{plain.lstrip('/')}{ending}", safe="/~")


def _payload_fits(asked: ApiRequest) -> bool:
    given = asked.headers.get("x-amz-content-sha256", _UNSIGNED)
    return given in (_UNSIGNED, _digest(asked.body))


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _encoded(text: str) -> str:
    return quote(text, safe="~")
