"""Secrets that a store keeps: asked for in the step that reads, and kept in memory only.

A store has one method. Those here are told where they are and who asks by the environment, as the
vendors' own tools are.
"""

from __future__ import annotations

import base64
import json
import os
from functools import cache
from http import HTTPStatus
from typing import Any, Protocol

from connector_assets.errors import ConfigError

_TIMEOUT_S = 10.0
_GOOGLE_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_GOOGLE_ENDPOINT = "CLOUDSDK_API_ENDPOINT_OVERRIDES_SECRETMANAGER"
"""Another address of Secret Manager, by the name that gcloud reads it under."""


class SecretStore(Protocol):
    """Where secrets are kept under names."""

    def read(self, name: str) -> str:
        """The text kept under `name`; ConfigError where there is none, or the store is shut."""
        ...


class AwsSecretsManager:
    """AWS Secrets Manager; region, credentials and endpoint as botocore finds them."""

    def read(self, name: str) -> str:
        """The secret's string."""
        try:
            from botocore.exceptions import (  # type: ignore[import-untyped]
                BotoCoreError,
                ClientError,
            )
            from botocore.session import Session  # type: ignore[import-untyped]
        except ModuleNotFoundError:
            raise ConfigError(
                "AWS Secrets Manager needs botocore", fix="pip install 'connector-assets[aws]'"
            ) from None
        try:
            answer = Session().create_client("secretsmanager").get_secret_value(SecretId=name)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "refused")
            raise _missing("aws", name, code) from None
        except BotoCoreError as error:
            raise _missing("aws", name, type(error).__name__) from None
        return str(answer.get("SecretString", ""))


class Vault:
    """HashiCorp Vault's key-value store at VAULT_ADDR, asked with VAULT_TOKEN."""

    def read(self, name: str) -> str:
        """The pairs at a path, as `secret/data/shop`, as JSON."""
        from urllib.error import HTTPError, URLError
        from urllib.request import Request, urlopen

        address, token = os.environ.get("VAULT_ADDR"), os.environ.get("VAULT_TOKEN")
        if not (address and token):
            raise ConfigError("Vault is not set up", fix="set VAULT_ADDR and VAULT_TOKEN")
        url = f"{address.rstrip('/')}/v1/{name.strip('/')}"
        try:
            asked = Request(url, headers={"X-Vault-Token": token})  # noqa: S310 - the operator's own address
            with urlopen(asked, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - as above
                data: Any = json.load(answer)["data"]
        except HTTPError as error:
            with error:
                raise _missing("vault", name, str(error.code)) from None
        except (URLError, OSError, ValueError, KeyError, TypeError) as error:
            raise _missing("vault", name, type(error).__name__) from None
        inner = data.get("data") if isinstance(data, dict) else None
        return json.dumps(inner if isinstance(inner, dict) else data)


class GoogleSecretManager:
    """Google Cloud Secret Manager, asked over REST as whom Google's own libraries would ask.

    That is the file that GOOGLE_APPLICATION_CREDENTIALS names, gcloud's login, or the machine.
    """

    def read(self, name: str) -> str:
        """The text of a secret's version, by default its latest."""
        try:
            import google.auth
            from google.auth.exceptions import GoogleAuthError
            from google.auth.transport.requests import AuthorizedSession
            from requests.exceptions import RequestException
        except ModuleNotFoundError:
            raise ConfigError(
                "Google Cloud Secret Manager needs google-auth",
                fix="pip install 'connector-assets[gcp]'",
            ) from None
        try:
            credentials, project = google.auth.default(scopes=[_GOOGLE_SCOPE])
            url = _google_url(name, project)
            opened: Any = AuthorizedSession  # which has no types
            with opened(credentials) as session:
                answer = session.get(url, timeout=_TIMEOUT_S, allow_redirects=False)
                if answer.status_code != HTTPStatus.OK:
                    raise _missing("gcp", name, str(answer.status_code))
                payload = answer.json()["payload"]["data"]
            return base64.b64decode(payload, validate=True).decode()
        except (GoogleAuthError, RequestException, ValueError, KeyError, TypeError) as error:
            raise _missing("gcp", name, type(error).__name__) from None


def _google_url(name: str, project: str | None) -> str:
    """Where a version is read; one of a region lies at that region's own address."""
    if "/secrets/" not in f"/{name}":
        if not project:
            raise ConfigError(
                f'no project is known for the secret "{name}"',
                where="gcp",
                fix="write projects/P/secrets/NAME, or set GOOGLE_CLOUD_PROJECT",
            )
        name = f"projects/{project}/secrets/{name}"
    version = name if "/versions/" in name else f"{name}/versions/latest"
    _, _, after = name.partition("/locations/")
    region = f"{after.partition('/')[0]}.rep." if after else ""
    host = f"https://secretmanager.{region}googleapis.com"
    return f"{(os.environ.get(_GOOGLE_ENDPOINT) or host).rstrip('/')}/v1/{version}:access"


STORES: dict[str, SecretStore] = {
    "aws": AwsSecretsManager(),
    "vault": Vault(),
    "gcp": GoogleSecretManager(),
}


@cache
def read(store: str, name: str, key: str | None) -> str:
    """The secret, once in a process; of a text of JSON pairs the one called `key`."""
    text = STORES[store].read(name)
    if key is None:
        return text
    try:
        value = json.loads(text)[key]
    except (ValueError, KeyError, TypeError):
        raise _missing(store, name, f'it has no "{key}"') from None
    return value if isinstance(value, str) else json.dumps(value)


def _missing(store: str, name: str, why: str) -> ConfigError:
    return ConfigError(
        f'the secret "{name}" cannot be read ({why})', where=store, fix="check its name and access"
    )
