"""What only the whole document can show: names that refer to nothing, and parts that clash.

All of it looks at plain data, not at models, so that it also reports where a model has refused some
other part of the document; what has the wrong shape is passed over, since the model reports that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from pydantic import ValidationError

from connector_assets.errors import BlockedError, ConfigError
from connector_assets.spec.checks.ancestors import parent_findings
from connector_assets.spec.checks.bindings import (
    RESERVED,
    at,
    items,
    keys,
    name_findings,
    template_findings,
    text,
)
from connector_assets.spec.checks.computed import computed_findings
from connector_assets.spec.checks.conditional_checks import conditional_findings
from connector_assets.spec.checks.dynamic_checks import dynamic_findings
from connector_assets.spec.checks.format_checks import format_findings
from connector_assets.spec.checks.idle_checks import idle_findings
from connector_assets.spec.checks.let_checks import let_findings
from connector_assets.spec.checks.model_faults import Finding, options, quoted
from connector_assets.spec.checks.placed_checks import (
    placed_findings,
    sent_in_query,
    window_findings,
)
from connector_assets.spec.checks.variable_checks import variable_findings
from connector_assets.spec.checks.whole_streams import WholeStreams
from connector_assets.spec.connector import ConfigField
from connector_assets.spec.names.regex import compiled
from connector_assets.spec.names.url import locate, origin_of
from connector_assets.spec.templates.template import without_expressions
from connector_assets.spec.values import typed
from connector_assets.spec.yaml.yaml_source import MAX_FAULTS, Path, YamlSource, show_path

_AUTHORITY = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_DAY = 86_400
_SENT_AS_TEXT = {"params", "headers", "form", "text", "vars", "default", "enum", "claims"}


def connector_findings(document: YamlSource) -> list[Finding]:
    """What is wrong with a connector as a whole."""
    whole = WholeStreams(document.data)
    data = whole.data
    found = chain(
        _endpoint_ids(data),
        _relative_urls(data),
        _parameters_set_twice(data),
        placed_findings(data),
        window_findings(data),
        let_findings(data),
        _references(data),
        _stream_names(data),
        _keys_to_merge_by(data),
        _set_aside(data),
        computed_findings(data),
        dynamic_findings(data),
        format_findings(data),
        conditional_findings(data),
        idle_findings(data),
        _config(data),
        _addresses(data),
        _headers(data),
        _rates(data),
        parent_findings(data),
        name_findings(data),
        variable_findings(data),
        _rounded(document, _SENT_AS_TEXT),
    )
    return list(islice(whole.each_once(found), MAX_FAULTS + 1))


def connection_findings(document: YamlSource) -> list[Finding]:
    """What is wrong with a connection by itself; its connector is not known here."""
    data, streams = document.data, document.data.get("streams")
    own = [(("streams", name, "vars"), at(streams, name, "vars")) for name in keys(streams)]
    given = [(("config",), data.get("config")), (("vars",), data.get("vars")), *own]
    found = chain(
        *(_taken(path, value) for path, value in given),
        *(template_findings(path, value, data) for path, value in given),
        _twice([(("streams", n), name) for n, name in enumerate(items(streams))]),
        _rounded(document, {"config", "vars"}),
    )
    return list(islice(found, MAX_FAULTS + 1))


def _endpoint_ids(data: Mapping[str, Any]) -> Iterator[Finding]:
    endpoints = enumerate(items(data.get("endpoints")))
    yield from _twice([(("endpoints", n, "id"), at(one, "id")) for n, one in endpoints])


def _stream_names(data: Mapping[str, Any]) -> Iterator[Finding]:
    read = data.get("read")
    types = enumerate(items(at(read, "resourceTypes")))
    streams = enumerate(items(at(read, "streams")))
    yield from _twice(
        [
            *((("read", "resourceTypes", n), name) for n, name in types),
            *((("read", "streams", n, "name"), at(one, "name")) for n, one in streams),
        ]
    )
    tables = [(n, *_table(one)) for n, one in enumerate(items(at(read, "streams")))]
    if any(key == "table" for _, key, _ in tables):
        yield from _twice([(("read", "streams", n, key), name) for n, key, name in tables])


def _table(stream: Any) -> tuple[str, Any]:
    """The key that says what the table of a stream is called, and the name."""
    key = "table" if isinstance(at(stream, "table"), str) else "name"
    return key, at(stream, key)


def _set_aside(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Streams whose table is where another's quarantine sets rows aside."""
    streams = items(at(data.get("read"), "streams"))
    taken = {
        f"{_plain(_table(one)[1])}__rejected": number
        for number, one in enumerate(streams)
        if at(one, "schemaPolicy") == "quarantine" and isinstance(_table(one)[1], str)
    }
    types = [
        (("read", "resourceTypes", n), x)
        for n, x in enumerate(items(at(data.get("read"), "resourceTypes")))
    ]
    said = [(n, *_table(one)) for n, one in enumerate(streams)]
    named = [(("read", "streams", n, key), name) for n, key, name in said]
    for path, name in (*types, *named):
        if isinstance(name, str) and _plain(name) in taken:
            other = show_path(("read", "streams", taken[_plain(name)], "name"))
            yield Finding(
                path, f'"{name}" is the table of rows that {other} sets aside; choose another'
            )


def _plain(name: str) -> str:
    """A name as table stores tell it from others."""
    return re.sub(r"[^a-z0-9_]", "_", name.casefold())


def _twice(names: Sequence[tuple[Path, Any]]) -> Iterator[Finding]:
    """Names that are one name to a table store: in another case, or with other punctuation."""
    first: dict[str, tuple[Path, str]] = {}
    for path, name in names:
        if not isinstance(name, str):
            continue
        plain = _plain(name)
        if name and not plain.strip("_"):
            yield Finding(path, "must hold a letter or digit")
            continue
        if plain not in first:
            first[plain] = path, name
            continue
        other, as_written = first[plain]
        same = "the same name as" if as_written == name else "the same table name as"
        yield Finding(path, f"is {same} {show_path(other)}; choose another")


def _references(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Endpoints that are named but not there, and streams that name none."""
    endpoints, read = items(data.get("endpoints")), data.get("read")
    ids = [one["id"] for one in endpoints if text(at(one, "id"))]
    known, primary = set(ids), at(read, "primary")
    if not ids:
        return
    if isinstance(primary, str) and primary not in known:
        yield Finding(("read", "primary"), _no_endpoint(primary, ids))
    if primary is None and items(at(read, "resourceTypes")):
        yield Finding(("read", "primary"), "is required where resourceTypes is given")
    for number, stream in enumerate(items(at(read, "streams"))):
        path: Path = ("read", "streams", number, "endpoint")
        named, name = at(stream, "endpoint"), at(stream, "name")
        if isinstance(named, str) and named not in known:
            yield Finding(path, _no_endpoint(named, ids))
        elif named is None and primary is None and isinstance(name, str) and name not in known:
            yield Finding(
                path, "is required, as no endpoint has the stream's name; " + options(ids)
            )


def _no_endpoint(name: str, ids: Sequence[str]) -> str:
    return f"{quoted(name)}is not an endpoint; {options(ids)}"


def _relative_urls(data: Mapping[str, Any]) -> Iterator[Finding]:
    base = at(data.get("defaults"), "baseUrl")
    for number, endpoint in enumerate(items(data.get("endpoints"))):
        url = at(endpoint, "url")
        relative = isinstance(url, str) and url.startswith("/")
        if relative and base is None and at(endpoint, "baseUrl") is None:
            message = "begins with /, but there is no defaults.baseUrl to put before it"
            yield Finding(("endpoints", number, "url"), message)


def _parameters_set_twice(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Parameters that the pagination sets; what the endpoint says of them would never be sent."""
    defaults = data.get("defaults")
    for number, endpoint in enumerate(items(data.get("endpoints"))):
        pagination = at(endpoint, "pagination") or at(defaults, "pagination")
        for name, key in sent_in_query(pagination).items():
            for path, part in ((("endpoints", number), endpoint), (("defaults",), defaults)):
                params = at(part, "params")
                if isinstance(params, dict) and name in params:
                    message = f"is set by the pagination; remove it, and set pagination.{key}"
                    yield Finding((*path, "params", name), message, on_key=True)


def _keys_to_merge_by(data: Mapping[str, Any]) -> Iterator[Finding]:
    for number, stream in enumerate(items(at(data.get("read"), "streams"))):
        mode, path = at(stream, "writeMode"), ("read", "streams", number, "primaryKey")
        if at(stream, "primaryKey"):
            continue
        if mode in ("merge", "scd2"):
            yield Finding(path, f"is required with writeMode: {mode}")
        elif mode == "append" and at(stream, "incremental") is not None:
            yield Finding(path, "is required where incremental rows are appended")


def _config(data: Mapping[str, Any]) -> Iterator[Finding]:
    declared = data.get("config")
    yield from _taken(("config",), declared)
    for name in keys(declared):
        yield from _config_field(("config", name), at(declared, name))
    for number, stream in enumerate(items(at(data.get("read"), "streams"))):
        yield from _taken(("read", "streams", number, "vars"), at(stream, "vars"))
        yield from _taken(("read", "streams", number, "let"), at(stream, "let"))


def _taken(path: Path, named: Any) -> Iterator[Finding]:
    """Names that no config value or variable can have."""
    message = "is a name that templates have already; choose another"
    yield from (Finding((*path, name), message, True) for name in keys(named) if name in RESERVED)


def _config_field(path: Path, field: Any) -> Iterator[Finding]:
    """A pattern that cannot be used; a default and an example that the field would refuse."""
    pattern = at(field, "pattern")
    if isinstance(pattern, str):
        try:
            compiled(pattern)
        except ConfigError as error:
            yield Finding((*path, "pattern"), f"is {error.what}")
            return
    for key in ("default", "example"):
        value = at(field, key)
        try:
            if value is not None:
                typed("", value, ConfigField.model_validate(field))
        except ValidationError:
            return
        except ValueError as error:
            yield Finding((*path, key), str(error).removeprefix('"" '))


def _addresses(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Addresses that no request could use, as far as their text tells."""
    for path, part in _endpoints(data):
        for key in ("url", "baseUrl"):
            message = _wrong_url(text(at(part, key)))
            if message:
                yield Finding((*path, key), message)
    for number, origin in enumerate(items(data.get("origins"))):
        if isinstance(origin, str) and not _is_origin(origin):
            message = "must be an origin without a path, such as https://files.example.com"
            yield Finding(("origins", number), message)
    docs = data.get("docsUrl")
    if isinstance(docs, str) and not re.match(r"https?://[^/\s]", docs):
        yield Finding(("docsUrl",), "must begin with https://")


def _endpoints(data: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Whatever may hold an endpoint's keys, with its path."""
    yield ("defaults",), data.get("defaults")
    for number, endpoint in enumerate(items(data.get("endpoints"))):
        yield ("endpoints", number), endpoint


def _wrong_url(url: str) -> str | None:
    """What is wrong with a URL whose host is written out; a template's values are judged later."""
    found = _AUTHORITY.match(url)
    if not found or "{{" in found[1]:
        return None
    try:
        target = locate(without_expressions(url, "x"))
    except BlockedError as error:
        return str(error)
    address = target.address
    if address is not None:
        address = getattr(address, "ipv4_mapped", None) or address
        if address.is_link_local or address.is_unspecified or address.is_multicast:
            return "is an address of the machine's own network, which no connector may read"
    return None


def _is_origin(text: str) -> bool:
    try:
        return text.lower().rstrip("/") == origin_of(text)
    except BlockedError:
        return False


def _headers(data: Mapping[str, Any]) -> Iterator[Finding]:
    for path, part in _endpoints(data):
        headers = at(part, "headers")
        for name in keys(headers):
            if _CONTROL.search(text(headers[name])):
                message = "must be one line without control characters"
                yield Finding((*path, "headers", name), message)


def _rates(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Rates so low that the next request would never come."""
    for path, part in (((), data), *_endpoints(data)):
        rate = at(part, "rateLimit", "requestsPerSecond")
        if isinstance(rate, int | float) and 0 < rate < 1 / _DAY:
            message = "must be at least one request a day: 0.0000116"
            yield Finding((*path, "rateLimit", "requestsPerSecond"), message)


def _rounded(document: YamlSource, fields: set[str]) -> Iterator[Finding]:
    """Numbers that would be sent otherwise than they are written: 1.10 as 1.1."""
    for path in document.rounded:
        if fields.intersection(path):
            shown = repr(document.at(path))
            yield Finding(path, f"would be sent as {shown}; quote it to send it as it is written")
