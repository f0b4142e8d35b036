"""An endpoint and its values become a `Call`; a `Call` and the secrets become a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import httpx
import msgspec
from msgspec.structs import replace

from connector_assets.errors import ConfigError
from connector_assets.runtime.http.request import DEFAULT_HEADERS, Request, parsed
from connector_assets.spec.auth.credentials import check_header
from connector_assets.spec.request.body import Body, Requestable
from connector_assets.spec.request.call import Call, Encoding
from connector_assets.spec.request.stored import Deferred
from connector_assets.spec.templates.template import Template, without_expressions

Scope = Mapping[str, Any]
# A number keeps its digits: 1.10 is sent as 1.10.
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_CONTENT_TYPES = {
    "json": b"application/json",
    "form": b"application/x-www-form-urlencoded",
    "text": b"text/plain; charset=utf-8",
}


def first_call(endpoint: Requestable, scope: Scope) -> Call:
    """The first call of `endpoint`; templates that read secrets or the page stay `Deferred`.

    A parameter that renders to null is left out. Raises ConfigError for a name without a value.
    """
    encoding, body = _body(endpoint.body, scope)
    params = _named(endpoint.params, scope)
    headers = {name: _header(value, scope) for name, value in endpoint.headers.items()}
    return Call(
        method=endpoint.method,
        url=endpoint_url(endpoint, scope),
        params={name: value for name, value in params.items() if value is not None},
        headers={name: value for name, value in headers.items() if value is not None},
        body=body,
        encoding=encoding,
    )


def endpoint_url(endpoint: Requestable, scope: Scope) -> str | Deferred:
    """The endpoint's address, below `baseUrl` where it begins with a slash."""
    url = endpoint.url
    if url.source.startswith("/") and endpoint.base_url is not None:
        url = Template(endpoint.base_url.source.rstrip("/") + url.source)
    return Deferred(url.source) if url.is_late else url.url(scope)


def url_of(call: Call, scope: Scope) -> str:
    """The call's address as it is sent, without its parameters; it may hold secrets."""
    if not isinstance(call.url, Deferred):
        return call.url
    return Template(call.url.source).url({**scope, "page": call.names})


def shown(call: Call, scope: Scope) -> str:
    """The call as an error names it, to be masked; see `label_of_call`."""
    try:
        return label_of_call(replace(call, url=url_of(call, scope)))
    except ConfigError:
        return label_of_call(call)


def label_of_call(call: Call) -> str:
    """The request in an error: method, host and path, never a query.

    >>> label_of_call(Call("GET", "https://api.example.com/v1/items?key=k"))
    'GET api.example.com/v1/items'
    """
    url = call.url if isinstance(call.url, str) else without_expressions(call.url.source, "…")
    try:
        parts = urlsplit(url)
        return f"{call.method} {(parts.netloc or '').rpartition('@')[2]}{parts.path}"
    except ValueError:
        return f"{call.method} an address that is not a URL"


def request_of(
    call: Call, scope: Scope, accept: str = "application/json", *, omit_empty: bool = False
) -> Request:
    """The request as it goes out, with its secrets; never log it.

    `accept` is what it asks for unless the call says otherwise.
    """
    scope = {**scope, "page": call.names}
    kept = _without_empty if omit_empty else _as_it_is
    content = _content(call, kept(_reveal(call.body, scope)))
    headers = {**DEFAULT_HEADERS, b"accept": accept.encode()}
    if content is not None:
        headers[b"content-type"] = _CONTENT_TYPES[call.encoding]
    for name, value in _headers(call, scope):
        if kept({"value": value}).get("value") is not None:
            # httpx would encode a header as ASCII; it is octets (RFC 9110, section 5.5).
            octets = check_header(plain(value, name), name).encode("latin-1")
            headers[name.lower().encode()] = octets
    url = _with_query(url_of(call, scope), kept(_reveal(call.params, scope)))
    if call.method == "GET" and content is None:
        return Request.get(url, headers)
    made = httpx.Request(call.method, parsed(url), headers=list(headers.items()), content=content)
    return Request.of(made)


def _as_it_is(tree: Any) -> Any:
    return tree


def _without_empty(tree: Any) -> Any:
    """`tree` without the keys of objects in it whose values are empty; a list keeps its length."""
    if isinstance(tree, Mapping):
        pairs = ((key, _without_empty(item)) for key, item in tree.items())
        return {key: item for key, item in pairs if item is not None and item not in ("", [], {})}
    return [_without_empty(item) for item in tree] if isinstance(tree, list) else tree


def _body(body: Body | None, scope: Scope) -> tuple[Encoding, Any]:
    if body is None:
        return "json", None
    if body.form is not None:
        form = _named(body.form, scope)
        return "form", {name: value for name, value in form.items() if value is not None}
    if body.text is not None:
        return "text", _render(body.text, scope)
    if body.graphql is not None:
        tree = {"query": body.graphql.query, "variables": body.graphql.variables}
        return "json", _tree(tree, scope)
    return "json", _tree(body.json_, scope)


def _tree(value: Any, scope: Scope) -> Any:
    """A JSON tree with every text in it rendered; whole-value templates keep their type."""
    if isinstance(value, dict):
        return _unlike((_name(key, scope), _tree(item, scope)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return [_tree(item, scope) for item in value]
    return _render(Template(value), scope) if isinstance(value, str) else value


def _named(values: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
    return _unlike((_name(name, scope), _render(value, scope)) for name, value in values.items())


def _name(name: str, scope: Scope) -> str:
    """The name of a parameter or a key in a body, which may be a template."""
    made = Template(name).text(scope) if "{{" in name else name
    if not made:
        raise ConfigError("the name of a parameter is empty", where=name, fix="give a value")
    return made


def _unlike(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise ConfigError(f'two parameters come to the name "{name}"', fix="name one otherwise")
        made[name] = value
    return made


def _render(value: Any, scope: Scope) -> Any:
    if isinstance(value, tuple):
        return [_render(item, scope) for item in value]
    if not isinstance(value, Template):
        return value
    return Deferred(value.source) if value.is_late else value.value(scope)


def _header(value: Template, scope: Scope) -> Any:
    return Deferred(value.source) if value.is_late else value.header(scope)


def _headers(call: Call, scope: Scope) -> Iterator[tuple[str, Any]]:
    for name, value in call.headers.items():
        yield name, Template(value.source).header(scope) if isinstance(value, Deferred) else value


def _reveal(value: Any, scope: Scope) -> Any:
    if isinstance(value, str | int):  # as most are
        return value
    if isinstance(value, Deferred):
        return Template(value.source).value(scope)
    if isinstance(value, Mapping):
        return {key: _reveal(item, scope) for key, item in value.items()}
    return [_reveal(item, scope) for item in value] if isinstance(value, list) else value


def _content(call: Call, body: Any) -> bytes | None:
    if body is None:
        return None
    try:
        if call.encoding == "form":
            return urlencode(_pairs(body), quote_via=quote).encode()
        if call.encoding == "text":
            return str(body).encode()
        return _ENCODER.encode(body)
    except (UnicodeError, TypeError):
        raise ConfigError("the body holds a value that cannot be sent") from None


def _with_query(url: str, params: Mapping[str, Any]) -> str:
    """The URL with `params`; one of them replaces a parameter of its name in the URL."""
    if not params:
        return url
    rest, kept, fragment = _without(url, tuple(params))
    try:
        added = "&".join([f"{_quoted(name)}={_quoted(value)}" for name, value in _pairs(params)])
    except UnicodeError:
        raise ConfigError("a parameter holds a lone surrogate", where=urlsplit(url).path) from None
    query = f"{kept}&{added}" if kept and added else kept or added
    return f"{rest}?{query}{fragment}" if query else f"{rest}{fragment}"


@lru_cache(maxsize=256)
def _without(url: str, names: tuple[str, ...]) -> tuple[str, str, str]:
    """What stands before the query, the query's parameters of other `names`, and what follows."""
    rest, hash_mark, fragment = url.partition("#")
    rest, _, query = rest.partition("?")
    kept = [pair for pair in query.split("&") if pair and _pair_name(pair) not in names]
    return rest, "&".join(kept), f"{hash_mark}{fragment}"


def _quoted(text: str) -> str:
    return text if text.isascii() and text.isalnum() else quote(text, safe="")


def _pair_name(pair: str) -> str:
    if "%" not in pair and "+" not in pair:
        return pair.partition("=")[0]
    parsed = parse_qsl(pair, keep_blank_values=True)
    return parsed[0][0] if parsed else pair


def _pairs(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, plain(item, name))
        for name, value in params.items()
        for item in (value if isinstance(value, list | tuple) else [value])
        if item is not None
    ]


def plain(value: Any, name: str) -> str:
    """A value as text in a query, form or header: `true`, `1.5`; ConfigError for a structure."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list | tuple):
        raise ConfigError(
            f'"{name}" is a structure and needs a plain value', fix="use the json filter"
        )
    return str(value)
