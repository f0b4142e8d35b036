"""What is put into a request, and where: the option components of a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from connector_assets.authoring.imports.airbyte.jinja_trees import Refused
from connector_assets.authoring.imports.airbyte.texts import Texts

Where = Literal["query", "header", "body"]
_PLACES: Mapping[str, Where] = {
    "request_parameter": "query",
    "header": "header",
    "body_json": "body",
    "body_data": "body",
}
_FOLLOW = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding"}
"""Headers that follow from a request, so that a spec cannot set them."""
_WITH_BODY = ("POST", "PUT", "PATCH")


@dataclass(frozen=True)
class Option:
    """A place in a request; `name` is a path where it is in a JSON body."""

    name: str
    where: Where
    form: bool = False

    @classmethod
    def of(cls, component: Any, texts: Texts) -> Option:
        """The place that a RequestOption names."""
        if not isinstance(component, Mapping):
            raise Refused("a request option that is no object")
        place = str(component.get("inject_into"))
        if place not in _PLACES:
            raise Refused(f'a request option that goes into "{place}"')
        path = component.get("field_path")
        if isinstance(path, list) and path:
            name = ".".join(_step(texts.text(one)) for one in path)
        elif place == "body_json":
            name = _step(texts.text(component.get("field_name")))
        else:
            name = texts.text(component.get("field_name"))
        if not name or "{{" in name:
            raise Refused("a request option whose name is computed" if name else "no option name")
        return cls(name, _PLACES[place], form=place == "body_data")


def _step(key: str) -> str:
    """A key as a step of a path in a body."""
    return key if key.isidentifier() or key.startswith("{{") else f'"{key}"'


@dataclass
class RequestParts:
    """A request that is being put together, in the words of a spec."""

    method: str = "GET"
    url: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, Any] = field(default_factory=dict)
    json: Any = None
    form: dict[str, Any] | None = None
    body_text: str | None = None

    def put(self, option: Option, value: Any) -> None:
        """Add a value at a place, which must be free."""
        if value is None:
            return
        if option.where == "query":
            self._set(self.params, option.name, value)
        elif option.where == "header":
            self._set(self.headers, option.name, value)
        elif option.form:
            self.form = self._set(self.form or {}, option.name, value)
        else:
            self.json = _put_within(self.json or {}, option.name, value)

    def expects(self, option: Option) -> None:
        """Make room for what a pagination or a cursor puts there."""
        if option.where != "body":
            return
        if option.form:
            self.form = self.form if self.form is not None else {}
        elif self.body_text is None:
            self.json = self.json if self.json is not None else {}

    def endpoint(self) -> dict[str, Any]:
        """Its keys of an endpoint. A GET has no body, as the CDK sends none."""
        made: dict[str, Any] = {"url": self.url}
        if self.method != "GET":
            made["method"] = self.method
        if self.params:
            made["params"] = self.params
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _FOLLOW}
        if headers:
            made["headers"] = headers
        if self.method in _WITH_BODY and (body := self.body()):
            made["body"] = body
        return made

    def body(self) -> dict[str, Any] | None:
        if self.body_text is not None:
            return {"text": self.body_text}
        if self.form is not None:
            return {"form": self.form}
        return None if self.json is None else {"json": self.json}

    def _set(self, into: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
        if name in into and into[name] != value:
            raise Refused(f'"{name}" is put into the request twice')
        into[name] = value
        return into


def _put_within(tree: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    keys = [step.strip('"') for step in path.split(".")]
    at = tree
    for key in keys[:-1]:
        at = at.setdefault(key, {})
        if not isinstance(at, dict):
            raise Refused(f'"{path}" of the body, where there is something else')
    at[keys[-1]] = value
    return tree
