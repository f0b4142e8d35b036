"""The operations of an OpenAPI document in the terms that lists are found by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connector_assets.authoring.imports.lists.operation import Operation, Param
from connector_assets.authoring.imports.lists.schema import Schemas, View, schema_of
from connector_assets.authoring.imports.openapi.document import Api

METHODS = ("get", "post")
_PLACES = ("query", "path", "header", "cookie")
_LONGEST_NAME = 200
_IN_BODY = 2
"""How deep a JSON body is looked into for parameters: `options.offset`."""


def operations_of(api: Api) -> Iterator[Operation]:
    """Every GET and POST, with the parameters that its path item adds."""
    for path, placed in api.paths.items():
        item = api.at(placed)
        if not isinstance(item, Mapping) or not isinstance(path, str):
            continue
        for method in METHODS:
            said = api.at(item.get(method))
            if isinstance(said, Mapping):
                yield _operation(api, path, item, method, said)


def _operation(
    api: Api, path: str, item: Mapping[str, Any], method: str, said: Mapping[str, Any]
) -> Operation:
    given = _parameters(api, item) | _parameters(api, said)
    params = [_param(api, one) for one in given.values() if one.get("in") in _PLACES]
    body = list(_body_params(api, said, given)) if method == "post" else []
    answer, headers = _answer(api, said)
    tags = said.get("tags")
    return Operation(
        method=method.upper(),
        path=path if path.startswith("/") else f"/{path}",
        id=str(said.get("operationId") or ""),
        summary=str(said.get("summary") or ""),
        text=str(said.get("description") or ""),
        tags=[str(one) for one in tags] if isinstance(tags, list) else [],
        params=[*params, *body],
        answer=answer,
        headers=headers,
        deprecated=said.get("deprecated") is True,
        has_body=bool(body),
        extra={
            "x-speakeasy-pagination": said.get("x-speakeasy-pagination"),
            "servers": said.get("servers") or item.get("servers"),
            "security": said.get("security"),
            "formats": _formats(api, said),
        },
    )


def _parameters(api: Api, holder: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    listed = holder.get("parameters")
    found = {}
    for one in listed if isinstance(listed, list) else []:
        param = api.at(one)
        if not isinstance(param, Mapping) or not isinstance(param.get("name"), str):
            continue
        name = param["name"]
        if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
            api.lost[repr(name)[:60]] = "is no name of a parameter and left out"
            continue
        found[(str(param.get("in")), name)] = param
    return found


def _param(api: Api, said: Mapping[str, Any]) -> Param:
    view = api.schemas.view(_param_schema(said))
    if "example" in said and "example" not in view.said:
        view = View(
            view.types, view.properties, view.items, view.values,
            {**view.said, "example": said["example"]}, view.choice,
        )  # fmt: skip
    name, place = said["name"], said["in"]
    deep = said.get("style") == "deepObject"
    text = str(said.get("description") or "")
    if view.is_object and not deep and not view.types & {"string", "integer", "number"}:
        view = View(view.types, {}, view.items, view.values, view.said, view.choice)
    return Param(name, place, view, text, said.get("required") is True)


def _param_schema(said: Mapping[str, Any]) -> Any:
    """The schema of a parameter; in Swagger 2 it is the parameter itself."""
    if "schema" in said:
        return said["schema"]
    content = said.get("content")
    if isinstance(content, Mapping) and content:
        media = next(iter(content.values()))
        return media.get("schema") if isinstance(media, Mapping) else {}
    return {k: v for k, v in said.items() if k not in ("name", "in", "description", "required")}


def _body_params(
    api: Api, said: Mapping[str, Any], given: Mapping[tuple[str, str], Mapping[str, Any]]
) -> Iterator[Param]:
    """The properties of a JSON body as parameters, those of objects in it by their path."""
    in_body = next((one for (place, _), one in given.items() if place == "body"), None)
    schema = in_body.get("schema") if in_body else _json_schema(api, said.get("requestBody"))
    view = api.schemas.view(schema)
    yield from _properties(api.schemas, view, (), required=True)


def _properties(
    schemas: Schemas, view: View, before: tuple[str, ...], *, required: bool
) -> Iterator[Param]:
    needed = view.said.get("required")
    names = (
        set(needed)
        if isinstance(needed, list) and all(isinstance(n, str) for n in needed)
        else set()
    )
    for name in view.properties:
        inner = schemas.of(view, name)
        if "." in name or inner.said.get("readOnly") is True:
            continue
        path = (*before, name)
        must = required and name in names
        if inner.properties and len(path) < _IN_BODY:
            yield from _properties(schemas, inner, path, required=must)
        else:
            yield Param(".".join(path), "body", inner, inner.text, must)


def _answer(api: Api, said: Mapping[str, Any]) -> tuple[Any, dict[str, str]]:
    """The schema of the first good answer that has one, and the headers of all of them."""
    responses = api.at(said.get("responses"))
    found: Any = None
    headers: dict[str, str] = {}
    if not isinstance(responses, Mapping):
        return None, {}
    for status in sorted(map(str, responses), key=lambda one: (one != "200", one)):
        if not (status.startswith("2") or status == "default"):
            continue
        answer = api.at(responses.get(status, responses.get(_number(status))))
        if not isinstance(answer, Mapping):
            continue
        schema = answer.get("schema") if api.version == "2.0" else _json_schema(api, answer)
        if status != "default":
            headers |= _headers(api, answer)
        if found is None and (status != "default" or not headers):
            found = _described(api, schema, answer)
    return found, headers


def _number(status: str) -> Any:
    return int(status) if status.isdigit() else status


def _described(api: Api, schema: Any, answer: Mapping[str, Any]) -> Any:
    """The schema, or what an example shows where the schema says nothing."""
    view = api.schemas.view(schema)
    told = view.properties or (view.is_array and not api.schemas.view(view.items).is_open)
    if told:
        return schema
    shown = _example(api, answer)
    return schema_of(shown) if shown is not None else schema


def _example(api: Api, answer: Mapping[str, Any]) -> Any:
    examples = answer.get("examples")
    if isinstance(examples, Mapping):
        for name, one in examples.items():
            if "json" in str(name):
                return one
    media = _media(api, answer)
    if "example" in media:
        return media["example"]
    examples = api.at(media.get("examples"))
    for one in examples.values() if isinstance(examples, Mapping) else []:
        shown = api.at(one)
        if isinstance(shown, Mapping) and "value" in shown:
            return shown["value"]
    return None


def _headers(api: Api, answer: Mapping[str, Any]) -> dict[str, str]:
    declared = api.at(answer.get("headers"))
    made = {}
    for name, one in declared.items() if isinstance(declared, Mapping) else []:
        said = api.at(one)
        text = said.get("description") if isinstance(said, Mapping) else ""
        made[str(name).lower()] = str(text or "")
    return made


def _json_schema(api: Api, holder: Any) -> Any:
    return _media(api, api.at(holder)).get("schema")


def _media(api: Api, holder: Any) -> Mapping[str, Any]:
    """The JSON of a body or an answer; other types of it, as `application/hal+json`, are JSON."""
    content = holder.get("content") if isinstance(holder, Mapping) else None
    content = api.at(content)
    if not isinstance(content, Mapping):
        return {}
    order = sorted(content, key=lambda one: ("application/json" not in str(one), str(one)))
    for name in order:
        if "json" in str(name).lower() or str(name) in ("*/*", "application/*"):
            media = api.at(content[name])
            return media if isinstance(media, Mapping) else {}
    return {}


def _formats(api: Api, said: Mapping[str, Any]) -> list[str]:
    """The media types of the 200, to say why an answer is no list of rows."""
    responses = api.at(said.get("responses"))
    answer = api.at(responses.get("200")) if isinstance(responses, Mapping) else None
    content = api.at(answer.get("content")) if isinstance(answer, Mapping) else None
    return [str(one) for one in content] if isinstance(content, Mapping) else []
