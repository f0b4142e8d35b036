"""A Postman collection (2.0 or 2.1) → a draft: its GET requests, with folders' auth and variables.

Scripts are never run, and told. Values of variables and auths are secrets as soon as they are
called like one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from connector_assets.authoring.imports.draft import AsWritten, Draft, Outcome, template_text
from connector_assets.authoring.imports.importers import WantedDraft
from connector_assets.authoring.imports.read_data import read_mapping
from connector_assets.authoring.imports.recorded import (
    Recorded,
    RecordedDraft,
    recorded,
    without_login,
)
from connector_assets.authoring.imports.secret_values import camel, is_secret_name, looks_secret
from connector_assets.authoring.imports.selection import is_selected
from connector_assets.authoring.imports.source import Source
from connector_assets.authoring.imports.spec_parts import Parts, less
from connector_assets.errors import ConfigError

DEEPEST = 30
_VARIABLE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")


class Postman:
    """Reads a Postman collection."""

    def draft(self, source: Source, wanted: WantedDraft) -> Draft:
        """Its requests that read lists as streams."""
        data = read_mapping(source, "a Postman collection")
        info = data.get("info")
        if not isinstance(info, Mapping) or not isinstance(data.get("item"), list):
            fix = "export it from Postman as collection v2.1"
            what = "is not a Postman collection: it has no info and item"
            raise ConfigError(what, where=source.name, fix=fix)
        return _Collection(data, str(info.get("name") or source.stem), source, wanted).draft()


@dataclass(frozen=True)
class _Item:
    """A request with its place in the folders."""

    name: str
    request: Mapping[str, Any]
    auth: Any
    answers: list[Any]


class _Collection:
    def __init__(
        self, data: Mapping[str, Any], title: str, source: Source, wanted: WantedDraft
    ) -> None:
        self.data, self.source, self.wanted = data, source, wanted
        self.parts = Parts("postman", source.name)
        self.drafting = RecordedDraft(self.parts, title, wanted.id)
        self.variables = dict(_named(data.get("variable")))
        self.scripts = 0
        self.kind = ""

    def draft(self) -> Draft:
        items = list(self._items(self.data, self.data.get("auth"), (), 0))
        requests = []
        for item in items:
            made = self._request(item)
            if made and is_selected(self.wanted.select, made.name, made.path):
                requests.append(made)
        if not requests:
            raise ConfigError("has no request that is read", where=self.source.name)
        if self.scripts:
            says = f"{self.scripts} scripts of Postman were not run: what they set is to be given"
            self.parts.say("question", "", "scripts", says)
        return self.drafting.draft(requests)

    def _items(
        self, folder: Mapping[str, Any], auth: Any, above: tuple[str, ...], depth: int
    ) -> Iterator[_Item]:
        if isinstance(folder.get("event"), list):
            self.scripts += sum(1 for one in folder["event"] if _has_script(one))
        listed = folder.get("item")
        for one in listed if isinstance(listed, list) else []:
            if not isinstance(one, Mapping) or depth > DEEPEST:
                continue
            own = one.get("auth") or auth
            name = str(one.get("name") or "")
            if isinstance(one.get("item"), list):
                yield from self._items(one, own, (*above, name), depth + 1)
            elif isinstance(one.get("request"), Mapping | str):
                if isinstance(one.get("event"), list):
                    self.scripts += sum(1 for e in one["event"] if _has_script(e))
                request = one["request"]
                request = {"url": request} if isinstance(request, str) else request
                answers = one.get("response")
                given = answers if isinstance(answers, list) else []
                yield _Item(" / ".join((*above, name)), request, request.get("auth") or own, given)

    def _request(self, item: _Item) -> Recorded | None:
        method = str(item.request.get("method") or "GET").upper()
        url, params = self._url(item.request.get("url"))
        if method not in ("GET", "POST"):
            self.parts.outcomes.append(
                Outcome("", f"{method} {without_login(url)}"[:200], "skipped", "it writes")
            )
            return None
        if method == "POST" and not _reads(url, item.request):
            why = "it is a POST that is not called like a search"
            self.parts.outcomes.append(
                Outcome("", f"{method} {without_login(url)}"[:200], "skipped", why)
            )
            return None
        self._auth(item.auth)
        headers = [(name, self._text(value)) for name, value in _active(item.request.get("header"))]
        try:
            return recorded(
                method,
                url,
                headers=tuple(headers),
                params=tuple(params),
                body=self._body(item.request.get("body")),
                answer=_example(item.answers),
                name=item.name,
            )
        except ValueError:
            why = "its URL is not valid"
            self.parts.outcomes.append(
                Outcome("", f"{method} {without_login(url)}"[:200], "skipped", why)
            )
            return None

    def _url(self, said: Any) -> tuple[str, list[tuple[str, Any]]]:
        """The URL with variables as values, and its parameters that are not switched off."""
        if isinstance(said, Mapping):
            raw = str(said.get("raw") or _joined(said))
            query = said.get("query")
        else:
            raw, query = str(said or ""), None
        pairs = _active(query) if isinstance(query, list) else _written(raw)
        params = [(name, self._text(value)) for name, value in pairs]
        base, rest = self._base(raw.partition("?")[0].partition("#")[0])
        path = "/".join(
            f"{{{part[1:]}}}" if part.startswith(":") and len(part) > 1 else self._segment(part)
            for part in rest.split("/")
        )
        return base + path, params

    def _base(self, url: str) -> tuple[str, str]:
        """The address before the path; a variable that the collection gives is written out."""
        found = re.match(r"\s*\{\{\s*([^{}]+?)\s*\}\}", url)
        if found:
            value = self.variables.get(found[1])
            if isinstance(value, str) and re.match(r"https?://[^{}\s]+$", value):
                return self._base(value + url[found.end() :])
            field = {"description": "Where the API is, as https://api.example.com"}
            name = self.parts.value(camel(found[1]), field)
            return f"{{{{{name}}}}}", url[found.end() :]
        parts = re.match(r"\s*(https?://)?([^/\s]*)(.*)", url, re.DOTALL)
        if parts is None or not parts[2]:
            return "", url
        host = _VARIABLE.sub(lambda one: str(self._variable(one[1])), parts[2])
        return f"{parts[1] or 'https://'}{host}", parts[3]

    def _segment(self, part: str) -> str:
        """A part of the path: a variable is a parameter of it, or its plain value."""

        def one(found: re.Match[str]) -> str:
            value = self.variables.get(found[1])
            plain = isinstance(value, str) and re.fullmatch(r"[\w.-]{1,60}", value)
            if plain and not is_secret_name(found[1]) and not looks_secret(str(value)):
                return str(value)
            return f"{{{camel(found[1])}}}"

        return _VARIABLE.sub(one, part)

    def _text(self, value: str) -> Any:
        """A text of Postman as a template of ours."""
        if not _VARIABLE.search(value):
            return value
        made, at = "", 0
        for found in _VARIABLE.finditer(value):
            made += template_text(value[at : found.start()]) + str(self._variable(found[1]))
            at = found.end()
        return AsWritten(made + template_text(value[at:]))

    def _variable(self, name: str) -> str:
        """What a variable becomes: a secret, its value, or a value to be given."""
        value = self.variables.get(name)
        if is_secret_name(name) or (isinstance(value, str) and looks_secret(value)):
            about = f"What Postman has as {name}"
            return self.parts.secret(camel(name), about, value if isinstance(value, str) else None)
        field: dict[str, Any] = {"description": f"What Postman has as {name}"[:150]}
        if isinstance(value, str) and value and not _VARIABLE.search(value):
            field["default"] = value
        return f"{{{{{self.parts.value(camel(name), field)}}}}}"

    def _auth(self, said: Any) -> None:
        """The auth that a request inherits; the first one is the connector's."""
        kind = str(said.get("type")) if isinstance(said, Mapping) else "noauth"
        if kind == "noauth":
            return
        if self.drafting.credentials.auth:
            self._other_auth(kind)
            return
        self.kind = kind
        given = dict(_named(said.get(kind)))
        values = {name: self._text(str(one)) for name, one in given.items() if one is not None}
        credentials = self.drafting.credentials
        if kind == "bearer":
            credentials.bearer(values.get("token", ""))
        elif kind in ("basic", "digest"):
            user, password = values.get("username", ""), values.get("password", "")
            credentials.basic(user, password, digest=kind == "digest")
        elif kind == "apikey":
            place = str(given.get("in") or "header")
            name = str(given.get("key") or "Authorization")
            ref = credentials.secret(name, values.get("value", ""), "The API key")
            made = {"type": "api_key", "in": None if place == "header" else place, "name": name}
            prefix = {"prefix": ""} if name.lower() == "authorization" else {}
            credentials.auth.append(less(made | {"valueRef": ref}) | prefix)
        elif kind == "oauth2":
            self._oauth2(values)
        else:
            self.parts.say("question", "", "auth", f"the auth {kind} of Postman has to be written")

    def _other_auth(self, kind: str) -> None:
        says = f"some requests have the auth {kind}, and {self.kind} is taken for all"
        known = any(one.says == says for one in self.parts.remarks)
        if kind != self.kind and not known:
            self.parts.say("question", "", "auth", says)

    def _oauth2(self, values: Mapping[str, Any]) -> None:
        secret = self.drafting.credentials.secret
        token_url = str(values.get("accessTokenUrl") or "")
        if not token_url.startswith("https://") or "{{" in token_url:
            self.drafting.credentials.bearer(values.get("accessToken", ""))
            return
        made: dict[str, Any] = {"type": "oauth2", "tokenUrl": token_url}
        grant = _GRANTS.get(str(values.get("grant_type")))
        made |= {"grant": grant} if grant else {}
        if grant is None and str(values.get("authUrl", "")).startswith("https://"):
            made["authorizeUrl"] = str(values["authUrl"])
        scopes = str(values.get("scope") or "").split()
        if scopes and "{{" not in "".join(scopes):
            made["scopes"] = scopes
        if values.get("client_authentication") == "header":
            made["clientAuth"] = "basic"
        made["clientIdRef"] = secret("clientId", values.get("clientId", ""), "The client's id")
        value = values.get("clientSecret", "")
        made["clientSecretRef"] = secret("clientSecret", value, "The client's secret")
        if grant == "password":
            made["usernameRef"] = secret("username", values.get("username", ""), "The user's name")
            given = values.get("password", "")
            made["passwordRef"] = secret("password", given, "The user's password")
        self.drafting.credentials.auth.append(made)

    def _body(self, said: Any) -> Any:
        if not isinstance(said, Mapping):
            return None
        mode = said.get("mode")
        if mode == "raw" and isinstance(said.get("raw"), str) and said["raw"].strip():
            try:
                return {"json": self._tree(json.loads(said["raw"]))}
            except (ValueError, RecursionError):
                return {"text": self._text(said["raw"])}
        if mode in ("urlencoded", "formdata"):
            return {"form": {n: self._text(v) for n, v in _active(said.get(mode))}}
        if mode == "graphql" and isinstance(said.get("graphql"), Mapping):
            return {"graphql": {"query": str(said["graphql"].get("query") or "")}}
        return None

    def _tree(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return {key: self._tree(one) for key, one in value.items()}
        return [self._tree(one) for one in value] if isinstance(value, list) else value


_GRANTS = {"client_credentials": "client_credentials", "password_credentials": "password"}


def _named(listed: Any) -> Iterator[tuple[str, Any]]:
    """Pairs of `key` and `value`, or those of a mapping as version 2.0 has them."""
    if isinstance(listed, Mapping):
        yield from ((str(key), one) for key, one in listed.items())
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, Mapping) and isinstance(one.get("key"), str):
            yield one["key"], one.get("value")


def _active(listed: Any) -> Iterator[tuple[str, str]]:
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, Mapping) and one.get("disabled") is not True:
            key = one.get("key")
            if isinstance(key, str) and key:
                yield key, str(one.get("value") or "")


def _written(url: str) -> list[tuple[str, str]]:
    """The parameters in the text of a URL."""
    query = url.partition("?")[2].partition("#")[0]
    pairs = (one.partition("=") for one in query.split("&") if one)
    return [(unquote_plus(name), unquote_plus(value)) for name, _, value in pairs]


def _joined(url: Mapping[str, Any]) -> str:
    host, path = url.get("host"), url.get("path")
    host = ".".join(map(str, host)) if isinstance(host, list) else str(host or "")
    path = "/".join(map(str, path)) if isinstance(path, list) else str(path or "")
    scheme = f"{url['protocol']}://" if url.get("protocol") and "{{" not in host else ""
    return f"{scheme}{host}/{path}"


def _has_script(event: Any) -> bool:
    script = event.get("script") if isinstance(event, Mapping) else None
    lines = script.get("exec") if isinstance(script, Mapping) else None
    return isinstance(lines, list) and any(str(line).strip() for line in lines)


def _reads(url: str, request: Mapping[str, Any]) -> bool:
    body = request.get("body")
    graphql = isinstance(body, Mapping) and body.get("mode") == "graphql"
    return graphql or bool(re.search(r"(?:search|query|list|find|filter)[^/]*/?$", url))


def _example(answers: list[Any]) -> Any:
    """The JSON of an example answer that is good, `...` where there is none."""
    for one in answers:
        code = one.get("code") if isinstance(one, Mapping) else None
        if not isinstance(one, Mapping) or not isinstance(one.get("body"), str):
            continue
        if code is not None and not re.fullmatch(r"2\d\d", str(code)):
            continue
        try:
            return msgspec.json.decode(one["body"])
        except (msgspec.DecodeError, ValueError, RecursionError):
            continue
    return ...
