"""A schema registry with Confluent's REST API, asked once for each schema."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

import httpx

from connector_assets.errors import AuthError, ConnectorError, RequestError, ResponseError
from connector_assets.plugins.kafka.config import KafkaConfig

_TRIES, _TIMEOUT_S = 3, 30.0
_ACCEPT = "application/vnd.schemaregistry.v1+json, application/json"


@dataclass(frozen=True, slots=True)
class Reference:
    """Another schema that a schema imports, by the name it uses."""

    name: str
    subject: str
    version: int


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema as the registry keeps it: its text, its kind (AVRO, PROTOBUF, JSON), its imports."""

    text: str
    kind: str
    references: tuple[Reference, ...]


class Registry:
    """Schemas by their ids; a registry that has none of that id says so once and for all."""

    def __init__(self, config: KafkaConfig, *, where: str) -> None:
        self._config, self._where = config, where

    def schema(self, id_: int, *, serialized: bool = False) -> Schema:
        """The schema that messages name by `id_`.

        `serialized` asks for Protobuf as the bytes of its descriptor, in base64.
        """
        return self._schema(f"/schemas/ids/{id_}", serialized)

    def referenced(self, one: Reference, *, serialized: bool = False) -> Schema:
        """A schema that another imports."""
        path = f"/subjects/{quote(one.subject, safe='')}/versions/{one.version}"
        return self._schema(path, serialized)

    def test(self) -> None:
        """Ask for something small; raises a ConnectorError."""
        self._asked("/schemas/types", {})

    def _schema(self, path: str, serialized: bool) -> Schema:
        told = self._asked(path, {"format": "serialized"} if serialized else {})
        try:
            references = tuple(
                Reference(one["name"], one["subject"], one["version"])
                for one in told.get("references") or ()
            )
            return Schema(str(told["schema"]), str(told.get("schemaType", "AVRO")), references)
        except (AttributeError, KeyError, TypeError):
            raise ResponseError("is no schema", where=self._at(path), fix="see registry") from None

    def _asked(self, path: str, params: dict[str, str]) -> Any:
        try:
            answer = self._client.get(path, params=params)
        except httpx.TransportError as error:
            part = "tls" if "certificate" in str(error).lower() else ""
            raise RequestError(
                f"is not reachable: {error}", where=self._at(path), part=part, retryable=True
            ) from None
        if answer.status_code in (401, 403):
            raise AuthError(
                f"{answer.status_code}",
                where=self._at(path),
                status=answer.status_code,
                fix="check registryUsername and registryPassword",
            )
        if answer.status_code != httpx.codes.OK:
            raise self._refused(answer, path)
        try:
            return json.loads(answer.content)
        except ValueError:
            raise ResponseError("is not JSON", where=self._at(path), fix="see registry") from None

    def _refused(self, answer: httpx.Response, path: str) -> ConnectorError:
        found = answer.status_code == httpx.codes.NOT_FOUND
        fix = "is this the registry that the messages were written with?" if found else ""
        status = answer.status_code
        return RequestError(f"{status}", where=self._at(path), status=status, fix=fix)

    def _at(self, path: str) -> str:
        asked = f"GET {self._config.registry}{path}"
        return f"{self._where}: {asked}" if self._where else asked

    @cached_property
    def _client(self) -> httpx.Client:
        config = self._config
        auth = None
        if config.registry_username is not None or config.registry_password is not None:
            password = config.registry_password
            auth = httpx.BasicAuth(
                config.registry_username or "", password.get_secret_value() if password else ""
            )
        return httpx.Client(
            base_url=config.registry or "",
            auth=auth,
            timeout=_TIMEOUT_S,
            headers={"accept": _ACCEPT},
            transport=httpx.HTTPTransport(retries=_TRIES),
        )
