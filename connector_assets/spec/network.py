"""What a connection says of the network: a proxy, whom to trust, and as whom to appear.

network:
  proxy:
    url: http://proxy.corp.example:3128
    username: {env: PROXY_USER}
    password: {env: PROXY_PASSWORD}
  caBundle: /etc/ssl/corp.pem
  clientCertificate: /etc/ssl/me.pem
  clientKey: {file: /etc/ssl/me.key}
  clientKeyPassword: {env: KEY_PASSWORD}
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from connector_assets.spec.names.model import Many, Model, fault
from connector_assets.spec.names.names import Text

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,200}")
_PROXY = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?")
_GCP = re.compile(
    r"(?:projects/[a-z0-9:.-]{1,64}/(?:locations/[a-z0-9-]{1,40}/)?secrets/)?"
    r"[A-Za-z0-9_-]{1,255}(?:/versions/[A-Za-z0-9_-]{1,63})?"
)
_WORDS = ("none", "environment")


def _proxy(value: str) -> str:
    if "@" in value:
        raise ValueError("must not hold a password; give username and password beside it")
    if not _PROXY.fullmatch(value):
        raise ValueError("must be http://host:port or https://host:port")
    return value


def _proxy_or_word(value: str) -> str:
    return value if value in _WORDS else _proxy(value)


def _gcp(value: str) -> str:
    if not _GCP.fullmatch(value):
        raise ValueError("must be a name, or projects/P/secrets/NAME, with /versions/V if need be")
    return value


class SecretSource(Model):
    """Where a secret is found: a variable, a file, or a store that is asked when it is needed."""

    env: str | None = None
    """Name of the environment variable."""
    file: Text | None = None
    """Path of a file that holds the secret and nothing else; a last line break is dropped."""
    aws: Text | None = None
    """Name or ARN of a secret in AWS Secrets Manager."""
    vault: Text | None = None
    """Path in HashiCorp Vault, as `secret/data/shop`."""
    gcp: Annotated[str, AfterValidator(_gcp)] | None = None
    """Secret in Google Cloud Secret Manager: its name, or `projects/P/secrets/NAME`, either with
    `/versions/V` for another version than the latest.
    """
    key: Text | None = None
    """Which of the pairs that a secret of a store holds; needed for `vault`."""

    @model_validator(mode="before")
    @classmethod
    def _never_the_secret_itself(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise fault("", "must be {env: NAME} or {file: PATH}; a secret is never written here")
        return value

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        sources = [self.env, self.file, self.aws, self.vault, self.gcp]
        if sum(one is not None for one in sources) != 1:
            raise fault("", "must be {env: NAME} or {file: PATH}, or one of aws, vault, gcp")
        if self.key is not None and self.store is None:
            raise fault("key", "is for a secret of a store: aws, vault or gcp")
        if self.vault is not None and self.key is None:
            raise fault("key", "is required with vault, which keeps pairs")
        if self.env is not None and not _VARIABLE.fullmatch(self.env):
            raise fault("env", "must be the name of an environment variable")
        return self

    @property
    def store(self) -> tuple[str, str] | None:
        """The store, and the secret's name there; None for a variable or a file."""
        named = {"aws": self.aws, "vault": self.vault, "gcp": self.gcp}
        return next(((store, name) for store, name in named.items() if name is not None), None)


class ProxySettings(Model):
    """A proxy that sends the requests of a connection on."""

    url: Annotated[str, AfterValidator(_proxy)]
    """The proxy, as http://proxy.corp.example:3128; with https:// the way to it is in TLS, too."""
    username: SecretSource | None = None
    """Where the user name for the proxy is found; it is sent to the proxy only."""
    password: SecretSource | None = None
    """Where the password for the proxy is found; it is sent to the proxy only."""
    except_: Many[Text] = Field((), alias="except")
    """Hosts that are asked without the proxy: a name and all below it, HOST:PORT, an address or
    a range, as [corp.example, 10.0.0.0/8].
    """
    resolve: Literal["proxy", "here"] = "proxy"
    """Who looks names up. With `here` the addresses are judged as without a proxy, and the proxy
    is told to connect to one of them; with `proxy` only the name is judged, and what it dials is
    its matter.
    """


class NetworkSettings(Model):
    """How all requests of a connection leave; a spec can say none of it."""

    proxy: ProxySettings | Annotated[str, AfterValidator(_proxy_or_word)] | None = None
    """A proxy, its URL alone, `none`, or `environment` for what HTTP_PROXY, HTTPS_PROXY and
    NO_PROXY say. Default: CONNECTOR_ASSETS_PROXY, else none.
    """
    ca_bundle: Text | None = None
    """PEM file, or folder of them, of the authorities that servers are verified against, instead
    of the public ones; relative to this file. Default: CONNECTOR_ASSETS_CA_BUNDLE.
    """
    client_certificate: Text | None = None
    """PEM file of the certificate that servers are shown which ask for one; relative to this file.
    Default: CONNECTOR_ASSETS_CLIENT_CERTIFICATE.
    """
    client_key: SecretSource | None = None
    """Where its private key is found: {file: PATH}, or {env: NAME} for the PEM itself. Default: in
    the file of the certificate.
    """
    client_key_password: SecretSource | None = None
    """Where the password of the key is found, if it has one."""

    @model_validator(mode="after")
    def _key_of_a_certificate(self) -> Self:
        if self.client_certificate is None:
            for name in ("client_key", "client_key_password"):
                if getattr(self, name) is not None:
                    raise fault("clientCertificate", "is required with a key")
        return self
