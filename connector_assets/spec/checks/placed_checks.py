"""Where paginations and windows put their values: a place in the request that can take them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from connector_assets.spec.checks.bindings import at, items, text
from connector_assets.spec.checks.model_faults import Finding
from connector_assets.spec.request import body_path
from connector_assets.spec.request.pagination import member_of
from connector_assets.spec.templates.refs import templates_in
from connector_assets.spec.templates.template import TemplateError
from connector_assets.spec.yaml.yaml_source import Path

_READ_BY = ("url", "baseUrl", "params", "headers", "body")


class _Put(NamedTuple):
    """A value that is sent: the key that names it, its name, and where it goes."""

    key: str
    name: str
    where: str


def placed_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Values that would be put where they cannot stand, or that nothing sends."""
    defaults, windows, reads = data.get("defaults"), _windows(data), TemplateReads()
    for number, endpoint in enumerate(items(data.get("endpoints"))):
        path: Path = ("endpoints", number)
        pagination = at(endpoint, "pagination") or at(defaults, "pagination")
        where: Path = (*path, "pagination") if at(endpoint, "pagination") else path
        body = at(endpoint, "body") or at(defaults, "body")
        for put in _of_pagination(pagination):
            if put.where == "body":
                yield from _in_body((*where, put.key), put.name, body)
        yield from _in_template(where, pagination, [endpoint, defaults], reads)
        for at_stream, put in windows.get(text(at(endpoint, "id")), ()):
            yield from _in_body((*at_stream, put.key), put.name, body)


def window_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Windows that no request asks for, so that each would bring the same rows, and idle keys."""
    defaults = data.get("defaults")
    endpoints = {text(at(one, "id")): one for one in items(data.get("endpoints"))}
    reads = TemplateReads()
    lets: list[Any] = []  # kept, as they are known by their ids
    for kind in ("streams", "dynamic"):
        for number, stream in enumerate(items(at(data, "read", kind))):
            incremental = at(stream, "incremental")
            endpoint = endpoints.get(endpoint_read_by(stream, endpoints, data))
            if incremental is None:
                continue
            own = {"body": at(stream, "let")}
            lets.append(own)
            parts = [endpoint, defaults, own]
            path: Path = ("read", kind, number, "incremental")
            yield from _idle(path, incremental, reads, parts)
            asked = at(incremental, "startParam") or at(incremental, "clientFilter")
            if at(incremental, "window") and not (asked or reads.has("window.start", parts)):
                message = "is required with window, or a template that reads window.start"
                yield Finding((*path, "startParam"), message)
            if at(incremental, "granularity") and not (
                at(incremental, "endParam") or reads.has("window.end", parts)
            ):
                message = "is for an end that is sent; give endParam, or a template with window.end"
                yield Finding((*path, "granularity"), message)


def _idle(
    path: Path, incremental: Any, reads: TemplateReads, parts: list[Any]
) -> Iterator[Finding]:
    """Keys of `incremental` that would change nothing."""
    reads_start, reads_end = (reads.has(f"window.{one}", parts) for one in ("start", "end"))
    uses_end = any(at(incremental, key) for key in ("endParam", "window", "clientFilter"))
    if at(incremental, "end") is not None and not (uses_end or reads_end):
        message = "is asked for by no request; give endParam, or a template with window.end"
        yield Finding((*path, "end"), message, on_key=True)
    start, end = at(incremental, "startParam"), at(incremental, "endParam")
    is_by_time = at(incremental, "cursorField") is None and at(incremental, "tokenField") is None
    asks = start is not None or end is not None or reads_start
    if is_by_time and at(incremental, "start") is not None and not asks:
        message = "is required: else no request asks for the time; or read window.start"
        yield Finding((*path, "startParam"), message)


def endpoint_read_by(stream: Any, ids: Collection[str], data: Mapping[str, Any]) -> str:
    """The id of the endpoint that a stream reads."""
    named, name = text(at(stream, "endpoint")), text(at(stream, "name"))
    return named or (name if name in ids else text(at(data, "read", "primary")))


def sent_in_query(pagination: Any) -> dict[str, str]:
    """The query parameters a pagination sets from the start, and the keys that say so."""
    member = member_of(pagination)
    return {
        put.name: member.start_key if member and put.key == member.param_key else "pageSize"
        for put in _of_pagination(pagination)
        if put.where == "query"
        and (member is None or put.key != member.param_key or member.start_key)
    }


def _of_pagination(pagination: Any) -> Iterator[_Put]:
    member = member_of(pagination)
    if member is None or not member.param_key:
        return
    default = text(at(pagination, member.where_key)) or "query"
    for key, where in (
        (member.param_key, default),
        (member.size_key, text(at(pagination, "pageSizeIn")) or default),
    ):
        name = text(at(pagination, key)) or member.default_of(key)
        if name and (key == member.param_key or at(pagination, "pageSize") is not None):
            yield _Put(key, name, where)


def _windows(data: Mapping[str, Any]) -> dict[str, list[tuple[Path, _Put]]]:
    """What the windows of streams put into the body of each endpoint."""
    ids = {text(at(one, "id")) for one in items(data.get("endpoints"))}
    found: dict[str, list[tuple[Path, _Put]]] = {}
    for kind in ("streams", "dynamic"):
        for number, stream in enumerate(items(at(data, "read", kind))):
            endpoint = endpoint_read_by(stream, ids, data)
            incremental = at(stream, "incremental")
            for key in ("startParam", "endParam") if at(incremental, "in") == "body" else ():
                if param := text(at(incremental, key)):
                    where: Path = ("read", kind, number, "incremental")
                    found.setdefault(endpoint, []).append((where, _Put(key, param, "body")))
    return found


def _in_body(path: Path, name: str, body: Any) -> Iterator[Finding]:
    if at(body, "text") is not None:
        yield Finding(path, "cannot be set in a text body; use a template that reads it")
        return
    if at(body, "form") is not None:
        return
    try:
        steps = body_path.steps(name)
    except ValueError as error:
        yield Finding(path, str(error))
        return
    graphql = at(body, "graphql")
    tree: Any = at(body, "json") if graphql is None else {"variables": {}, **graphql}
    for step in steps:
        if isinstance(tree, str) and "{{" in tree:
            return  # only its value will tell
        if problem := body_path.wrong(tree, step):
            yield Finding(path, f"does not fit the body: {problem}")
            return
        tree = body_path.get(tree, (step,))


def _in_template(
    where: Path, pagination: Any, parts: list[Any], reads: TemplateReads
) -> Iterator[Finding]:
    """Names that a pagination leaves to templates, and no template reads."""
    member = member_of(pagination)
    if member is None or not member.read_as:
        return
    key, name = member.where_key, member.read_as
    if at(pagination, key) == "template":
        if not reads.has(name, parts):
            yield Finding((*where, key), f'leaves it to a template, but none reads "{name}"')
        unsent = [member.param_key]
        if at(pagination, "pageSizeIn") in (None, "template"):
            unsent.append(member.size_key)
        for param in unsent:
            if at(pagination, param) is not None:
                message = f"is sent by no one with {key}: template; remove it"
                yield Finding((*where, param), message, on_key=True)
    later = not member.start_key or at(pagination, "omitFirst") is True
    if later and reads.needs(name, parts):
        fix = f"write {name} | default(none)"
        yield Finding(where, f'"{name}" has no value in the first request; {fix}')


class TemplateReads:
    """The names that templates of requests read; each part of a document is looked at once."""

    def __init__(self) -> None:
        self._known: dict[int, dict[str, bool]] = {}
        self._first: dict[int, set[str]] = {}

    def has(self, name: str, parts: list[Any]) -> bool:
        """Whether one of `parts` reads `name`."""
        return any(name in self._of(part) for part in parts)

    def needs(self, name: str, parts: list[Any]) -> bool:
        """Whether one of `parts` reads `name` without a default."""
        return any(self._of(part).get(name) for part in parts)

    def begins(self, name: str, parts: list[Any]) -> bool:
        """Whether one of `parts` reads `name`, or something below it."""
        for part in parts:
            if id(part) not in self._first:
                self._first[id(part)] = {one.split(".")[0] for one in self._of(part)}
            if name in self._first[id(part)]:
                return True
        return False

    def _of(self, part: Any) -> dict[str, bool]:
        """By name, whether it needs a value. The document outlives this, and so do its ids."""
        if not isinstance(part, dict):
            return {}
        if id(part) not in self._known:
            self._known[id(part)] = _names_read(part)
        return self._known[id(part)]


def _rendered(value: Any) -> Any:
    """What of a part of a request is rendered: a GraphQL query is sent as it stands."""
    graphql = at(value, "graphql")
    return value if graphql is None else at(graphql, "variables")


def _names_read(part: Any) -> dict[str, bool]:
    found: dict[str, bool] = {}
    for key in _READ_BY:
        try:
            templates = list(templates_in(_rendered(at(part, key))))
        except TemplateError:
            continue  # reported where it stands
        for template in templates:
            for name in template.names:
                found[name] = found.get(name, False) or name in template.required
    return found
