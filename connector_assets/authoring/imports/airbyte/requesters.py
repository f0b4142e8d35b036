"""A manifest's requester → the request of an endpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from connector_assets.authoring.imports.airbyte.code import Code, Const, Value, as_text
from connector_assets.authoring.imports.airbyte.expressions import Reading
from connector_assets.authoring.imports.airbyte.jinja_trees import Refused, chains_in
from connector_assets.authoring.imports.airbyte.request_parts import RequestParts
from connector_assets.authoring.imports.airbyte.texts import Texts, braced


class Requester:
    """Fills the parts of a request from a component of the type HttpRequester."""

    def __init__(self, reading: Reading, component: Mapping[str, Any], parts: RequestParts) -> None:
        self.reading, self.component, self.parts = reading, component, parts
        self.texts = Texts(reading)

    def fill(self) -> None:
        """Method, URL, parameters, headers and body."""
        kind = self.component.get("type")
        if kind not in ("HttpRequester", None):
            raise Refused(f"the requester {self.component.get('class_name') or kind}")
        method = self.texts.one(self.component.get("http_method") or "GET")
        if isinstance(method, Code):
            raise Refused("a method that is computed")
        self.parts.method = str(method.value).upper()
        self._url()
        self._inputs("request_parameters", self.parts.params)
        self._inputs("request_headers", self.parts.headers)
        self._body()

    def _url(self) -> None:
        base = self.component.get("url_base") or self.component.get("url") or ""
        path = self.component.get("path") or ""
        for chain in chains_in(origin_part(str(base))):
            if chain.root == "config" and chain.keys:
                self.reading.given.keep_as(tuple(map(str, chain.keys)), "config")
        whole = self._address(str(base))
        below = self._address(str(path)).lstrip("/")
        if below.startswith(("http://", "https://")):
            whole = below
        elif below:
            whole = f"{whole.rstrip('/')}/{below}"
        whole, _, query = _cut(whole, "?")
        bare, _, pairs = query.partition("&")
        if bare and "=" not in bare:
            # A path in the place of a query, as index.php?/api/items.
            whole, query = f"{whole}?{bare}", pairs
        self.parts.url = _cut(whole, "#")[0]
        self._query(query)
        if not self.parts.url:
            raise Refused("a request without an address")

    def _address(self, text: str) -> str:
        """A part of a URL; what chooses between constants with slashes is parted by them."""
        shown = ""
        for one in self.texts.parts(text.strip()):
            shown += braced(str(one.value or "")) if isinstance(one, Const) else _segments(one)
        return shown

    def _query(self, query: str) -> None:
        for pair in re.split(r"&(?![^{]*\}\})", query) if query else ():
            name, equals, value = pair.partition("=")
            if not equals or not name:
                raise Refused("a query in a path that is no list of parameters")
            self.parts.params[name] = value if "{{" in value else unquote(value)

    def _inputs(self, key: str, into: dict[str, Any]) -> None:
        given = self.component.get(key)
        if given in (None, "", {}):
            return
        if isinstance(given, str):
            self._written_out(key, given, into)
            return
        if not isinstance(given, Mapping):
            raise Refused(f"{key} that are no object")
        for name, value in given.items():
            if isinstance(value, Mapping):
                self._properties(name, value, into)
                continue
            made = self.texts.param(value)
            if made not in (None, ""):
                into[self.texts.text(name)] = made

    def _properties(self, name: str, value: Mapping[str, Any], into: dict[str, Any]) -> None:
        """A parameter of the fields to return, where these are a list in the manifest."""
        listed = value.get("property_list")
        if value.get("type") != "QueryProperties" or not isinstance(listed, list):
            raise Refused(f"the parameter {name}, whose properties an endpoint lists")
        always = value.get("always_include_properties") or []
        if value.get("property_chunking"):
            raise Refused("properties that are asked for in chunks")
        into[name] = ",".join(dict.fromkeys([*map(str, listed), *map(str, always)]))

    def _written_out(self, key: str, given: str, into: dict[str, Any]) -> None:
        """Parameters that are one text: an object, or a query."""
        made = self.texts.json(given)
        if isinstance(made, Mapping):
            into.update({name: one for name, one in made.items() if one not in (None, "")})
        elif key == "request_parameters" and isinstance(made, str) and not made.startswith("{{"):
            self._query(made.lstrip("?"))
        else:
            raise Refused(f"{key} that are one template")

    def _body(self) -> None:
        data, json = (
            self.component.get("request_body_data"),
            self.component.get("request_body_json"),
        )
        body = self.component.get("request_body")
        if isinstance(body, Mapping):
            kind, value = body.get("type"), body.get("value")
            if kind in ("RequestBodyJsonObject", "RequestBodyGraphQL"):
                json = _without_type(value) if kind == "RequestBodyGraphQL" else value
            else:
                data = value
        if isinstance(json, Mapping | list) and json:
            self.parts.json = self.texts.json(json)
        elif isinstance(json, str) and json.strip():
            made = self.texts.json(json)
            if not isinstance(made, Mapping | list):
                raise Refused("a JSON body that is one template")
            self.parts.json = made
        if isinstance(data, Mapping) and data:
            pairs = {self.texts.text(k): self.texts.param(v) for k, v in data.items()}
            self.parts.form = {k: v for k, v in pairs.items() if v not in (None, "")}
        elif isinstance(data, str) and data.strip():
            self.parts.body_text = self.texts.text(data)


def _segments(value: Value) -> str:
    """A value in a path, where its slashes would be escaped if it were written as one."""
    assert isinstance(value, Code)
    found = re.fullmatch(r"('(?:[^'\\]|\\.)*') if (.+) else ('(?:[^'\\]|\\.)*')", value.text)
    if not found or not ("/" in found[1] or "/" in found[3]) or "://" in found[1] + found[3]:
        return f"{{{{ {as_text(value).text} }}}}"
    one, other = found[1][1:-1].split("/"), found[3][1:-1].split("/")
    if len(one) != len(other):
        raise Refused("a path that chooses between ways of different lengths")
    pairs = zip(one, other, strict=True)
    return "/".join(
        braced(a) if a == b else f"{{{{ '{a}' if {found[2]} else '{b}' }}}}" for a, b in pairs
    )


def origin_part(base: str) -> str:
    """As much of a base URL as may be its origin."""
    head = re.match(r"\s*https?://[^/]*|\s*\{\{.*?\}\}", base, re.DOTALL)
    return head[0] if head else base


def _cut(text: str, mark: str) -> tuple[str, str, str]:
    """`text` parted at the first `mark` that is not within a template."""
    depth, at = 0, 0
    while at < len(text):
        if text.startswith("{{", at):
            depth += 1
        elif text.startswith("}}", at):
            depth -= 1
        elif text[at] == mark and not depth:
            return text[:at], mark, text[at + 1 :]
        at += 1
    return text, "", ""


def _without_type(value: Any) -> Any:
    return {k: v for k, v in value.items() if k != "type"} if isinstance(value, Mapping) else value
