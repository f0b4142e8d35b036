"""AWS Signature Version 4, by botocore's own signer (the `aws` extra)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import httpx

from connector_assets.errors import ConfigError
from connector_assets.spec.credentials import AuthContext, check_header

if TYPE_CHECKING:
    from connector_assets.spec.auth import AwsSigV4


class SigV4(httpx.Auth):
    """Signs each request with the time of sending."""

    requires_request_body = True

    def __init__(self, auth: AwsSigV4, context: AuthContext) -> None:
        try:
            import botocore.auth  # type: ignore[import-untyped]  # has no types
            import botocore.credentials  # type: ignore[import-untyped]  # has no types
        except ImportError:
            raise ConfigError(
                "aws_sigv4 needs botocore", fix="pip install 'connector-assets[aws]'"
            ) from None
        credentials = botocore.credentials.Credentials(
            check_header(context.text(auth.access_key_id_ref), "the access key id"),
            context.text(auth.secret_access_key_ref),
            context.optional(auth.session_token_ref),
        )
        service, region = context.text(auth.service), context.text(auth.region)
        # S3 alone signs the path as it is sent; all others encode it once more.
        signer = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
        self._signer = signer(credentials, service, region)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]  # has no types

        kept = {"host", "content-type", "content-md5"}
        headers = {
            name: value
            for name, value in request.headers.items()
            if name in kept or name.startswith("x-amz-")
        }
        signed = AWSRequest(request.method, str(request.url), headers, request.read())
        self._signer.add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        yield request
