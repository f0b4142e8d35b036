"""The next request, as data: frozen, serialisable and free of secrets, so it is the checkpoint.

A paginator keeps no state of its own. What it must remember (rows so far, the server's true page
size) rides in the `Call`, so a run that was killed goes on from the last `Call` on disk.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

Place = Literal["query", "header", "body"]
Encoding = Literal["json", "form", "text"]


@dataclass(frozen=True, slots=True)
class Deferred:
    """A template that reads secrets: it stays source until the request is sent."""

    source: str


# Not a dataclass: several are made for each page, and to change one would take 30 times as long.
class Call(Struct, frozen=True):
    """One request to be made.

    `params`, `headers` and `body` hold plain values or `Deferred` templates. `page` counts from 1;
    `rows_before` counts the rows of earlier pages; `page_size` is what the first page proved the
    server gives, once known. `followed` marks a URL the server gave: it is used as it stands, and
    `params` then holds nothing of the endpoint's. `probe` marks a request made only to make sure
    that a short first page was the last. `job` is what is known of an export that was created, and
    how much of it has been read.
    """

    method: str
    url: str
    params: Mapping[str, Any] = {}
    headers: Mapping[str, Any] = {}
    body: Any = None
    encoding: Encoding = "json"
    page: int = 1
    rows_before: int = 0
    page_size: int | None = None
    followed: bool = False
    probe: bool = False
    job: Mapping[str, Any] | None = None

    def get(self, name: str, place: Place = "query") -> Any:
        """The value now at `name`; in a body, `name` is a dotted path."""
        if place == "query":
            return self.params.get(name)
        if place == "header":
            return self.headers.get(name)
        value = self.body
        for key in name.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def put(self, name: str, value: Any, place: Place = "query") -> Call:
        """This call with `value` at `name`; in a body, `name` is a dotted path.

        >>> Call("POST", "u").put("variables.after", "c1", "body").body
        {'variables': {'after': 'c1'}}
        """
        if value is not None and self.get(name, place) is value:
            return self
        if place == "query":
            return replace(self, params={**self.params, name: value})
        if place == "header":
            return replace(self, headers={**self.headers, name: value})
        return replace(self, body=_put(self.body, name.split("."), value))

    def follow(self, url: str) -> Call:
        """This call at a URL the server gave, without the endpoint's own parameters."""
        return replace(self, url=url, params={}, followed=True)

    def after(self, rows: int, page_size: int | None = None, *, probe: bool = False) -> Call:
        """The bookkeeping of one page passed, whatever is then changed for the next.

        Without `page_size` what was known of it stays.
        """
        return replace(
            self,
            page=self.page + 1,
            rows_before=self.rows_before + rows,
            page_size=page_size or self.page_size,
            probe=probe,
        )

    def of_job(self, job: Mapping[str, Any]) -> Call:
        """This call, where a run goes on with `job`."""
        return replace(self, job=job)

    @property
    def place(self) -> Call:
        """This call without its bookkeeping: asking the same place twice is a loop."""
        return replace(self, page=1, rows_before=0, page_size=None, probe=False)

    def dumps(self) -> str:
        return dumps(self)

    @classmethod
    def loads(cls, text: str) -> Call:
        data = json.loads(text)
        for name in ("params", "headers", "body"):
            data[name] = _revive(data[name])
        return cls(**data)


class Page(Protocol):
    """What a paginator may ask of an answer; paths are JMESPath."""

    @property
    def count(self) -> int:
        """Rows as the server sent them, before any filter."""
        ...

    @property
    def url(self) -> str:
        """The URL that answered, after redirects."""
        ...

    def field(self, path: str) -> Any:
        """The value at `path` in the body, None where it is absent."""
        ...

    def header(self, name: str) -> str | None: ...

    def last(self, path: str) -> Any:
        """The value at `path` in the last row, None without rows."""
        ...


def _put(tree: Any, path: list[str], value: Any) -> dict[str, Any]:
    node = dict(tree) if isinstance(tree, Mapping) else {}
    node[path[0]] = value if len(path) == 1 else _put(node.get(path[0]), path[1:], value)
    return node


_DEFERRED = "$deferred"
_DECIMAL = "$decimal"


def dumps(value: Any) -> str:
    """JSON of anything that holds calls; `Call.loads` reads one from its JSON."""
    # The same text in a fraction of the time, for what both write alike.
    return _plain.encode(value).decode() if _is_plain(value) else _encoder.encode(value)


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() and value.isprintable()
    if isinstance(value, Call):
        return all(map(_is_plain, (value.url, value.params, value.headers, value.body, value.job)))
    if isinstance(value, dict):
        return all(isinstance(k, str) and _is_plain(k) and _is_plain(v) for k, v in value.items())
    return value is None or isinstance(value, int)


def _special(value: Any) -> dict[str, Any]:
    """What JSON lacks: calls, templates, and numbers whose digits a float may lose (cursors)."""
    if isinstance(value, Call):
        return asdict(value)
    if isinstance(value, Deferred):
        return {_DEFERRED: value.source}
    if isinstance(value, Decimal):
        return {_DECIMAL: str(value)}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a call cannot hold a {type(value).__name__}")


_encoder = json.JSONEncoder(separators=(",", ":"), default=_special)
_plain = msgspec.json.Encoder()


def _revive(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {_DEFERRED}:
            return Deferred(value[_DEFERRED])
        if set(value) == {_DECIMAL}:
            return Decimal(value[_DECIMAL])
        return {key: _revive(item) for key, item in value.items()}
    return [_revive(item) for item in value] if isinstance(value, list) else value
