"""A request as it is kept: what decides the answer, with secrets by their names alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from connector_assets.authoring.recording.kept_bodies import KeptBody
from connector_assets.authoring.recording.scrub import Scrubber
from connector_assets.authoring.recording.written_json import made_anew, members, write_json
from connector_assets.authoring.simulator.wire import ApiRequest

Mask = Callable[[str], str]
Pairs = tuple[tuple[str, str], ...]

_SECRET = re.compile(r"\[secret(?::[^\]]*)?\]")
_SIGNATURE = re.compile(r"(?:x-amz-)?(?:signature|sig|hmac)", re.IGNORECASE)


@dataclass(frozen=True)
class KeptRequest:
    """Method, URL without its query, parameters, the headers that the spec names, and the body.

    Percent signs are undone. `form` is a body that is one; `body` is any other.
    """

    method: str
    url: str
    query: Pairs = ()
    headers: Pairs = ()
    form: Pairs = ()
    body: KeptBody = field(default_factory=lambda: KeptBody("text", ""))

    @classmethod
    def of(cls, sent: ApiRequest, origin: str, headers: Collection[str], mask: Mask) -> KeptRequest:
        """From what was sent to `origin`; `headers` are the names of those that count.

        NoText for a body that is none.
        """
        named = {name: sent.headers.get(name.lower()) for name in sorted(headers)}
        made = cls(
            sent.method,
            mask(origin + sent.segments),
            _masked(sent.query, mask),
            _masked([(name, value) for name, value in named.items() if value is not None], mask),
        )
        if "x-www-form-urlencoded" in sent.headers.get("content-type", "").lower():
            return replace(made, form=_masked(sent.form, mask))
        body = KeptBody.of(sent.body)
        return replace(made, body=KeptBody(body.kind, masked_data(body.content, mask)))

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> KeptRequest:
        """From what `plain` made."""
        return cls(
            str(kept["method"]),
            str(kept["url"]),
            _pairs(kept.get("query", {})),
            _pairs(kept.get("headers", {})),
            _pairs(kept.get("form", {})),
            KeptBody.read(kept),
        )

    def plain(self) -> dict[str, Any]:
        """As it stands in a file; a name that repeats has a list."""
        made: dict[str, Any] = {"method": self.method, "url": self.url}
        for name in ("query", "headers", "form"):
            if pairs := getattr(self, name):
                made[name] = _named(pairs)
        return {**made, **self.body.plain()}

    def scrubbed(self, scrubber: Scrubber) -> KeptRequest:
        """The same with values of people replaced."""

        def pairs(given: Pairs) -> Pairs:
            return tuple((name, scrubber.value(value, name)) for name, value in given)

        return KeptRequest(
            self.method,
            scrubber.text(self.url),
            pairs(self.query),
            pairs(self.headers),
            pairs(self.form),
            self.body.scrubbed(scrubber),
        )

    def differences(self, other: KeptRequest) -> list[str]:
        """In what `other` is not this one, in words; a secret is like any other value."""
        found = []
        if self.method != other.method:
            found.append(f"{other.method} instead of {self.method}")
        if not _same(self.url, other.url):
            found.append(f"{_path(other.url)} instead of {_path(self.url)}")
        for what in ("query", "headers", "form"):
            found += _unlike(what, getattr(self, what), getattr(other, what))
        if not _same_body(self.body, other.body):
            found.append("another body")
        return found

    @property
    def shown(self) -> str:
        """The request in one line."""
        query = "&".join(f"{name}={value}" for name, value in self.query)
        return f"{self.method} {self.url}{'?' if query else ''}{query}"[:300]


def _masked(pairs: Sequence[tuple[str, str]], mask: Mask) -> Pairs:
    """Pairs without secrets, and without what was computed from one."""
    return tuple(
        (name, "[secret]" if _SIGNATURE.fullmatch(name) else mask(value)) for name, value in pairs
    )


def masked_data(tree: Any, mask: Mask) -> Any:
    """Plain data with `mask` done to every key and value."""
    pairs = members(tree)
    if pairs is not None:
        return made_anew(tree, [(mask(key), masked_data(one, mask)) for key, one in pairs])
    if isinstance(tree, list):
        return [masked_data(one, mask) for one in tree]
    if not isinstance(tree, str):
        return tree
    masked = mask(tree)
    return tree if masked == tree else masked


def _pairs(named: Mapping[str, Any]) -> Pairs:
    return tuple(_each(named))


def _each(named: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in named.items():
        for one in value if isinstance(value, list) else [value]:
            yield name, str(one)


def _named(pairs: Pairs) -> dict[str, Any]:
    named: dict[str, list[str]] = {}
    for name, value in pairs:
        named.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in named.items()}


def _same(kept: str, asked: str) -> bool:
    """Whether two texts are the same, where a secret in the kept one stands for any text."""
    if "[secret" not in kept:
        return kept == asked
    parts = map(re.escape, _SECRET.split(kept))
    return re.fullmatch(".*".join(parts), asked, re.DOTALL) is not None


def _same_body(kept: KeptBody, asked: KeptBody) -> bool:
    written, other = _written(kept), _written(asked)
    return kept.kind == asked.kind and _same(written, other)


def _written(body: KeptBody) -> str:
    return str(body.content) if body.kind == "text" else write_json(_sorted(body.content), step="")


def _sorted(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _sorted(tree[key]) for key in sorted(tree)}
    return [_sorted(one) for one in tree] if isinstance(tree, list) else tree


def _unlike(what: str, kept: Pairs, asked: Pairs) -> Iterator[str]:
    one, other = _named(kept), _named(asked)
    kind = {"query": "parameter", "headers": "header", "form": "field of the form"}[what]
    for name in dict.fromkeys([*one, *other]):
        if name not in other:
            yield f'no {kind} "{name}"'
        elif name not in one:
            yield f'the {kind} "{name}" beside'
        elif not _same(str(one[name]), str(other[name])):
            yield f'the {kind} "{name}" is "{other[name]}" instead of "{one[name]}"'


def _path(url: str) -> str:
    return url.partition("://")[2] or url


@dataclass(frozen=True)
class KeptAnswer:
    """Status, the headers that may mean something, and the body."""

    status: int
    headers: Pairs
    body: KeptBody

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> KeptAnswer:
        """From what `plain` made."""
        return cls(int(kept["status"]), _pairs(kept.get("headers", {})), KeptBody.read(kept))

    def plain(self) -> dict[str, Any]:
        """As it stands in a file."""
        headers = {"headers": _named(self.headers)} if self.headers else {}
        return {"status": self.status, **headers, **self.body.plain()}


@dataclass(frozen=True)
class KeptExchange:
    """A request with its answer, and the endpoint that it is of."""

    endpoint: str
    request: KeptRequest
    answer: KeptAnswer

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> KeptExchange:
        """From what `plain` made."""
        request, answer = KeptRequest.read(kept["request"]), KeptAnswer.read(kept["answer"])
        return cls(str(kept.get("endpoint", "")), request, answer)

    def plain(self) -> dict[str, Any]:
        """As it stands in a file."""
        return {
            "endpoint": self.endpoint,
            "request": self.request.plain(),
            "answer": self.answer.plain(),
        }
