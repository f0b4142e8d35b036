"""A spec from a few answers: its id, the URL of a list, how it pages and what it asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, urlsplit

import yaml

from connector_assets.authoring.formatted import formatted
from connector_assets.authoring.imports.secret_values import is_secret_name
from connector_assets.errors import ConfigError

PaginationKind = Literal["none", "cursor", "next_url", "link_header", "offset", "page"]
AuthKind = Literal["none", "bearer", "basic", "api_key"]
PAGINATIONS: tuple[str, ...] = get_args(PaginationKind)
AUTHS: tuple[str, ...] = get_args(AuthKind)


@dataclass(frozen=True)
class Answers:
    """What somebody says of an API.

    `field` is where answers hold the next cursor or URL, `param` the name under which a cursor, an
    offset or a page number is sent, `header` that of an API key. `per_second` is the
    vendor's limit.
    """

    id: str
    url: str
    stream: str | None = None
    rows: str | None = None
    key: Sequence[str] = ()
    pagination: PaginationKind = "none"
    field: str | None = None
    param: str | None = None
    page_size: int | None = None
    size_param: str | None = None
    auth: AuthKind = "none"
    header: str | None = None
    description: str | None = None
    docs_url: str | None = None
    per_second: float | None = None


def new_spec(said: Answers) -> str:
    """The text of a valid spec; SpecError or ConfigError where the answers do not make one."""
    base, path, params = _parts(said.url)
    name = said.stream or re.sub(r"[^a-z0-9]+", "_", path.rpartition("/")[2].lower()).strip("_")
    if said.pagination in ("next_url", "link_header") and said.size_param and said.page_size:
        params |= {said.size_param: str(said.page_size)}
    auth, secrets = _auth(said)
    endpoint = {"id": name or "list", "url": path, "params": params}
    defaults = {"baseUrl": base, "pagination": _pagination(said), "responseRowsPath": said.rows}
    document: dict[str, Any] = {
        "kind": "connector",
        "version": "1.0",
        "id": said.id,
        "displayName": said.id.replace("_", " ").capitalize(),
        "description": said.description,
        "docsUrl": said.docs_url,
        "secrets": {one: {"description": says} for one, says in secrets.items()},
        "auth": auth,
        "defaults": _given(defaults),
        "rateLimit": _given({"requestsPerSecond": said.per_second}),
        "endpoints": [_given(endpoint)],
        "read": {"streams": [_given({"name": name or "list", "primaryKey": list(said.key)})]},
    }
    written = yaml.safe_dump(_given(document), sort_keys=False, allow_unicode=True, width=4096)
    return formatted(written, source="the new spec")


def _parts(url: str) -> tuple[str, str, dict[str, str]]:
    """The base, the path of the list, and its parameters; nothing in it may be a secret."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            "is not a URL of a list, as https://api.example.com/v1/orders", where="url"
        )
    params = dict(parse_qsl(parts.query, keep_blank_values=True))
    named = [name for name in params if is_secret_name(name)]
    if parts.username or parts.password or named:
        raise ConfigError(
            "holds a credential", where="url", fix="leave it out, and say what auth the API takes"
        )
    above, _, last = parts.path.rstrip("/").rpartition("/")
    return f"{parts.scheme}://{parts.netloc}{above}", f"/{last}", params


def _auth(said: Answers) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The auth, and its secrets with what they are."""
    if said.auth == "bearer":
        return [{"type": "bearer", "tokenRef": "{{secrets.token}}"}], {"token": "An access token"}
    if said.auth == "basic":
        both = {"usernameRef": "{{secrets.username}}", "passwordRef": "{{secrets.password}}"}
        return [{"type": "basic", **both}], {"username": "Name", "password": "Password"}
    if said.auth == "api_key":
        key = {"in": "header", "name": said.header or "X-Api-Key", "valueRef": "{{secrets.apiKey}}"}
        return [{"type": "api_key", **key}], {"apiKey": "An API key"}
    return [], {}


def _pagination(said: Answers) -> dict[str, Any] | None:
    if said.pagination == "none":
        return None
    own: dict[str, Any] = {}
    if said.pagination == "cursor":
        own = {"cursorField": said.field, "cursorParam": said.param}
    elif said.pagination == "next_url":
        own = {"urlField": said.field}
    elif said.pagination in ("offset", "page"):
        own = {f"{said.pagination}Param": said.param}
    if said.pagination in ("cursor", "page"):
        own |= {"pageSize": said.page_size, "pageSizeParam": said.size_param}
    if said.pagination == "offset":
        own |= {"pageSize": said.page_size, "limitParam": said.size_param}
    return _given({"type": said.pagination, **own, "maxPages": "unlimited"})


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """Without what nobody said."""
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}
