"""Which stream a request is for: by method, address, parameters, headers and body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from connector_assets.authoring.simulator.paging import TOKEN
from connector_assets.authoring.simulator.patterns import Known, Pattern, as_text, read_tree
from connector_assets.authoring.simulator.wire import ApiRequest
from connector_assets.spec.connector import ConnectorSpec
from connector_assets.spec.endpoint import Endpoint
from connector_assets.spec.request.body import Body
from connector_assets.spec.stream.stream import Stream
from connector_assets.spec.templates.template import Template

SYNC = "simulated_sync"


@dataclass(frozen=True)
class Match:
    """A request of a stream: what its templates had for values, and how much of it was fixed."""

    read: Mapping[str, str]
    weight: int


@dataclass(frozen=True)
class Route:
    """What requests of one stream look like."""

    stream: Stream
    endpoint: Endpoint
    known: Known

    @classmethod
    def of(cls, spec: ConnectorSpec, stream: Stream, known: Known) -> Route:
        """The route of a stream; what the stream binds is known as well."""
        bound = {"stream": stream.name}
        for name, value in stream.vars.items():
            source = value.source if isinstance(value, Template) else as_text(value)
            if isinstance(source, str) and "{{" not in source:
                bound[name] = source
        return cls(stream, spec.endpoint_of(stream), {**known, **bound})

    @cached_property
    def address(self) -> tuple[str, Pattern]:
        """The origin's text and the pattern of the path."""
        base = self.endpoint.base_url.source if self.endpoint.base_url else ""
        url = self.endpoint.url.source
        whole = base.rstrip("/") + url if url.startswith("/") else url
        return origin_and_path(whole, self.known)

    def match(self, asked: ApiRequest, base: str) -> Match | str:
        """The match, or what is wrong with a request at this address; "" where it is another's."""
        origin, path = self.address
        found = path.read(asked.segments.rstrip("/") or "/")
        if found is None or origin != base or asked.method != self.endpoint.method:
            return ""
        params = self._params(asked)
        if isinstance(params, str):
            return params
        headers = self._headers(asked)
        if isinstance(headers, str):
            return headers
        body = self._body(asked)
        if body is None:
            return "the body is another than the endpoint's"
        read = {**found, **headers, **params, **body}
        return Match(read, path.weight + self._fixed)

    @cached_property
    def _fixed(self) -> int:
        """How many characters of parameters and body are no template's."""
        values = [*self.endpoint.params.values()]
        patterns = [
            Pattern.of(one.source, self.known) for one in values if isinstance(one, Template)
        ]
        return sum(one.weight for one in patterns)

    def _params(self, asked: ApiRequest) -> dict[str, str] | str:
        read: dict[str, str] = {}
        follows = asked.param(TOKEN) is not None or asked.param(SYNC) is not None
        for name, value in self.endpoint.params.items():
            if "{{" in name:
                continue
            got = [one for n, one in asked.query if n == name]
            wanted = list(value) if isinstance(value, tuple) else [value]
            if len(got) > len(wanted) == 1:
                got = [",".join(got)]  # a list repeats the name
            for number, one in enumerate(wanted):
                source = one.source if isinstance(one, Template) else as_text(one)
                if one is None:
                    continue
                pattern = Pattern.of(source, self.known)
                text = got[number] if number < len(got) else None
                found = pattern.read(text) if text is not None else None
                if text is None and (follows or not pattern.is_literal):
                    continue  # a link may leave it out, and it may have been null
                if found is None:
                    return f'the parameter "{name}" is missing or another than the endpoint\'s'
                read |= found
        return read

    def _headers(self, asked: ApiRequest) -> dict[str, str] | str:
        read: dict[str, str] = {}
        for name, value in self.endpoint.headers.items():
            text, pattern = asked.headers.get(name.lower()), Pattern.of(value.source, self.known)
            if text is None and not pattern.is_literal:
                continue
            found = pattern.read(text) if text is not None else None
            if found is None:
                return f'the header "{name}" is missing or another than the endpoint\'s'
            read |= found
        return read

    def _body(self, asked: ApiRequest) -> dict[str, str] | None:
        body = self.endpoint.body
        return {} if body is None else read_body(body, asked, self.known)


def read_body(body: Body, asked: ApiRequest, known: Known) -> dict[str, str] | None:
    """What the templates of a body had for values; None where the body is another."""
    if body.text is not None:
        return Pattern.of(body.text.source, known).read(asked.body.decode("utf-8", "replace"))
    if body.form is not None:
        sent: dict[str, Any] = {}
        for name, value in asked.form:
            sent.setdefault(name, value)
        return read_tree(
            {n: v for n, v in body.form.items() if not isinstance(v, tuple)}, sent, known
        )
    if body.graphql is not None:
        got = asked.json if isinstance(asked.json, dict) else {}
        if got.get("query") != body.graphql.query:
            return None
        return read_tree(body.graphql.variables, got.get("variables") or {}, known)
    return read_tree(body.json_, asked.json, known)


def origin_and_path(url: str, known: Known) -> tuple[str, Pattern]:
    """The origin of a URL whose beginning is known, and the pattern of its path."""
    start = Pattern.of(url.split("/", 1)[0], known) if url.startswith("{{") else None
    if start is not None and start.is_literal:
        head, _, rest = url.partition("/")
        base = next(iter(known[name] for name in _names(head) if name in known), "")
        origin = urlsplit(base)
        path = f"{origin.path.rstrip('/')}/{rest}".rstrip("/") or "/"
        return f"{origin.scheme}://{origin.netloc}", Pattern.of(path, known)
    parts = url.split("/", 3)
    path = f"/{parts[3]}" if len(parts) > 3 else "/"  # noqa: PLR2004 - scheme, nothing, host, path
    return "/".join(parts[:3]), Pattern.of(path.rstrip("/") or "/", known)


def _names(text: str) -> Iterator[str]:
    for part in text.split("{{")[1:]:
        yield part.partition("}}")[0].strip()
