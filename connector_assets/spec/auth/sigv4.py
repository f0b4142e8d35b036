"""AWS Signature Version 4, by botocore's own signer (the `aws` extra).

AWS reads path and query of what it receives, encodes them its own way and signs that: all but
unreserved characters, and for every service but S3 the path as sent once more. So `%20` in a path
is signed as `%2520`, and what httpx leaves bare, as `(` or `:`, is encoded before it is sent.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, unquote_to_bytes

from connector_assets.errors import ConfigError
from connector_assets.spec.auth.auth_parts import AuthModel
from connector_assets.spec.auth.credentials import AuthContext, Flow, check_header
from connector_assets.spec.templates.refs import (
    NameRef,
    SecretRef,
    read_secrets,
    secret_names,
    templates_in,
)
from connector_assets.spec.templates.template import Template

if TYPE_CHECKING:
    import httpx


class AwsSigV4Flow(Flow):
    """Signs each request with the time of sending."""

    requires_request_body = True

    def __init__(self, auth: AwsSigV4Auth, context: AuthContext) -> None:
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

        request.url = _strictly_encoded(request.url)
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


def _strictly_encoded(url: httpx.URL) -> httpx.URL:
    """The same URL with everything but RFC 3986's unreserved characters encoded, and no `+`."""
    path, _, query = url.raw_path.decode("ascii").partition("?")
    pairs = [pair.partition("=") for pair in query.replace("+", "%20").split("&") if pair]
    strict = "/".join(map(_encoded, path.split("/")))
    if pairs:
        strict += "?" + "&".join(f"{_encoded(name)}={_encoded(value)}" for name, _, value in pairs)
    return url.copy_with(raw_path=strict.encode())


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text), safe="~")


class AwsSigV4Auth(AuthModel):
    """Requests signed with an AWS key, for one service in one region."""

    type: Literal["aws_sigv4"]
    """Requests signed with an AWS key; needs `pip install 'connector-assets[aws]'`."""
    access_key_id_ref: NameRef
    """The access key's id, as "{{secrets.accessKeyId}}"."""
    secret_access_key_ref: SecretRef
    """The secret access key, as "{{secrets.secretAccessKey}}"; it is never sent."""
    session_token_ref: SecretRef | None = None
    """The session token of temporary credentials; may be left without a value."""
    region: Template
    """Region the request is signed for, as eu-central-1; may be a template."""
    service: Template
    """Service the request is signed for, as execute-api; may be a template."""

    def ways(self) -> tuple[frozenset[str], ...]:
        """The session token, which temporary credentials have, may be left out."""
        whole = secret_names(*templates_in(self))
        return (whole - secret_names(self.session_token_ref), whole)

    def sent(self) -> frozenset[str]:
        return read_secrets(self.access_key_id_ref, self.session_token_ref)

    def flow(self, context: AuthContext) -> AwsSigV4Flow:
        return AwsSigV4Flow(self, context)
