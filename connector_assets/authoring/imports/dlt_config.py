"""A dlt REST API configuration (`client`, `resource_defaults`, `resources`) → a draft.

Source: dlt's documentation of its REST API source. Python in it (`convert`, `map`, custom
paginators) has no equal and becomes a question.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from connector_assets.authoring.imports.commented import Noted
from connector_assets.authoring.imports.dlt_paginator import pagination_of
from connector_assets.authoring.imports.draft import Draft, Names, Outcome, template_text
from connector_assets.authoring.imports.importers import WantedDraft
from connector_assets.authoring.imports.python_dict import is_python, read_python
from connector_assets.authoring.imports.read_data import read_mapping
from connector_assets.authoring.imports.secret_values import camel
from connector_assets.authoring.imports.source import Source
from connector_assets.authoring.imports.spec_parts import Parts, less
from connector_assets.errors import ConfigError

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][\w.]*)\}")
_SECRET_WORDS = re.compile(r"\bdlt\.secrets(?:\.value|\[['\"](?P<name>[\w.]+)['\"]\])?")
_WHAT = "a dlt REST configuration: a mapping with client and resources"


class DltConfig:
    """Reads a dlt REST API configuration, as JSON, YAML or the Python file that holds it."""

    def draft(self, source: Source, wanted: WantedDraft) -> Draft:
        """Its resources as streams, with their auth, paginators, parents and increments."""
        config = read_python(source) if is_python(source) else read_mapping(source, _WHAT)
        config = config if "resources" in config else _mapping(config.get("config"))
        if not isinstance(config.get("resources"), list):
            raise ConfigError(f"is not {_WHAT}", where=source.name)
        return _Config(config, source, wanted).draft()


class _Config:
    def __init__(self, config: Mapping[str, Any], source: Source, wanted: WantedDraft) -> None:
        self.config, self.wanted = config, wanted
        self.client = _mapping(config.get("client"))
        self.defaults = _mapping(config.get("resource_defaults"))
        self.parts = Parts("dlt", source.name)
        self.names = Names()
        self.stem = source.stem
        self.listed = [one for one in map(_resource, config["resources"]) if one]
        self.streams = {
            str(one.get("name")): self.names.new(str(one.get("name"))) for one in self.listed
        }

    def draft(self) -> Draft:
        base = self.client.get("base_url")
        self.parts.auth = self._auth(self.client.get("auth"))
        for one in self.listed:
            self._one(_merged(self.defaults, one))
        for _ in range(len(self.config["resources"]) - len(self.listed)):
            self.parts.outcomes.append(Outcome("", "a resource", "refused", "it is made by Python"))
        defaults = less(
            {"baseUrl": self._base(base), "headers": self._headers(self.client.get("headers"))}
        )
        return self.parts.draft(self.stem, self.wanted.id, defaults=defaults)

    def _base(self, base: Any) -> Any:
        if isinstance(base, str) and base.startswith(("http://", "https://")):
            return template_text(base).rstrip("/")
        self.parts.config["base_url"] = {
            "description": "Where the API is, as https://api.example.com"
        }
        self.parts.say("question", "", "defaults.baseUrl", "client.base_url names no address")
        return "{{base_url}}"

    def _one(self, resource: Mapping[str, Any]) -> None:
        stream = self.streams[str(resource.get("name"))]
        endpoint = resource.get("endpoint")
        endpoint = {"path": endpoint} if isinstance(endpoint, str) else _mapping(endpoint)
        path = str(endpoint.get("path") or resource.get("name"))
        made = _Resource(self, stream, resource, endpoint)
        if path.startswith(("http://", "https://")):
            url = made.text(path)
        else:
            url = f"/{made.text(path).lstrip('/')}"
        self.parts.endpoints.append(made.endpoint(url))
        self.parts.streams.append(made.stream())
        state = "question" if made.asked else "drafted"
        method = str(endpoint.get("method", "GET")).upper()
        self.parts.outcomes.append(Outcome(stream, f"{method} {path}", state))

    def _headers(self, headers: Any) -> dict[str, str]:
        kept = {}
        for name, value in _mapping(headers).items():
            if re.search(r"auth|token|key|secret|cookie", name, re.IGNORECASE):
                kept[name] = self.parts.secret(camel(name), f"The header {name}", value)
            else:
                kept[name] = template_text(str(value))
        return kept

    def _auth(self, auth: Any) -> list[Any]:
        if auth is None:
            return []
        if isinstance(auth, str):
            auth = {"type": auth}
        kind = _mapping(auth).get("type", "bearer")
        make = _AUTHS.get(str(kind))
        if make is None:
            self.parts.say("question", "", "auth", f"{kind} is Python, or no auth that is known")
            return []
        return [make(self.parts, _mapping(auth))]


class _Resource:
    """One resource on its way to an endpoint and a stream."""

    def __init__(
        self,
        config: _Config,
        name: str,
        resource: Mapping[str, Any],
        endpoint: Mapping[str, Any],
    ) -> None:
        self.config, self.parts, self.name = config, config.parts, name
        self.resource, self.given = resource, endpoint
        self.asked = False
        self.parents: dict[str, dict[str, Any]] = {}
        self.incremental: dict[str, Any] | None = _incremental(endpoint.get("incremental"))
        self.open: list[str] = []
        self.params = self._params(_mapping(endpoint.get("params")))

    def ask(self, where: str, says: str) -> None:
        self.asked = True
        self.open.append(says)
        self.parts.say("question", self.name, where, says)

    def text(self, text: str) -> str:
        """A text with dlt's placeholders as templates."""

        def template(found: re.Match[str]) -> str:
            first, _, rest = found[1].partition(".")
            if first == "resources" and "." in rest:
                resource, _, path = rest.partition(".")
                return f"{{{{{self._parent(resource, path)}}}}}"
            if first == "incremental":
                end = "end" if "end" in rest else "start"
                return f"{{{{window.{end}}}}}"
            if found[1] in self.parents or found[1] in self.params_of_path:
                return f"{{{{{found[1]}}}}}"
            return found[0]

        return _PLACEHOLDER.sub(template, template_text(text))

    @property
    def params_of_path(self) -> set[str]:
        return set(_PLACEHOLDER.findall(str(self.given.get("path", ""))))

    def _params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, value in params.items():
            if isinstance(value, Mapping) and value.get("type") == "resolve":
                field = self._parent(str(value.get("resource")), str(value.get("field")), name)
                if name not in self.params_of_path:
                    kept[name] = f"{{{{{field}}}}}"
            elif isinstance(value, Mapping) and value.get("type") == "incremental":
                self.incremental = {**_incremental(value), "startParam": name}
                if value.get("convert") or value.get("transform"):
                    self.ask("incremental", f"{name} is converted by Python; give its format")
            elif name in self.params_of_path:
                plain = isinstance(value, str | int | float) and not isinstance(value, bool)
                self.parts.config[name] = {"default": str(value)} if plain else {}
            elif isinstance(value, str):
                kept[name] = self.text(value)
            elif isinstance(value, bool | int | float | list):
                kept[name] = value
        return kept

    def _parent(self, resource: str, path: str, as_name: str = "") -> str:
        stream = self.config.streams.get(resource)
        name = as_name if re.fullmatch(r"[A-Za-z_]\w*", as_name) else f"{resource}_{path}"
        name = re.sub(r"\W", "_", name)
        if stream is None:
            self.ask("forEach", f'reads from the resource "{resource}", which is not here')
            self.parts.config.setdefault(name, {})
            return name
        for known, parent in self.parents.items():
            if parent["stream"] == stream and parent["field"] != path:
                included = parent.setdefault("include", [])
                if path not in included:
                    included.append(path)
                return f"parent.{path}"
            if parent["stream"] == stream:
                return known
        self.parents[name] = {"stream": stream, "field": path, "as": name}
        return name

    def endpoint(self, url: str) -> dict[str, Any]:
        method = str(self.given.get("method", "GET")).upper()
        page = self.given.get("paginator", self.config.client.get("paginator"))
        pagination, question = pagination_of(page, self.params)
        if question:
            self.ask("pagination", question)
        selector = self.given.get("data_selector")
        rows = re.sub(r"^\$\.?", "", str(selector)) or "@" if selector is not None else None
        body = self.given.get("json")
        made: dict[str, Any] = {"id": self.name, "url": url}
        made["method"] = method if method != "GET" else None
        made["params"] = self.params
        made["headers"] = self.config._headers(self.given.get("headers"))  # noqa: SLF001 - its part
        made["body"] = {"json": self._templates(body)} if body is not None else None
        made["responseRowsPath"] = rows
        made["pagination"] = Noted(pagination, open=[question] if question else [])
        made["errors"] = self._errors()
        return less(made)

    def _templates(self, body: Any) -> Any:
        if isinstance(body, str):
            return self.text(body)
        if isinstance(body, Mapping):
            return {key: self._templates(one) for key, one in body.items()}
        return [self._templates(one) for one in body] if isinstance(body, list) else body

    def _errors(self) -> list[dict[str, Any]]:
        rules = []
        for action in self.given.get("response_actions") or ():
            said = _mapping(action)
            if said.get("action") != "ignore":
                self.ask("errors", "response_actions with Python, or other than ignore")
                continue
            rules.append(
                less(
                    {
                        "status": said.get("status_code"),
                        "contains": said.get("content"),
                        "action": "ignore",
                    }
                )
            )
        return rules

    def stream(self) -> Any:
        made: dict[str, Any] = {"name": self.name}
        key = self.resource.get("primary_key")
        made["primaryKey"] = [key] if isinstance(key, str) else key
        written = self.resource.get("write_disposition")
        mode = _mapping(written).get("disposition") if isinstance(written, Mapping) else written
        if isinstance(written, Mapping) and written.get("strategy") == "scd2":
            mode = "scd2"
        if mode == "merge" and not key:
            self.ask("primaryKey", "dlt merges without a primary_key; name what identifies a row")
            mode = None
        made["writeMode"] = mode if mode in ("append", "replace", "merge", "scd2") else None
        made["incremental"] = self.incremental
        made["forEach"] = [{"parent": one} for one in self.parents.values()]
        made["fields"] = self._from_parent()
        if self.resource.get("processing_steps"):
            self.ask("fields", "processing_steps are Python; write them as fields or where")
        return Noted(less(made), open=[one for one in self.open if "pagination" not in one])

    def _from_parent(self) -> dict[str, Any]:
        added = {}
        included = self.resource.get("include_from_parent")
        for field in included if isinstance(included, list) else ():
            for parent in self.parents.values():
                name = f"_{parent['stream']}_{field}"
                if field == parent["field"]:
                    added[name] = f"{{{{item.{parent['as']}}}}}"
                else:
                    parent.setdefault("include", []).append(field)
                    added[name] = f"{{{{parent.{field}}}}}"
        return {"add": added} if added else {}


def _incremental(said: Any) -> dict[str, Any]:
    given = _mapping(said)
    if not given:
        return {}
    return less(
        {
            "cursorField": re.sub(r"^\$\.?", "", str(given.get("cursor_path", ""))),
            "startParam": given.get("start_param"),
            "endParam": given.get("end_param"),
            "start": given.get("initial_value"),
            "end": given.get("end_value"),
            "order": {"asc": "ascending", "desc": "descending"}.get(str(given.get("row_order"))),
        }
    )


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _resource(one: Any) -> dict[str, Any]:
    """A resource, which may be its path alone; nothing for what only Python is."""
    if isinstance(one, str):
        return {"name": one.strip("/").rpartition("/")[2] or one, "endpoint": one}
    return _mapping(one) if isinstance(one, Mapping) and one.get("name") else {}


def _merged(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**defaults, **own}
    one, other = defaults.get("endpoint"), own.get("endpoint")
    if isinstance(one, Mapping):
        given = {"path": other} if isinstance(other, str) else _mapping(other)
        params = {**_mapping(one.get("params")), **_mapping(given.get("params"))}
        merged["endpoint"] = {**one, **given, **({"params": params} if params else {})}
    return merged


def _given(value: Any) -> Any:
    """A secret's value, unless the text only says where dlt finds it."""
    return None if not isinstance(value, str) or _SECRET_WORDS.search(value) else value


def _bearer(parts: Parts, said: Mapping[str, Any]) -> dict[str, Any]:
    token = parts.secret("token", "The API token", _given(said.get("token")))
    return {"type": "bearer", "tokenRef": token}


def _api_key(parts: Parts, said: Mapping[str, Any]) -> dict[str, Any]:
    key = parts.secret("apiKey", "The API key", _given(said.get("api_key")))
    place = str(said.get("location", "header"))
    made = {"type": "api_key", "in": None if place == "header" else place}
    name = str(said.get("name", "Authorization"))
    return less(made | {"name": name, "valueRef": key}) | (
        {"prefix": ""} if name.lower() == "authorization" else {}
    )


def _basic(parts: Parts, said: Mapping[str, Any]) -> dict[str, Any]:
    user = parts.secret("username", "The user name", _given(said.get("username")))
    password = parts.secret("password", "The password", _given(said.get("password")))
    return {"type": "basic", "usernameRef": user, "passwordRef": password}


def _oauth2(parts: Parts, said: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "oauth2", "grant": "client_credentials"}
    made["tokenUrl"] = said.get("access_token_url")
    made["clientIdRef"] = parts.secret("clientId", "The client's id", _given(said.get("client_id")))
    secret = _given(said.get("client_secret"))
    made["clientSecretRef"] = parts.secret("clientSecret", "The client's secret", secret)
    extra = _mapping(said.get("access_token_request_data"))
    extra.pop("grant_type", None)
    return less(made | {"extraParams": extra})


_AUTHS: dict[str, Callable[[Parts, Mapping[str, Any]], dict[str, Any]]] = {
    "bearer": _bearer,
    "token": _bearer,
    "api_key": _api_key,
    "http_basic": _basic,
    "oauth2_client_credentials": _oauth2,
}
