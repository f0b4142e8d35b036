"""Which names a template may read, by where it stands.

    config.x, bare names, stream, resourceType    everywhere
    secrets.x                                      auth, url (not its origin), headers, params, body
    page.number, page.offset, page.size, page.cursor
                                                   url, headers, params and body, as the
                                                   pagination has them
    item.x, parent.x                               all of a stream with forEach
    window.start, window.end, cursor               requests, where and fields of a stream with
                                                   incremental
    response, headers, status                      when and message of errors rules, retry.after
    record                                         where and fields of a stream; name, only and
                                                   vars of dynamic ones

A bare name that nothing declares is a config value that the connection must give. An endpoint may
read what each of its streams binds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from connector_assets.spec.checks.model_faults import Finding, near
from connector_assets.spec.request.pagination import MEMBERS, member_of
from connector_assets.spec.templates.template import Template, TemplateError
from connector_assets.spec.yaml.yaml_source import Path

_COMES_WITH = {
    "item": "it comes with forEach",
    "parent": "it comes with forEach",
    "window": "it comes with incremental",
    "cursor": "it comes with incremental",
    "page": "it comes with a pagination of type page, offset or cursor",
    "record": "it exists in where and fields",
    "response": "it exists in errors rules",
    "headers": "it exists in errors rules",
}
RESERVED = frozenset({"config", "secrets", "stream", *_COMES_WITH})
"""Names that templates have anyway, so that no config value or variable can have them."""

_IN_RULES = frozenset({"response", "headers", "status"})
_SENT = ("url", "baseUrl", "params", "headers", "body")
_NAMED = ("params", "body")
"""Parts whose keys may be templates."""
_WINDOW = frozenset({"window.start", "window.end", "cursor"})
_OF_ROWS = ("where", "fields", "deletedWhen")
_OF_LISTED = ("name", "only", "vars")

Names = frozenset[str]


def name_findings(data: Mapping[str, Any]) -> Iterator[Finding]:
    """What the templates of a connector read that nothing can give, or that they may not."""
    names = _Names(data)
    written, dynamic = items(at(data, "read", "streams")), items(at(data, "read", "dynamic"))
    streams = [*written, *dynamic]
    anything = frozenset().union(*(_bound(stream) for stream in streams))
    yield from names.check(("auth",), data.get("auth"), secrets=True)
    defaults = data.get("defaults")
    every = frozenset({*(one.read_as for one in MEMBERS.values() if one.read_as), "page.size"})
    yield from names.check_endpoint(("defaults",), defaults, anything, every)
    readers = _readers(data, streams)
    for number, endpoint in enumerate(items(data.get("endpoints"))):
        own = readers.get(text(at(endpoint, "id")))
        bound = anything if own is None else frozenset.intersection(*own)
        paged = _paged(at(endpoint, "pagination") or at(defaults, "pagination"))
        yield from names.check_endpoint(("endpoints", number), endpoint, bound, paged)
    for stream, path in _placed(written, dynamic):
        yield from names.check_stream(path, stream)


def _placed(written: list[Any], dynamic: list[Any]) -> Iterator[tuple[Any, Path]]:
    for kind, streams in (("streams", written), ("dynamic", dynamic)):
        yield from ((one, ("read", kind, number)) for number, one in enumerate(streams))


def template_findings(path: Path, value: Any, data: Mapping[str, Any]) -> Iterator[Finding]:
    """The same for one part of a document that sends nothing, such as a connection's config."""
    yield from _Names(data).check(path, value)


def _paged(pagination: Any) -> Names:
    """The names that a pagination gives the templates of its requests."""
    member = member_of(pagination)
    name = member.read_as if member else ""
    size = {"page.size"} if name and at(pagination, "pageSize") is not None else set()
    return frozenset({name, *size} if name else ())


def _bound(stream: Any) -> Names:
    """What a stream binds for its requests, in dots."""
    window = _WINDOW if at(stream, "incremental") is not None else frozenset()
    return _bound_items(stream) | window | set(keys(at(stream, "let")))


def _bound_items(stream: Any) -> Names:
    bound: set[str] = set()
    for dimension in items(at(stream, "forEach")):
        parents = [parent for _, parent in placed_parents(dimension)]
        name = text(at(dimension, "as"))
        for parent in parents:
            name = text(at(parent, "as")) or text(at(parent, "field")).split(".")[-1]
        bound |= {name, f"item.{name}"}
        if at(dimension, "batch") is not None:
            bound.add("item.values")
        read = [set(map(text, [at(one, "field"), *items(at(one, "include"))])) for one in parents]
        bound |= {f"parent.{field}" for field in set.intersection(*read)} if read else set()
    return frozenset(bound)


def placed_parents(dimension: Any) -> list[tuple[Path, Any]]:
    """The parents of one dimension of `forEach`, one or several in turn, each with its path."""
    given = at(dimension, "parent")
    if isinstance(given, dict):
        return [(("parent",), given)]
    return [(("parent", number), one) for number, one in enumerate(items(given))]


def _readers(data: Mapping[str, Any], streams: list[Any]) -> dict[str, list[Names]]:
    """What the streams that read each endpoint bind; no entry for one that none reads."""
    ids = {text(at(endpoint, "id")) for endpoint in items(data.get("endpoints"))}
    primary = text(at(data, "read", "primary"))
    readers: dict[str, list[Names]] = {}
    for stream in streams:
        named, name = text(at(stream, "endpoint")), text(at(stream, "name"))
        own = named or (name if name in ids else primary)
        readers.setdefault(own, []).append(_bound(stream))
    if items(at(data, "read", "resourceTypes")) or not streams:
        readers.setdefault(primary, []).append(frozenset())
    return readers


def at(value: Any, *keys: str) -> Any:
    """What is at `keys`, None where a mapping is missing on the way."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def items(value: Any) -> list[Any]:
    """The items of a list; none of anything else."""
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """A text; nothing of anything else."""
    return value if isinstance(value, str) else ""


def keys(value: Any) -> list[str]:
    """The keys of a mapping; none of anything else."""
    return list(value) if isinstance(value, dict) else []


class _Names:
    """The names a document declares."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        config, secrets = data.get("config"), data.get("secrets")
        self.config = config if isinstance(config, dict) else {}
        self.secrets = secrets if isinstance(secrets, dict) else None
        streams = [*items(at(data, "read", "streams")), *items(at(data, "read", "dynamic"))]
        self.vars = {name for one in streams for name in keys(at(one, "vars"))}
        self.declared = {*self.config, *self.vars}
        self.declares_config = data.get("kind") == "connector"

    def check_endpoint(
        self, path: Path, value: Any, bound: Names, paged: Collection[str]
    ) -> Iterator[Finding]:
        for key in _SENT:
            own = at(value, key)
            known = bound.union(paged)
            named = key in _NAMED
            yield from self.check((*path, key), own, known, secrets=True, named=named)
        yield from self.check((*path, "pagination"), at(value, "pagination"), bound)
        yield from self.check((*path, "auth"), at(value, "auth"), bound, secrets=True)
        yield from self.check((*path, "job"), at(value, "job"), bound | {"response"})
        after = (*path, "retry", "after")
        yield from self.check(after, at(value, "retry", "after"), bound | _IN_RULES)
        for number, rule in enumerate(items(at(value, "errors"))):
            for key in ("when", "message"):
                where = (*path, "errors", number, key)
                yield from self.check(where, at(rule, key), bound | _IN_RULES)

    def check_stream(self, path: Path, stream: Any) -> Iterator[Finding]:
        row, bound = frozenset({"record"}), _bound(stream)
        for key in _OF_ROWS:
            yield from self.check((*path, key), at(stream, key), bound | row)
        listed = _OF_LISTED if path[1] == "dynamic" else ()
        for key in {"vars": None, **dict.fromkeys(listed)}:
            yield from self.check((*path, key), at(stream, key), row if listed else frozenset())
        yield from self.check(
            (*path, "incremental"), at(stream, "incremental"), _bound_items(stream)
        )
        yield from self.check((*path, "forEach"), at(stream, "forEach"))
        lets = at(stream, "let")
        known = (bound - set(keys(lets))) | row
        for name in keys(lets):
            yield from self.check((*path, "let", name), at(lets, name), known)
            known |= {name}

    def check(
        self,
        path: Path,
        value: Any,
        bound: Names = frozenset(),
        *,
        secrets: bool = False,
        named: bool = False,
    ) -> Iterator[Finding]:
        """Findings in every template at or below `path`; `named`: keys may be templates too."""
        for where, source, on_key in texts(path, value):
            if on_key and not named:
                yield Finding(where, _NO_KEY, on_key=True)
                continue
            try:
                names = Template(source).names
            except TemplateError as error:
                yield Finding(where, str(error), on_key, 0 if on_key else error.offset)
                continue
            for name in sorted(names, key=source.find):
                message = self._wrong(name, bound, secrets=secrets)
                if on_key and name.partition(".")[0] in ("secrets", "page"):
                    message = f'"{name}" must not stand in a name'
                if message:
                    offset = 0 if on_key else max(source.find(name), 0)
                    yield Finding(where, message, on_key, offset)

    def _wrong(self, name: str, bound: Names, *, secrets: bool) -> str | None:
        first, _, rest = name.partition(".")
        key = rest.partition(".")[0]
        if first == "secrets":
            return self._wrong_secret(name, key) if secrets else _MISPLACED.format(name)
        if first == "config":
            return self._wrong_config(name, key)
        if first in self.declared or name in ("stream", "resourceType"):
            return None
        if any(name == one or name.startswith(f"{one}.") for one in bound):
            return None
        return _unbound(name, bound) if rest or first in _COMES_WITH else None

    def _wrong_secret(self, name: str, key: str) -> str | None:
        if self.secrets is None or key in self.secrets:
            return None
        return f'"{name}" is not declared{_meant(key, self.secrets) or "; add it to secrets"}'

    def _wrong_config(self, name: str, key: str) -> str | None:
        if key in self.config or not self.declares_config:
            return None
        return f'"{name}" is not declared{_meant(key, self.config) or "; add it to config"}'


_NO_KEY = "is a key, and a key is no template; write it out"
_MISPLACED = '"{}" must not stand here; secrets go in auth, url, headers, params and body'


def _unbound(name: str, bound: Names) -> str | None:
    first, _, rest = name.partition(".")
    if first not in _COMES_WITH:
        return f'nothing gives "{name}" a value{_meant(first, _COMES_WITH)}'
    siblings = sorted(one for one in bound if one.startswith(f"{first}."))
    if siblings and not rest:
        return None
    hint = f"use {' or '.join(siblings)}" if siblings else _COMES_WITH[first]
    return f'nothing gives "{name}" a value here; {hint}'


def _meant(name: str, known: Mapping[str, Any]) -> str:
    close = near(name, list(known))
    return f'; did you mean "{close}"?' if close else ""


def texts(path: Path, value: Any) -> Iterator[tuple[Path, str, bool]]:
    """Every text with a template in it, at or below `path`, and whether it is a key."""
    if isinstance(value, str):
        if "{{" in value:
            yield path, value, False
    elif isinstance(value, dict):
        for key, item in value.items():
            if "{{" in key:
                yield (*path, key), key, True
            yield from texts((*path, key), item)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from texts((*path, number), item)
